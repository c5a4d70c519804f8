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
from ._job import Job, remove
from ._objective import Task
from ._record import Record
from ._storage import is_url
from ._work import Budget, Worker
from ._workers import Pool

#: Where jobs for other machines are, which must see the same folder.
_SHARED = "SKLEARNLOSS_JOBS"


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
    name = record.study.study_name
    job = Job(task, record.space, name, search.sampler, search.pruner, budget)
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
            if n_workers > 1:
                with Pool(folder, str(record.address), n_workers) as pool:
                    while pool.is_working() and not worker.stopped:
                        follower.look(worker)
                        time.sleep(0.2)
                follower.look(worker)
            worker.wait()
    except KeyboardInterrupt as interrupt:
        return interrupt
    return None


def count_workers(n_jobs: int | None) -> int:
    """Return the number of processes; -1 is one per GPU, or per core where there is none."""
    n_gpus = torch.cuda.device_count()
    if n_jobs == -1 and n_gpus:
        return n_gpus
    return int(joblib.effective_n_jobs(n_jobs))


@contextlib.contextmanager
def _published(job: Job, record: Record, n_workers: int) -> Iterator[Path]:
    """Write the job where workers find it, if there may be any."""
    address = record.address
    shared = is_url(address) and not str(address).startswith("sqlite")
    if n_workers == 1 and not shared:
        yield Path()
        return
    if address is None or is_url(address):
        home = os.environ.get(_SHARED)
        if home is None and shared:
            home = str(Path.home() / ".cache" / "sklearnloss" / "jobs")
        if home is not None:
            Path(home).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="sklearnloss-", dir=home))
    else:
        folder = Path(f"{os.path.abspath(address)}.job")
    try:
        job.write(folder)
        record.study.set_user_attr("job", str(folder))
        yield folder
    finally:
        remove(folder)


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
