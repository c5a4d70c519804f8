"""A search in a folder, from which other processes join it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cloudpickle
import numpy as np
import torch
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from ...losses._core import names as _names
from .._space.search_space import Space
from .._workers.liveness import Owner
from .._workers.private_files import read_private, write_private
from .evaluate import Task
from .worker import Budget

#: How the folder of a job is called, before what makes its name unique.
PREFIX = "sklearnloss-job-"

FILE = "job.pkl"

#: Holds the owner of a job's folder.
_OWNER = "owner.json"


@dataclass(frozen=True)
class _Mapped:
    """An array in a file: whoever reads it maps it into memory.

    Parameters
    ----------
    path : str
        A name in the job's folder, or an absolute path.
    dtype, shape, offset, order
        As of a ``numpy.memmap``.
    tensor : bool
        Whether it was a torch tensor.
    """

    path: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    order: Literal["C", "F"]
    tensor: bool = False

    def open(self, folder: Path) -> Any:
        """Return the array."""
        # Workers share the pages of a file that they only read. A tensor must be one
        # that can be written to: what is written stays the worker's own.
        mode: Literal["c", "r"] = "c" if self.tensor else "r"
        array = np.memmap(folder / self.path, self.dtype, mode, self.offset, self.shape, self.order)
        return torch.from_numpy(np.asarray(array)) if self.tensor else array


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
    call : str
        The ``fit`` that it belongs to, see :class:`~sklearnloss.tuning._workers.liveness.Owner`.
    """

    task: Task
    space: Space
    study_name: str
    sampler: BaseSampler | None
    pruner: BasePruner | None
    budget: Budget
    call: str

    def write(self, folder: str | os.PathLike[str]) -> str:
        """Write the job into a folder; only its owner can read it.

        Arrays are files of their own, those that are files already stay where they are.

        Returns
        -------
        digest : str
            By which a process knows the job that was written here.
        """
        path = Path(folder)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        task = replace(
            self.task,
            X=_to_file(self.task.X, path, "X"),
            y=_to_file(self.task.y, path, "y"),
            fit_params=_all_to_files(self.task.fit_params, path, "fit"),
            score_params=_all_to_files(self.task.score_params, path, "score"),
            tasks=None,
        )
        users = (_names.USER_LOSSES, _names.USER_SPACES)
        content = _pickled(replace(self, task=task), users)
        part = path / f"{FILE}.part"
        write_private(part, content)
        part.replace(path / FILE)
        return hashlib.sha256(content).hexdigest()

    @staticmethod
    def read(
        folder: str | os.PathLike[str], *, trusted: bool = False, digest: str | None = None
    ) -> Job:
        """Read a job. It is a pickle: whoever wrote it has code run here.

        Parameters
        ----------
        folder : path
            Where it is.
        trusted : bool, default=False
            Whether to read one that others than this user could have written.
        digest : str, default=None
            What :meth:`write` returned, which says more than the owners of files: some
            file systems know none.

        Raises
        ------
        FileNotFoundError
            If there is none in the folder, or a file of data cannot be seen from here.
        PermissionError
            If somebody else could have written it.
        """
        path = Path(folder)
        content = (path / FILE).read_bytes() if trusted or digest else _read_own(path)
        if digest not in (None, hashlib.sha256(content).hexdigest()):
            raise PermissionError(f"{str(path / FILE)!r} was changed by somebody else.")
        job, (losses, spaces) = cloudpickle.loads(content)
        _names.USER_LOSSES.update(losses)
        _names.USER_SPACES.update(spaces)
        task = job.task
        task.X, task.y = _from_file(task.X, path), _from_file(task.y, path)
        for params in ("fit_params", "score_params"):
            fetched = {key: _from_file(value, path) for key, value in getattr(task, params).items()}
            setattr(task, params, fetched)
        return job  # type: ignore[no-any-return]


