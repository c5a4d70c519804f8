"""Running a search in this process, or in several."""

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
from .._workers.engine import active_engine
from .._workers.pool import Pool, count_workers
from .._workers.retries import StorageError
from . import worker_process
from .cluster import ClusterWorker
from .cv_results import (
    all_failed,
    has_complete,
    untried,
    warn_of_failures,
    warn_of_scores,
    warn_of_too_few_trials,
    warn_of_unfinished,
    warn_of_untried,
)
from .evaluate import Task
from .fitted_attributes import finished_rows, set_known_results, set_results
from .job import PREFIX, Job, remove, remove_left_over, sign
from .join import JOB
from .longer_search import is_longer
from .progress import ProgressReporter
from .store import CandidateStore
from .verdict import set_verdict
from .worker import Budget, Worker

#: The environment variable with the folder for jobs, which other machines must see, too.
SHARED = "SKLEARNLOSS_JOBS"


def search_candidates(
    search: Any, task: Task, store: CandidateStore, budget: Budget
) -> KeyboardInterrupt | None:
    """Score candidates and set the fitted attributes, even if an error is raised.

    The parameters and the result are those of :func:`run_search`.
    """
    planned = untried(store.rows(), store.space, search.n_trials)
    if not is_longer(store.study):  # the shorter search has tried them
        warn_of_too_few_trials(planned, search.n_trials, store.space)
    try:
        interrupt = run_search(search, task, store, budget)
        rows = finished_rows(store)
    except BaseException as error:
        store.is_lost |= isinstance(error, StorageError)  # use the rows that it has in memory
        set_known_results(search, store, error)
        raise
    set_results(search, rows, store)
    set_verdict(search, rows, task, store.space)
    members = [row for row in rows if row.is_in_space]
    if has_complete(rows):
        warn_of_failures(members)
        warn_of_scores(members, search.cv_results_)
    elif members and interrupt is None:
        if not hasattr(search, "best_params_"):
            raise ValueError(all_failed(members))
        if search._watch is None:
            warn_of_unfinished(len(rows[search.best_index_].results.folds), search.n_splits_)
    left = untried(members, store.space)
    if interrupt is None and set(left) > set(planned):
        warn_of_untried(left, search.timeout, store.space)
    return interrupt


def run_search(
    search: Any, task: Task, store: CandidateStore, budget: Budget
) -> KeyboardInterrupt | None:
    """Score candidates until there are enough.

    Parameters
    ----------
    search : LossSearchCV
        Its sampler, pruner, callbacks and workers are used.
    task : Task
        Defines how a candidate is scored.
    store : CandidateStore
        The candidates.
    budget : Budget
        Defines when to end.

    Returns
    -------
    interrupt : KeyboardInterrupt or None
        The interrupt, if the user ended the search, or the system did with SIGTERM.

    Raises
    ------
    StorageError
        If the storage was lost.
    """
    name, call = store.study.study_name, store.owner.token["call"]
    job = Job(task, store.space, name, search.sampler, search.pruner, budget, call)
    try:
        with noting_interrupts():
            _score_candidates(search, job, store)
    except KeyboardInterrupt as interrupt:
        return interrupt
    finally:
        with contextlib.suppress(StorageError):  # unreleased candidates are taken over later
            store.release_all()
    return None


def _score_candidates(search: Any, job: Job, store: CandidateStore) -> None:
    """Score candidates in this process, in worker processes, or on a cluster."""
    cluster = active_engine()
    if cluster is not None and job.task.models is not None:
        raise ValueError(
            "refit='ensemble' keeps the models of all folds in a folder, which the workers of a "
            "cluster do not have. Search outside of joblib.parallel_config, or with refit=True."
        )
    budget, n_workers = job.budget, 1 if cluster else count_workers(search.n_jobs)
    known = {"sampler": search.sampler, "pruner": search.pruner, "budget": budget}
    worker = Worker(job.task, store, watch=search._watch, **known)
    is_done = worker.is_done()
    home = None if is_done else _home(store.address, n_workers)
    with (
        ProgressReporter(search, store) as reporter,
        _published(job, store, home) as (folder, digest),
    ):
        if cluster is not None and not is_done:
            engine, n_jobs = cluster
            n_at_once = _n_at_once(search.n_jobs, n_jobs)
            worker = ClusterWorker(engine, n_at_once, job, store, watch=search._watch)
        worker.on_finish = reporter.report
        if n_workers > 1 and not is_done:
            address = _reveal(store.address)
            with Pool(folder, address, n_workers, digest, worker_process.__name__) as pool:
                while pool.is_working(lambda: _n_finished(store)) and not worker.stopped:
                    reporter.report(worker)
                    if worker.is_closing:
                        break
                    time.sleep(0.2)
            reporter.report(worker)
        worker.wait()


def _n_at_once(n_jobs: int | None, of_context: int | None) -> int | None:
    """Return how many candidates to work on at once; None is as many as the cluster can train.

    The default of a search, n_jobs=1, leaves it to ``joblib.parallel_config``.
    """
    for given in (n_jobs if n_jobs != 1 else None, of_context):
        if given is not None and given > 0:
            return given
    return None


def _reveal(address: Any) -> str:
    """Return a storage's address or path, with the password, for a worker on this machine."""
    known = as_address(address)
    return str(address) if known is None else known.reveal()


def _n_finished(store: CandidateStore) -> int:
    """Return the number of finished folds and candidates."""
    return sum(row.is_finished + len(row.results.folds) for row in store.rows())


@contextlib.contextmanager
def _published(job: Job, store: CandidateStore, home: Path | None) -> Iterator[tuple[Path, str]]:
    """Write the job for workers, if there may be any; yield its folder and its digest."""
    if home is None:
        yield Path(), ""
        return
    remove_left_over(home, store.owner)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    try:
        sign(folder, store.owner)
        digest = job.write(folder)
        store.study.set_user_attr(JOB, {"folder": str(folder)})
        yield folder, digest
    finally:
        remove(folder)
        with contextlib.suppress(StorageError):
            if store.study.user_attrs.get(JOB) == {"folder": str(folder)}:
                store.study.set_user_attr(JOB, None)  # workers on other machines end


def _home(address: Any, n_workers: int) -> Path | None:
    """Return the parent of job folders; for a database, one that other machines may see."""
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
        If processes cannot share it: a database in memory, or an Optuna storage object. On a
        cluster only this process uses it, which excludes only a database in memory.
    """
    address = as_address(storage)
    is_in_memory = address is not None and address.file() == ""
    on_cluster = active_engine() is not None
    if on_cluster and is_in_memory:
        raise ValueError(
            f"storage={storage!r} is in the memory of a single thread, but a search on a cluster "
            f"has several. Pass the path of a file, or None."
        )
    if count_workers(n_jobs) == 1 or on_cluster:
        yield storage
    elif is_in_memory:
        raise ValueError(
            f"n_jobs={n_jobs} processes cannot share storage={storage!r}, which is in the memory "
            f"of a single process. Pass the path of a file, or None."
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
