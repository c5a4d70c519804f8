"""Workers: processes that score a search's candidates beside the one that began it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import optuna
import torch

from ._job import Job, n_threads
from ._owner import Owner
from ._record import Record
from ._storage import open_storage, quiet_optuna
from ._work import Worker

STORAGE = "SKLEARNLOSS_STORAGE"  # not on the command line, where everybody sees passwords
PARENT = "SKLEARNLOSS_PARENT"
FAILED, INTERRUPTED = 3, 130


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
        self.crashes = 0

    def __enter__(self) -> Self:
        for index in range(self.n_workers):
            self._start(index)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # lets its candidate go
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def is_working(self) -> bool:
        """Tell whether a worker is left; start those anew that were killed.

        Raises
        ------
        Exception
            What a worker raised.
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
            if status != 0 and self.crashes < 3 * self.n_workers:
                self.crashes += 1
                self._start(index)
        return bool(self.processes)

    def _start(self, index: int) -> None:
        threads = str(n_threads(self.n_workers))
        environment = {
            **os.environ,
            STORAGE: self.storage,
            PARENT: str(os.getpid()),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **_own_gpu(index),
        }
        self.processes[index] = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}._worker_main", str(self.folder), str(index)],
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )


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
    with quiet_optuna(), Owner() as owner:
        record = Record(open_storage(storage), job.study_name, job.space, owner)
        worker = Worker(job.task, record, sampler=sampler, pruner=job.pruner, budget=job.budget)
        worker.run()


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
        folder = _await_job(open_storage(storage), study_name, job, patience)
    work(Job.read(folder), storage, index=1)


def _await_job(storage: Any, study_name: str, job: str | None, patience: float) -> str:
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(KeyError):
            study = optuna.load_study(study_name=study_name, storage=storage)
            folder = job or study.user_attrs.get("job")
            if folder and (Path(folder) / "job.pkl").exists():
                return str(folder)
        if time.monotonic() > deadline:
            raise ValueError(
                f"No search named {study_name!r} asks for workers there (waited {patience:g} s). "
                f"Start LossSearchCV(..., storage=..., study_name={study_name!r}).fit first, with "
                f"n_jobs of 2 or more or a database as storage; its folder of data must be visible "
                f"here, or be passed as job."
            )
        time.sleep(0.5)