def _read_own(folder: Path) -> bytes:
    try:
        return read_private(folder, FILE)
    except PermissionError as error:
        if error.errno is not None:  # it cannot be read at all
            raise
        raise PermissionError(
            f"{error}. To read it is to run what is in it. If you trust whoever can write there, "
            f"name the folder yourself: sklearnloss worker --job {str(folder)!r}."
        ) from None


def _pickled(job: Job, users: Any) -> bytes:
    try:
        return bytes(cloudpickle.dumps((job, users)))
    except Exception as error:
        raise TypeError(
            f"{_find_unpicklable(job)} cannot be pickled, and so not be sent to worker processes: "
            f"{error}. Pass something that makes it when it is used, or search in this process "
            f"alone: with n_jobs=1, and with no database as storage."
        ) from error


def _find_unpicklable(job: Job) -> str:
    """Return what of a job cannot be pickled: its deepest parameter, and what kind that is."""
    name, found = next(
        ((name, value) for name, value in _parts(job) if not _can_be_pickled(value)), ("it", job)
    )
    for item in found if isinstance(found, list | tuple) else ():
        member = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not _can_be_pickled(member):
            return f"{name} with its {type(member).__name__}"
    return f"{name}={type(found).__name__}(...)"


def _parts(job: Job) -> Iterator[tuple[str, Any]]:
    """Yield what the user passed, the deepest parameters first."""
    task = job.task
    params = task.estimator.get_params(deep=True)
    for name in sorted(params, key=lambda name: -name.count("__")):
        yield f"estimator__{name}", params[name]
    yield from {"estimator": task.estimator, "scoring": task.scorer}.items()
    yield from {"X": task.X, "y": task.y, **task.fit_params, **task.score_params}.items()
    yield from {"sampler": job.sampler, "pruner": job.pruner}.items()
    yield "losses or param_distributions", job.space


def _can_be_pickled(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True


def _to_file(value: Any, folder: Path, name: str) -> Any:
    """Return what stands for a value in the job: an array is written to a file."""
    if isinstance(value, np.memmap) and _is_file(value):
        value.flush()
        where, array = os.path.abspath(str(value.filename)), value
    elif type(value) in (np.ndarray, np.memmap) and not value.dtype.hasobject and value.size > 1:
        array = np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", value.dtype, value.shape, _order(value) == "F"
        )
        array[...] = value
        array.flush()
        where = f"{name}.npy"
    elif isinstance(value, torch.Tensor) and _is_plain(value):
        return replace(_to_file(value.detach().numpy(), folder, name), tensor=True)
    else:
        return value
    return _Mapped(where, array.dtype.str, array.shape, array.offset, _order(array))


def _all_to_files(values: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
    return {key: _to_file(value, folder, f"{name}-{key}") for key, value in values.items()}


def _is_file(array: np.memmap) -> bool:
    """Return whether an array is all in a file, and its own offset says where it begins there."""
    whole = array.base is None or not isinstance(array.base, np.memmap)
    in_order = array.flags.c_contiguous or array.flags.f_contiguous
    return bool(whole and in_order and array.filename is not None and array.mode != "c")


def _is_plain(tensor: torch.Tensor) -> bool:
    numbers = tensor.dtype != torch.bfloat16 and not tensor.dtype.is_complex
    return (
        type(tensor) is torch.Tensor
        and tensor.device.type == "cpu"
        and (tensor.layout == torch.strided and tensor.numel() > 1 and numbers)
    )


def _order(array: np.ndarray) -> Literal["C", "F"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _from_file(value: Any, folder: Path) -> Any:
    return value.open(folder) if isinstance(value, _Mapped) else value


def sign(folder: Path, owner: Owner) -> None:
    """Write the owner into a job's folder."""
    write_private(folder / _OWNER, json.dumps(owner.token).encode())


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove a job's folder, and no other."""
    if Path(folder).name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_over(home: Path, owner: Owner) -> None:
    """Remove the folders of killed searches of this user on this machine."""
    for folder in home.glob(f"{PREFIX}*"):
        # Folders without a valid owner, or that others can write, are left alone.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            token = json.loads(read_private(folder, _OWNER))
            if not owner.is_alive(token, None, -1):
                remove(folder)
