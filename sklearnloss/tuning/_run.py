"""Running a search: in this process, or by several."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import torch
from optuna.storages import BaseStorage

from ._follow import Follower
from ._job import PREFIX, Job, remove
from ._objective import Task
from ._record import Record
from ._storage import is_url
from ._work import Budget, Worker
from ._workers import JOB, Pool

#: Names the folder for jobs, which other machines must see under the same name.
SHARED = "SKLEARNLOSS_JOBS"


def run_search(search: Any, task: Task, record: Record, budget: Budget) -> KeyboardInterrupt | None:
    """Score candidates until there are enough.

    Parameters
    ----------
    search : LossSearchCV
        Whose sampler, pruner, callbacks and workers are used.
    task : Task
        How a candidate is scored.
    record : Record
        Where candidates are kept.
    budget : Budget
        When to end.

    Returns
    -------
    interrupt : KeyboardInterrupt or None
        If the user ended the search.
    """
    name, call = record.study.study_name, record.owner.token["call"]
    job = Job(task, record.space, name, search.sampler, search.pruner, budget, call)
    n_workers = count_workers(search.n_jobs)
    try:
        with Follower(search, record) as follower, _published(job, record, n_workers) as folder:
            worker = Worker(
                task,
                record,
                sampler=search.sampler,
                pruner=search.pruner,
                budget=budget,
                on_finish=follower.look,
            )
            if n_workers > 1 and not _is_done(record, budget):
                with Pool(folder, str(record.address), n_workers) as pool:
                    while pool.is_working(lambda: _n_finished(record)) and not worker.stopped:
                        follower.look(worker)
                        time.sleep(0.2)
                follower.look(worker)
            worker.wait()
    except KeyboardInterrupt as interrupt:
        return interrupt
    finally:
        record.leave()
    return None


def _is_done(record: Record, budget: Budget) -> bool:
    rows = record.rows()
    return budget.is_spent(rows, record.owner.token["call"]) and all(
        row.is_finished for row in rows
    )


def _n_finished(record: Record) -> int:
    return sum(row.is_finished for row in record.rows())


def count_workers(n_jobs: int | None) -> int:
    """Return the number of processes; -1 is one per GPU, or per core where there is none."""
    n_gpus = torch.cuda.device_count()
    if n_jobs == -1 and n_gpus:
        return n_gpus
    return int(joblib.effective_n_jobs(n_jobs))


@contextlib.contextmanager
def _published(job: Job, record: Record, n_workers: int) -> Iterator[Path]:
    """Write the job where workers find it, if there may be any."""
    home = _home(record.address, n_workers)
    if home is None:
        yield Path()
        return
    _remove_left_over(record)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    try:
        job.write(folder)
        token = record.owner.token
        record.study.set_user_attr(JOB, {"folder": str(folder), "owner": token})
        yield folder
    finally:
        remove(folder)
        if (record.study.user_attrs.get(JOB) or {}).get("folder") == str(folder):
            record.study.set_user_attr(JOB, None)  # workers on other machines end


def _home(address: Any, n_workers: int) -> Path | None:
    """Return the folder for folders of jobs: one that other machines may see, where they join."""
    on_server = is_url(address) and not address.startswith("sqlite")
    if on_server:
        default = Path.home() / ".cache" / "sklearnloss" / "jobs"
        return Path(os.environ.get(SHARED) or default)
    if n_workers == 1:
        return None
    if address is None or is_url(address):
        return Path(os.environ.get(SHARED) or tempfile.gettempdir())
    return Path(address).absolute().parent


def _remove_left_over(record: Record) -> None:
    """Remove the data of a search that was killed, as far as it was one of this machine."""
    job = record.study.user_attrs.get(JOB)
    if job and not record.owner.is_alive(job["owner"], None, -1):
        remove(job["folder"])


@contextlib.contextmanager
def shared_storage(storage: Any, n_jobs: int | None) -> Iterator[Any]:
    """Yield a storage that all processes of a search can use.

    Raises
    ------
    ValueError
        If one of Optuna's storages was given as an object, and it is for one process.
    """
    if count_workers(n_jobs) == 1:
        yield storage
    elif storage is None:
        with tempfile.TemporaryDirectory(prefix="sklearnloss-") as folder:
            yield Path(folder) / "search.journal"
    elif isinstance(storage, BaseStorage):
        raise ValueError(
            f"n_jobs={n_jobs} processes cannot share storage={type(storage).__name__}(...). Pass "
            f"its path or address, or n_jobs=1."
        )
    else:
        yield storage
