"""A fold that is trained and scored on a worker of a cluster."""

from __future__ import annotations

import os
import pickle
import socket
import threading
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import numpy as np
import torch
from sklearn.base import is_classifier

from ..._version import __version__
from ...losses._core import names as _losses
from ...networks import _registry as _networks
from .._evaluation.outcome import Outcome, attempt
from .._workers.engine import is_cancelled
from .._workers.errors import pickled_error
from .candidate import CandidateState
from .evaluate import Evaluation, Task


class FoldCancelled(BaseException):
    """The search has ended, so nobody needs the fold.

    Derives from ``BaseException`` so that it is not mistaken for a failure of the candidate.
    """


@dataclass
class FoldRecord:
    """What a worker sends back.

    Parameters
    ----------
    n_epochs : int
        Number of trained epochs.
    reports : list of [int, float]
        The steps at which scores would have been reported, with the scores of this fold.
    result : dict or None
        The fold, as in :class:`~sklearnloss.tuning._search.candidate.CandidateState`.
    error : bytes or None
        The pickled exception, if the fit failed.
    version : str
        The worker's version of this package.
    """

    n_epochs: int
    reports: list[list[Any]]
    result: dict[str, Any] | None
    error: bytes | None
    version: str = __version__

    def get(self) -> dict[str, Any]:
        """Return the fold, or raise the error of its fit."""
        if self.error is not None:
            raise pickle.loads(self.error)
        assert self.result is not None
        return self.result


class SharedTask:
    """A task as it is sent to workers: read only when a fold needs it, once per worker.

    Parameters
    ----------
    task : Task
        Defines how a candidate is scored. Relative paths of files become absolute ones.

    Raises
    ------
    Exception
        If a part of it cannot be pickled.
    """

    def __init__(self, task: Task) -> None:
        files = _is_of_files(task.X), not is_classifier(task.estimator) and _is_of_files(task.y)
        X, y = (
            [os.path.abspath(item) for item in items] if has_files else items
            for items, has_files in zip((task.X, task.y), files, strict=True)
        )
        task = replace(task, X=X, y=y, tasks=None, remote=None)
        self.files = [*(X if files[0] else ()), *(y if files[1] else ())]
        registered = _losses.USER_LOSSES, _losses.USER_SPACES, _networks.USER_NETWORKS
        buffers: list[pickle.PickleBuffer] = []
        self.content = cloudpickle.dumps(
            (task, registered), protocol=5, buffer_callback=buffers.append
        )
        # Arrays, which are not copied.
        self.buffers = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._task: Task | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files, "content": self.content, "buffers": self.buffers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def open(self) -> Task:
        """Return the task, after the losses and networks that the user registered are known.

        Raises
        ------
        FileNotFoundError
            If a file cannot be seen from this worker.
        """
        with self._lock:
            if self._task is None:
                self._check_files()
                self._task, registered = pickle.loads(self.content, buffers=self.buffers)
                known: Any = _losses.USER_LOSSES, _losses.USER_SPACES, _networks.USER_NETWORKS
                for names, added in zip(known, registered, strict=True):
                    names.update(added)
            return self._task

    def _check_files(self) -> None:
        missing = [path for path in self.files if not os.path.exists(path)]
        if missing:
            more = f", nor {len(missing) - 1} others" if len(missing) > 1 else ""
            raise FileNotFoundError(
                f"{missing[0]!r} cannot be seen from the worker on {socket.gethostname()}{more}. "
                f"All workers of a cluster read files by the same paths: put them into a shared "
                f"folder, or pass arrays, which are sent to the workers."
            )


def _is_of_files(items: Any) -> bool:
    """Return whether data are a list of files that exist."""
    return (
        isinstance(items, list | tuple)
        and len(items) > 0
        and all(isinstance(item, str | os.PathLike) for item in items)
        and all(map(os.path.exists, items))
    )


def fit_fold(shared: SharedTask, params: bytes, number: int, watch: bool) -> FoldRecord:
    """Train and score a fold of a candidate; a cluster runs this function.

    Parameters
    ----------
    shared : SharedTask
        The task.
    params : bytes
        The pickled parameters of the candidate.
    number : int
        Number of the fold.
    watch : bool
        Whether each epoch is scored.

    Returns
    -------
    record : FoldRecord
        Also after an exception in the fit.

    Raises
    ------
    Exception
        If the task cannot be read on this worker, for which no candidate is to blame.
    """
    task, state = shared.open(), CandidateState()
    evaluation = Evaluation(task, pickle.loads(params), state, _go_on, _save_nothing, watch=watch)
    errors: list[bytes] = []

    def note(outcome: Outcome, error: Exception) -> None:
        errors.append(pickled_error(error))

    with _threads:
        result = attempt(lambda: evaluation.fit_fold(number), note)
    return FoldRecord(state.epochs, state.reports, result, errors[0] if errors else None)


def _go_on(step: int, score: float) -> bool:
    """Stop no candidate: the process of the search does that, between folds."""
    if is_cancelled():
        raise FoldCancelled
    return False


def _save_nothing() -> None:
    pass


class _Threads:
    """Sets torch's number of threads while any fold is trained in this process.

    It is what OMP_NUM_THREADS allows, which Dask and Ray set for their workers, or one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_folds = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._n_folds == 0:
                self._before = torch.get_num_threads()
                allowed = os.environ.get("OMP_NUM_THREADS", "")
                torch.set_num_threads(max(1, int(allowed)) if allowed.isdecimal() else 1)
            self._n_folds += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._n_folds -= 1
            if self._n_folds == 0:
                torch.set_num_threads(self._before)


_threads = _Threads()
