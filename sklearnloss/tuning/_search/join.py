"""Joining a search that another process began."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage

from .._workers.address import hide_password
from .._workers.liveness import Owner
from .._workers.retries import StorageError
from .._workers.storage import opened_storage, quiet_optuna, storage_exists
from .job import FILE, Job
from .store import CandidateStore
from .worker import Worker

#: The attribute of a study with the folder of its job; None once the search is over.
JOB = "job"


def work(job: Job, storage: Any, index: int = 0) -> None:
    """Take part in a search until there is nothing left to begin or to take over.

    Parameters
    ----------
    job : Job
        The search.
    storage : str, path or optuna.storages.BaseStorage
        The storage of the study.
    index : int, default=0
        Number of this worker. All but the first reseed the user's sampler.
    """
    sampler = job.sampler
    if sampler is not None and index > 0:
        sampler.reseed_rng()
    with (
        quiet_optuna(),
        Owner(job.call) as owner,
        opened_storage(storage, patient=True) as opened,
    ):
        store = CandidateStore(opened, job.study_name, job.space, owner)
        worker = Worker(
            job.task,
            store,
            sampler=job.sampler,
            pruner=job.pruner,
            budget=job.budget,
            on_finish=_stop_if_over,
        )
        try:
            worker.run()
        finally:
            with contextlib.suppress(StorageError):  # others notice that this process ended
                store.release_all()


def _stop_if_over(worker: Worker) -> None:
    """Stop a worker if the user ended its search. A search that was killed is still finished."""
    with contextlib.suppress(StorageError), worker.store.without_retries():
        worker.stopped = not worker.store.study.user_attrs.get(JOB)


def join_search(
    storage: str, study_name: str = "sklearnloss", *, job: str | None = None, patience: float = 60.0
) -> None:
    """Join a search that ``LossSearchCV.fit`` runs in another process or on another machine.

    Parameters
    ----------
    storage : str
        The search's ``storage``.
    study_name : str, default="sklearnloss"
        The search's ``study_name``.
    job : str, default=None
        The folder with the data and the estimator, if it has a different path on this
        machine. It holds a pickle, and anyone who can write it can run code here.
        Therefore, by default, the folder is read only if it belongs to this user and
        nobody else can write it.
    patience : float, default=60.0
        Seconds to wait for the search to begin.

    Raises
    ------
    ValueError
        If no search began, or if it does not accept workers.
    PermissionError
        If others could have written to the folder.
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
            if opened is None and storage_exists(storage):  # opening would create one
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
    """Return the folder that a study names for its job; None if it has none."""
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
            f"from here. Mount it at the same path, or pass its path here as job."
        )
    return (
        f"No search named {study_name!r} accepts workers in {hide_password(str(storage))!r} "
        f"(waited {patience:g} s). Start LossSearchCV(..., storage=..., "
        f"study_name={study_name!r}).fit first, with a database as storage or n_jobs of 2 or more."
    )
