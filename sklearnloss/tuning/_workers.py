"""Workers: processes that score a search's candidates beside the one that began it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import optuna
import torch
from optuna.exceptions import StorageInternalError

from ._job import FILE, Job, n_threads
from ._owner import Owner
from ._record import MAX_DEATHS, Record
from ._storage import is_url, open_storage, quiet_optuna
from ._work import Worker

STORAGE = "SKLEARNLOSS_STORAGE"  # not on the command line, where everybody sees passwords
PARENT = "SKLEARNLOSS_PARENT"
FAILED, INTERRUPTED = 3, 130

#: Seconds for a worker to let go of what it does, after which it is killed.
PATIENCE = 10.0

#: The attribute of a study that says where its job is; None once the search is over.
JOB = "job"

# Until the worker can let go of a candidate, Ctrl-C ends it without a word.
_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    f"from {__package__}._worker_main import main; main()"
)


class Pool:
    """Worker processes on this machine, one GPU each where there are several.

    Parameters
    ----------
    folder : path
        Of the job.
    storage : str
        Where the study is.
    n_workers : int
        How many.
    """

    def __init__(self, folder: str | os.PathLike[str], storage: str, n_workers: int) -> None:
        self.folder = Path(folder)
        self.storage = storage
        self.n_workers = n_workers
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.crashes = 0  # since a candidate was finished
        self.n_finished = 0

    def __enter__(self) -> Self:
        for index in range(self.n_workers):
            self._start(index)
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            for process in self.processes.values():
                if process.poll() is None:
                    _interrupt(process)  # lets its candidate go
            deadline = time.monotonic() + PATIENCE
            for process in self.processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # also after another Ctrl-C
            for process in self.processes.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def is_working(self, count_finished: Callable[[], int]) -> bool:
        """Tell whether a worker is left; start those anew that were killed.

        Parameters
        ----------
        count_finished : callable
            Returns how many candidates are finished.

        Raises
        ------
        Exception
            What a worker raised.
        RuntimeError
            If workers are killed again and again, and nothing gets finished.
        """
        for index, process in list(self.processes.items()):
            status = process.poll()
            if status is None:
                continue
            del self.processes[index]
            if status == FAILED:
                raise pickle.loads((self.folder / f"error-{index}.pkl").read_bytes())
            if status == INTERRUPTED:
                raise KeyboardInterrupt
            if status != 0:
                self._note_crash(status, count_finished())
                self._start(index)
        return bool(self.processes)

    def _note_crash(self, status: int, n_finished: int) -> None:
        if n_finished > self.n_finished:
            self.n_finished, self.crashes = n_finished, 0
        self.crashes += 1
        # Each worker may have to give up a candidate first.
        if self.crashes > (MAX_DEATHS + 1) * self.n_workers:
            raise RuntimeError(
                f"Worker processes ended {self.crashes} times (exit status {status}), and no "
                f"candidate was finished. Their own messages are above; n_jobs=1 may show more."
            )

    def _start(self, index: int) -> None:
        threads = str(n_threads(self.n_workers))
        environment = {
            **os.environ,
            STORAGE: self.storage,
            PARENT: str(os.getpid()),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            **_own_gpu(index),
        }
        self.processes[index] = subprocess.Popen(
            # -P, as the current folder is to be searched where this process does, or not at all
            [sys.executable, "-P", "-c", _BOOT, str(self.folder), str(index)],
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
    else:
        process.terminate()


def _own_gpu(index: int) -> dict[str, str]:
    """Return the setting that shows a worker one GPU of several."""
    n_gpus = torch.cuda.device_count()
    if n_gpus < 2:
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(n_gpus)))).split(",")
    return {"CUDA_VISIBLE_DEVICES": visible[index % len(visible)]}


def work(job: Job, storage: Any, index: int = 0) -> None:
    """Take part in a search until there is nothing left to begin or to take over.

    Parameters
    ----------
    job : Job
        What is searched.
    storage : str, path or optuna.storages.BaseStorage
        Where the study is.
    index : int, default=0
        Of this worker: a sampler of the user's is seeded anew in all but the first.
    """
    sampler = job.sampler
    if sampler is not None and index > 0:
        sampler.reseed_rng()
    with quiet_optuna(), Owner(job.call) as owner:
        record = Record(open_storage(storage), job.study_name, job.space, owner)
        worker = Worker(
            job.task,
            record,
            sampler=sampler,
            pruner=job.pruner,
            budget=job.budget,
            on_finish=_stop_if_over,
        )
        try:
            worker.run()
        finally:
            record.leave()


def _stop_if_over(worker: Worker) -> None:
    """End a worker whose search was ended by the user. One that was killed is finished."""
    with contextlib.suppress(StorageInternalError):
        worker.stopped = not worker.record.study.user_attrs.get(JOB)


def join_search(
    storage: str, study_name: str = "sklearnloss", *, job: str | None = None, patience: float = 60.0
) -> None:
    """Join a search that ``LossSearchCV.fit`` runs somewhere else.

    Parameters
    ----------
    storage : str
        The search's ``storage``.
    study_name : str, default="sklearnloss"
        The search's ``study_name``.
    job : str, default=None
        The folder with the data and the estimator, if this machine sees it under
        another name than the search's.
    patience : float, default=60.0
        Seconds to wait for the search to begin.

    Raises
    ------
    ValueError
        If no search began, or it takes no workers.
    """
    with quiet_optuna():
        folder = _await_job(storage, study_name, job, patience)
    work(Job.read(folder), storage, index=1)


def _await_job(storage: str, study_name: str, job: str | None, patience: float) -> str:
    """Return the folder of a search's job, as soon as there is one."""
    deadline = time.monotonic() + patience
    where: dict[str, Any] = {}
    while True:
        if is_url(storage) or os.path.exists(storage):  # opening would make a new one
            with contextlib.suppress(KeyError):
                study = optuna.load_study(study_name=study_name, storage=open_storage(storage))
                where = study.user_attrs.get(JOB) or {}
        folder = job or where.get("folder")
        if where and folder and (Path(folder) / FILE).exists():
            return str(folder)
        if time.monotonic() > deadline:
            raise ValueError(_nothing_to_join(study_name, folder if where else None, patience))
        time.sleep(0.5)


def _nothing_to_join(study_name: str, folder: str | None, patience: float) -> str:
    if folder is not None:
        return (
            f"The search named {study_name!r} keeps its data in {folder!r}, which cannot be seen "
            f"from here. Mount it under the same name, or pass its name here as job."
        )
    return (
        f"No search named {study_name!r} asks for workers there (waited {patience:g} s). Start "
        f"LossSearchCV(..., storage=..., study_name={study_name!r}).fit first, with a database as "
        f"storage or n_jobs of 2 or more."
    )
