"""A search in a folder, from which other processes join it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from ..losses import _registry
from ._branches import Space
from ._objective import Task
from ._work import Budget

_FILE = "job.pkl"


@dataclass(frozen=True)
class _OnDisk:
    """An array in a file: whoever reads it maps it into memory."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    order: str

    def open(self) -> np.ndarray:
        """Return the array."""
        return np.memmap(
            self.path, self.dtype, "r", self.offset, self.shape, "F" if self.order == "F" else "C"
        )


@dataclass
class Job:
    """What a worker needs beside the storage.

    Parameters
    ----------
    task : Task
        How a candidate is scored.
    space : Space
        What values mean.
    study_name : str
        In the storage.
    sampler, pruner : object or None
        As the search has them.
    budget : Budget
        When to end.
    """

    task: Task
    space: Space
    study_name: str
    sampler: BaseSampler | None
    pruner: BasePruner | None
    budget: Budget

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write the job into a folder; only its owner can read it.

        Arrays are files of their own, those that are files already stay where they are.
        """
        path = Path(folder)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        task = replace(
            self.task,
            X=_park(self.task.X, path / "X.npy"),
            y=_park(self.task.y, path / "y.npy"),
            tasks=None,
        )
        users = (_registry._user_losses, _registry._user_spaces)
        content = cloudpickle.dumps((replace(self, task=task), users))
        part = path / f"{_FILE}.part"
        part.write_bytes(content)
        part.replace(path / _FILE)

    @staticmethod
    def read(folder: str | os.PathLike[str]) -> Job:
        """Read a job. It is a pickle: read only what you trust.

        Raises
        ------
        FileNotFoundError
            If there is none in the folder.
        """
        job, (losses, spaces) = cloudpickle.loads((Path(folder) / _FILE).read_bytes())
        _registry._user_losses.update(losses)
        _registry._user_spaces.update(spaces)
        job.task.X, job.task.y = _fetch(job.task.X), _fetch(job.task.y)
        return job  # type: ignore[no-any-return]


def _park(value: Any, path: Path) -> Any:
    if isinstance(value, np.memmap) and value.filename is not None and _is_whole(value):
        order = "C" if value.flags.c_contiguous else "F"
        return _OnDisk(
            os.path.abspath(value.filename), value.dtype.str, value.shape, value.offset, order
        )
    if isinstance(value, np.ndarray) and value.dtype != object:
        np.save(path, value)
        return path
    return value


def _is_whole(array: np.memmap) -> bool:
    """Tell whether an array's own offset says where in the file it begins."""
    whole = array.base is None or not isinstance(array.base, np.memmap)
    return whole and (array.flags.c_contiguous or array.flags.f_contiguous)


def _fetch(value: Any) -> Any:
    if isinstance(value, _OnDisk):
        return value.open()
    return np.load(value, mmap_mode="r") if isinstance(value, Path) else value


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove a job's folder."""
    shutil.rmtree(folder, ignore_errors=True)


def n_threads(n_workers: int) -> int:
    """Return how many threads each of several workers on this machine gets."""
    return max(1, int(joblib.cpu_count()) // n_workers)
