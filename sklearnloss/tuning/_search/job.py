"""A search written to a folder, so that other processes can join it."""

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

#: Prefix of the names of job folders.
PREFIX = "sklearnloss-job-"

FILE = "job.pkl"

#: Holds the owner of a job's folder.
_OWNER = "owner.json"


@dataclass(frozen=True)
class _Mapped:
    """An array in a file, to be memory-mapped.

    Parameters
    ----------
    path : str
        A name in the job's folder, or an absolute path.
    dtype, shape, offset, order
        As for a ``numpy.memmap``.
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
        # Workers share the pages of a file that they only read. A tensor must be writable;
        # changes are private to the worker.
        mode: Literal["c", "r"] = "c" if self.tensor else "r"
        array = np.memmap(folder / self.path, self.dtype, mode, self.offset, self.shape, self.order)
        return torch.from_numpy(np.asarray(array)) if self.tensor else array


@dataclass
class Job:
    """Everything that a worker needs in addition to the storage.

    Parameters
    ----------
    task : Task
        Defines how a candidate is scored.
    space : Space
        The search space.
    study_name : str
        Name of the study in the storage.
    sampler, pruner : object or None
        Those of the search.
    budget : Budget
        Defines when to end.
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

        Arrays are written to separate files; arrays that already are in files stay there.

        Returns
        -------
        digest : str
            A digest by which a process can verify the job.
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
        """Read a job. It is a pickle, so whoever wrote it can run code here.

        Parameters
        ----------
        folder : path
            The folder of the job.
        trusted : bool, default=False
            Whether to read a job that somebody else could have written.
        digest : str, default=None
            The result of :meth:`write`. It is a stronger check than the owner of the
            file, which some file systems do not record.

        Raises
        ------
        FileNotFoundError
            If there is no job in the folder, or a data file cannot be seen from here.
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
        if error.errno is not None:  # it cannot be read
            raise
        raise PermissionError(
            f"{error}. Reading it would run the code in it. If you trust everyone who can write "
            f"there, name the folder yourself: sklearnloss worker --job {str(folder)!r}."
        ) from None


def _pickled(job: Job, users: Any) -> bytes:
    try:
        return bytes(cloudpickle.dumps((job, users)))
    except Exception as error:
        alone = "with n_jobs=1, and without a database as storage"
        raise unpicklable(job, error, alone) from error


def unpicklable(job: Job, error: Exception, alone: str) -> TypeError:
    """Return the error for a job that cannot be pickled.

    Parameters
    ----------
    job : Job
        Of which the message names a part.
    error : Exception
        Raised by pickle.
    alone : str
        How to search in one process.
    """
    return TypeError(
        f"{_find_unpicklable(job)} cannot be pickled, and so cannot be sent to worker "
        f"processes: {error}. Pass something that creates it when it is used, or search only "
        f"in this process: {alone}."
    )


def _find_unpicklable(job: Job) -> str:
    """Return which part of a job cannot be pickled: its deepest parameter, with its type."""
    name, found = next(
        ((name, value) for name, value in _parts(job) if not _can_be_pickled(value)), ("it", job)
    )
    for item in found if isinstance(found, list | tuple) else ():
        member = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not _can_be_pickled(member):
            return f"{name} with its {type(member).__name__}"
    return f"{name}={type(found).__name__}(...)"


def _parts(job: Job) -> Iterator[tuple[str, Any]]:
    """Yield the user's arguments, the deepest parameters first."""
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
    """Write an array to a file and return a reference to it; return other values unchanged."""
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
    """Return whether an array is entirely in a file, beginning at its own offset."""
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
    """Remove a folder if it is a job's."""
    if Path(folder).name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_over(home: Path, owner: Owner) -> None:
    """Remove the folders left by this user's killed searches on this machine."""
    for folder in home.glob(f"{PREFIX}*"):
        # Folders without a valid owner, or that others can write, are not touched.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            token = json.loads(read_private(folder, _OWNER))
            if not owner.is_alive(token, None, -1):
                remove(folder)
