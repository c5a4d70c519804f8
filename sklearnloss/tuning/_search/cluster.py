"""A worker whose candidates are trained on a cluster, several at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import cloudpickle

from ..._version import __version__
from .._evaluation.interrupts import noting_interrupts
from .._evaluation.outcome import Crashed
from .._workers.engine import Engine, ResultLost, WorkersDied
from .._workers.pool import MAX_DEATHS, PATIENCE
from .attempts import RunningCandidate
from .intermediate_results import IntermediateResults
from .job import Job, unpicklable
from .remote_fold import FoldRecord, SharedTask, fit_fold
from .worker import Worker

#: Seconds between two looks at the size of the cluster.
_SECONDS_BETWEEN_LOOKS = 2.0


class ClusterWorker(Worker):
    """Works on several candidates at once, whose folds are trained on a cluster.

    Each candidate has a thread in this process, which does all that a worker does, except
    for training. Only one of the threads runs at any time, the others wait for their folds:
    the storage, the sampler and the pruner are used as if there was a single thread.
    Progress is reported by the main thread.

    Parameters
    ----------
    engine : Engine
        The cluster.
    n_jobs : int or None
        Number of candidates at once; None is as many as the cluster can train.
    job : Job
        The search.
    store : CandidateStore
        The candidates.
    **options
        Other arguments of :class:`~sklearnloss.tuning._search.worker.Worker`.
    """

    def __init__(
        self, engine: Engine, n_jobs: int | None, job: Job, store: Any, **options: Any
    ) -> None:
        task = replace(job.task, tasks=None, remote=self._fit_elsewhere)
        super().__init__(
            task, store, sampler=job.sampler, pruner=job.pruner, budget=job.budget, **options
        )
        self.engine = engine
        self.n_jobs = n_jobs
        self._job = job
        self._main = threading.current_thread()
        self._turn = threading.Condition(threading.Lock())  # held by the thread that runs
        self._n_running = 0
        self._n_unreported = 0
        self._is_ending = False
        self._error: BaseException | None = None
        self._n_alone = 0
        self._shared: Any = None
        self._calls: list[Any] = []

    def run(self) -> None:
        """Work until there is nothing left to begin or to take over."""
        with noting_interrupts(), self.engine.waiting(), self._turn:
            self._is_ending, self._error = False, None
            try:
                self._run_threads()
            finally:
                self._end_threads()
        if self._error is not None:
            raise self._error

    def _run_threads(self) -> None:
        """Start threads, also when the cluster grows, and report progress until all end."""
        looked, n_threads = time.monotonic(), 0
        wanted = self._n_at_once()
        while n_threads < wanted or self._n_running:
            for _ in range(n_threads, wanted):
                n_threads += 1
                self._n_running += 1
                threading.Thread(target=self._run_thread, daemon=True).start()
            self._turn.wait(_SECONDS_BETWEEN_LOOKS)
            if self._n_unreported:
                self._n_unreported = 0
                super()._tell()
                self._turn.notify_all()
            if self.stopped or self._error is not None:
                return
            if time.monotonic() - looked > _SECONDS_BETWEEN_LOOKS:
                looked, wanted = time.monotonic(), max(n_threads, self._n_at_once())

    def _n_at_once(self) -> int:
        return self.engine.n_slots() if self.n_jobs is None else self.n_jobs

    def _run_thread(self) -> None:
        """Work on one candidate after another."""
        with self._turn:
            try:
                if not self._is_ending:
                    self._run()
            except BaseException as error:
                if self._error is None and not self._is_ending:
                    self._error = error
            finally:
                remove_session = getattr(self.store.storage, "remove_session", None)
                if remove_session is not None:
                    remove_session()
                self._n_running -= 1
                self._turn.notify_all()

    def _tell(self) -> None:
        """Report progress: from a thread, wait until the main thread has done so."""
        if threading.current_thread() is self._main:
            super()._tell()
            return
        self._n_unreported += 1
        self._turn.notify_all()
        while self._n_unreported and not self._is_ending:
            self._turn.wait()

    def _end_threads(self) -> None:
        """Cancel what the cluster still trains, and let the threads release their candidates."""
        self._is_ending = True
        if self._calls:
            self.engine.cancel(self._calls)
        self._turn.notify_all()
        deadline = time.monotonic() + PATIENCE
        while self._n_running and time.monotonic() < deadline:
            self._turn.wait(0.1)

    def _fit_elsewhere(self, params: Mapping[str, Any], number: int, watch: bool) -> FoldRecord:
        """Train and score a fold on the cluster, while other threads run.

        Raises
        ------
        Crashed
            If several processes ended that trained it.
        KeyboardInterrupt
            If the search ends, possibly with an error that is no fault of the candidate.
        """
        try:
            return self._train(params, number, watch)
        except Crashed:
            raise
        except Exception as error:
            if self._error is None:
                self._error = error
            raise KeyboardInterrupt from error  # releases the candidate

    def _train(self, params: Mapping[str, Any], number: int, watch: bool) -> FoldRecord:
        """Train and score a fold, again and alone if the last worker with the data died."""
        content = cloudpickle.dumps(dict(params))
        for attempt in range(MAX_DEATHS):
            with self._room(alone=attempt > 0):
                shared = self._share()
                try:
                    record = self._await(fit_fold, shared, content, number, watch)
                except WorkersDied as error:
                    raise _crashed(f"{error.deaths} times") from error
                except ResultLost:
                    if self._shared is shared:
                        self._shared = None
                    continue
            if record.version != __version__:
                raise _unusable(f"they have its version {record.version}, not {__version__}")
            return record
        raise _crashed(f"at least {MAX_DEATHS} times")

    @contextlib.contextmanager
    def _room(self, *, alone: bool) -> Iterator[None]:
        """Wait until a fold may be begun: if it must be alone, when no other is trained.

        A fold that ends all processes takes away the data of the others, so it is not known
        which of them was to blame.
        """
        self._n_alone += alone
        try:
            while not self._is_ending and (self._calls if alone else self._n_alone):
                self._turn.wait()
            if self._is_ending:
                raise KeyboardInterrupt
            yield
        finally:
            self._n_alone -= alone
            self._turn.notify_all()

    def _share(self) -> Any:
        """Send the task to the workers, unless they have it."""
        if self._shared is None:
            try:
                task = SharedTask(self._job.task)
            except Exception as error:
                alone = "outside of joblib.parallel_config"
                raise unpicklable(self._job, error, alone) from error
            self._shared = self.engine.share(task)
        return self._shared

    def _await(self, function: Callable[..., Any], *args: Any) -> FoldRecord:
        """Run a function on the cluster, and wait for its result while other threads run."""
        call = self.engine.submit(function, *args)
        self._calls.append(call)
        self._turn.release()
        error: Exception | None = None
        try:
            record: FoldRecord = self.engine.result(call)
        except Exception as raised:
            error = raised
        finally:
            self._turn.acquire()
            self._calls = [each for each in self._calls if each is not call]
        if self._is_ending:
            raise KeyboardInterrupt  # releases the candidate
        if error is None:
            return record
        if isinstance(error, WorkersDied | ResultLost | FileNotFoundError):
            raise error
        raise _unusable(f"{type(error).__name__}: {error}") from error

    def _report(
        self, candidate: RunningCandidate, results: IntermediateResults, step: int, value: float
    ) -> bool:
        """Report a score; the time is looked at only when a fold, which is trained, is saved."""
        if step % self.task.n_epochs:
            return results.report(step, value)
        return super()._report(candidate, results, step, value)


def _crashed(times: str) -> Crashed:
    times = "once" if times == "1 times" else times
    return Crashed(f"ended its process {times}, perhaps for lack of memory")


def _unusable(reason: str) -> RuntimeError:
    return RuntimeError(
        f"The workers of the cluster cannot train: {reason}. They need the same versions of "
        f"Python and sklearnloss as the process that searches, and all modules of your own."
    )
