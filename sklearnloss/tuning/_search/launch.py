"""Running a search: in this process, or by several."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from .._evaluation.interrupts import noting_interrupts
from .._workers.address import as_address
from .._workers.pool import Pool, count_workers
from .._workers.retries import StorageError
from . import worker_process as _worker_main
from .evaluate import Task
from .job import PREFIX, Job, remove, remove_left_over, sign
from .join import JOB
from .progress import Follower
from .store import Record
from .worker import Budget, Worker

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
        If the user ended the search, or the system did with SIGTERM.

    Raises
    ------
    StorageError
        If the storage was lost.
    """
    name, call = record.study.study_name, record.owner.token["call"]
    job = Job(task, record.space, name, search.sampler, search.pruner, budget, call)
    try:
        with noting_interrupts():
            _score_candidates(search, job, record)
    except KeyboardInterrupt as interrupt:
        return interrupt
    finally:
        with contextlib.suppress(StorageError):  # what is left over is taken over later
            record.leave()
    return None


def _score_candidates(search: Any, job: Job, record: Record) -> None:
    """Score candidates in this process, and in others if there are to be any."""
    budget, n_workers = job.budget, count_workers(search.n_jobs)
    is_done = _is_done(record, budget)
    home = None if is_done else _home(record.address, n_workers)
    with Follower(search, record) as follower, _published(job, record, home) as (folder, digest):
        worker = Worker(
            job.task,
            record,
            sampler=search.sampler,
            pruner=search.pruner,
            budget=budget,
            on_finish=follower.look,
        )
        if n_workers > 1 and not is_done:
            address = _reveal(record.address)
            with Pool(folder, address, n_workers, digest, _worker_main.__name__) as pool:
                while pool.is_working(lambda: _n_finished(record)) and not worker.stopped:
                    follower.look(worker)
                    time.sleep(0.2)
            follower.look(worker)
        worker.wait()


def _reveal(address: Any) -> str:
    """Return a storage's address or path as it is told to a worker of this machine."""
    known = as_address(address)
    return str(address) if known is None else known.reveal()


def _is_done(record: Record, budget: Budget) -> bool:
    rows = record.rows()
    return budget.is_spent(rows, record.owner.token["call"]) and all(
        row.is_finished for row in rows
    )


def _n_finished(record: Record) -> int:
    """Return how many folds and candidates are finished."""
    return sum(row.is_finished + len(row.results.folds) for row in record.rows())


@contextlib.contextmanager
def _published(job: Job, record: Record, home: Path | None) -> Iterator[tuple[Path, str]]:
    """Write the job where workers find it, if there may be any; yield where, and its digest."""
    if home is None:
        yield Path(), ""
        return
    remove_left_over(home, record.owner)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    try:
        sign(folder, record.owner)
        digest = job.write(folder)
        record.study.set_user_attr(JOB, {"folder": str(folder)})
        yield folder, digest
    finally:
        remove(folder)
        with contextlib.suppress(StorageError):
            if record.study.user_attrs.get(JOB) == {"folder": str(folder)}:
                record.study.set_user_attr(JOB, None)  # workers on other machines end


def _home(address: Any, n_workers: int) -> Path | None:
    """Return the folder for folders of jobs: one that other machines may see, where they join."""
    database = as_address(address)
    if database is not None and database.system != "sqlite":
        default = Path.home() / ".cache" / "sklearnloss" / "jobs"
        return Path(os.environ.get(SHARED) or default)
    if n_workers == 1:
        return None
    if address is None or database is not None:
        return Path(os.environ.get(SHARED) or tempfile.gettempdir())
    return Path(address).absolute().parent


@contextlib.contextmanager
def shared_storage(storage: Any, n_jobs: int | None) -> Iterator[Any]:
    """Yield a storage that all processes of a search can use.

    Raises
    ------
    ValueError
        If the storage is for one process: a database in memory, or an object of Optuna's.
    """
    address = as_address(storage)
    if count_workers(n_jobs) == 1:
        yield storage
    elif address is not None and address.file() == "":
        raise ValueError(
            f"n_jobs={n_jobs} processes cannot share storage={storage!r}, which is in the memory "
            f"of one. Pass the path of a file, or None."
        )
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
