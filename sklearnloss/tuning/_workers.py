"""Workers: processes that score a search's candidates beside the one that began it."""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import optuna
import torch
from optuna.storages import BaseStorage

from ._address import hide_password
from ._deaths import MAX_DEATHS
from ._job import FILE, Job, n_threads
from ._owner import Owner
from ._patience import StorageError
from ._private import unseal
from ._record import Record
from ._storage import opened_storage, quiet_optuna, storage_exists
from ._work import Worker

# Not on the command line, where everybody sees them.
STORAGE = "SKLEARNLOSS_STORAGE"
PARENT, DIGEST, KEY = "SKLEARNLOSS_PARENT", "SKLEARNLOSS_DIGEST", "SKLEARNLOSS_KEY"

#: Exit statuses of a worker: after an error, which is in a file, after Ctrl-C and SIGTERM.
FAILED, INTERRUPTED, TERMINATED = 3, 130, 143

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
    digest : str
        Of the job, see :meth:`~._job.Job.write`.
    """

    def __init__(
        self, folder: str | os.PathLike[str], storage: str, n_workers: int, digest: str
    ) -> None:
        self.folder = Path(folder)
        self.storage = storage
        self.n_workers = n_workers
        self.digest = digest
        self.key = secrets.token_hex()
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.crashes = 0  # since something was finished
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
            Returns how many folds and candidates are finished.

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
                self._raise_error(index)
            if status == INTERRUPTED:
                raise KeyboardInterrupt
            if status != 0:
                self._note_crash(status, count_finished())
                self._start(index)
        return bool(self.processes)

    def _raise_error(self, index: int) -> None:
        """Raise what a worker wrote down, if it did."""
        with contextlib.suppress(FileNotFoundError):  # a user's code may exit with any status
            sealed = (self.folder / error_file(index)).read_bytes()
            raise pickle.loads(unseal(sealed, self.key))

    def _note_crash(self, status: int, n_finished: int) -> None:
        if n_finished > self.n_finished:
            self.n_finished, self.crashes = n_finished, 0
        self.crashes += 1
        # Each worker may have to give up a candidate first.
        if self.crashes > (MAX_DEATHS + 1) * self.n_workers:
            raise RuntimeError(
                f"Worker processes ended {self.crashes} times (exit status {status}), and no "
                f"fold was finished. Their own messages are above; n_jobs=1 may show more."
            )

    def _start(self, index: int) -> None:
        threads = str(n_threads(self.n_workers))
        environment = {
            **os.environ,
            STORAGE: self.storage,
            PARENT: str(os.getpid()),
            DIGEST: self.digest,
            KEY: self.key,
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


def error_file(index: int) -> str:
    """Return the name of the file in a job's folder in which a worker leaves its error."""
    return f"error-{index}.pkl"


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
    with (
        quiet_optuna(),
        Owner(job.call) as owner,
        opened_storage(storage, patient=True) as opened,
    ):
        record = Record(opened, job.study_name, job.space, owner)
        worker = Worker(
            job.task,
            record,
            sampler=job.sampler,
            pruner=job.pruner,
            budget=job.budget,
            on_finish=_stop_if_over,
        )
        try:
            worker.run()
        finally:
            with contextlib.suppress(StorageError):  # others see that this process ended
                record.leave()


def _stop_if_over(worker: Worker) -> None:
    """End a worker whose search was ended by the user. One that was killed is finished."""
    with contextlib.suppress(StorageError), worker.record.without_retries():
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
        another name than the search's. It holds a pickle, and who can write it can run
        code here: without this name, only a folder is read that belongs to this user
        and that nobody else can write.
    patience : float, default=60.0
        Seconds to wait for the search to begin.

    Raises
    ------
    ValueError
        If no search began, or it takes no workers.
    PermissionError
        If others could have written the folder.
    """
    with quiet_optuna():
        folder = _await_job(storage, study_name, job, patience)
    work(Job.read(folder, trusted=job is not None), storage, index=1)


def _await_job(storage: str, study_name: str, job: str | None, patience: float) -> str:
    """Return the folder of a search's job, as soon as there is one."""
    deadline = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        opened: BaseStorage | None = None
        while True:
            if opened is None and storage_exists(storage):  # opening would make a new one
                opened = stack.enter_context(opened_storage(storage))
            known = None if opened is None else _job_folder(opened, study_name)
            folder = job or known
            if known and folder and (Path(folder) / FILE).exists():
                return folder
            if time.monotonic() > deadline:
                missing = folder if known else None
                raise ValueError(_nothing_to_join(storage, study_name, missing, patience))
            time.sleep(0.5)


def _job_folder(storage: BaseStorage, study_name: str) -> str | None:
    """Return the folder of which a study says that its job is in; None if it has none."""
    try:
        study = optuna.load_study(study_name=study_name, storage=storage)
    except KeyError:
        return None
    job = study.user_attrs.get(JOB)
    if job is None:
        return None
    folder = job.get("folder") if isinstance(job, dict) else None
    if not isinstance(folder, str):
        raise ValueError(
            f"The study {study_name!r} was not written by LossSearchCV, or is damaged: its "
            f"attribute {JOB!r} is {repr(job)[:60]}."
        )
    return folder


def _nothing_to_join(storage: str, study_name: str, folder: str | None, patience: float) -> str:
    if folder is not None:
        return (
            f"The search named {study_name!r} keeps its data in {folder!r}, which cannot be seen "
            f"from here. Mount it under the same name, or pass its name here as job."
        )
    return (
        f"No search named {study_name!r} asks for workers in {hide_password(str(storage))!r} "
        f"(waited {patience:g} s). Start LossSearchCV(..., storage=..., "
        f"study_name={study_name!r}).fit first, with a database as storage or n_jobs of 2 or more."
    )
