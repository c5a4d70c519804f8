"""The worker loop: claim a candidate, evaluate it, report the result, repeat."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from .._evaluation.interrupts import noting_interrupts
from .._space.search_space import Values
from .._workers.deadline import Deadline
from .attempts import Row, RunningCandidate
from .cached_study import CachedStudy
from .evaluate import Evaluation, Task
from .intermediate_results import IntermediateResults
from .pruner import HalvingPruner
from .sampler import CandidateSampler
from .store import CandidateStore, LostCandidate
from .watch import OutOfTime, SearchWatch, progress


@dataclass
class Budget:
    """When a search has enough candidates.

    Parameters
    ----------
    n_trials : int or None
        Number of candidates that are complete, stopped, or running.
    deadline : Deadline or None
        Only the first candidate may be begun after it.
    n_first : int, default=1
        Number of candidates to try before a search gives up because all of them failed.
    """

    n_trials: int | None
    deadline: Deadline | None
    n_first: int = 1

    def is_spent(self, rows: Sequence[Row], call: str) -> bool:
        """Return whether a call of ``fit`` should begin no further candidate."""
        if rows and self.deadline is not None and self.deadline.is_past():
            return True
        failed = [row for row in rows if row.state == TrialState.FAIL]
        n_left = len(rows) - len(failed)
        # Failures in other calls are no reason to give up in this one.
        here = [row for row in failed if call in row.failed_in]
        n_failed = len(here)
        if n_left == 0 and (n_failed >= max(5, self.n_first) or self._is_hopeless(here)):
            return True
        if self.n_trials is None:
            return False
        # Failures are not counted, but their number is limited.
        return n_left >= self.n_trials or n_failed >= max(5, self.n_trials)

    def is_met(self, rows: Sequence[Row], call: str) -> bool:
        """Return whether a call of ``fit`` need not wait for the candidates that are running."""
        finished = [row for row in rows if row.is_finished]
        others = all(row.call != call for row in rows if not row.is_finished)
        return len(finished) == len(rows) or (others and self.is_spent(finished, call))

    def _is_hopeless(self, failed: Sequence[Row]) -> bool:
        """Return whether all failed for the same reason before any epoch, as with bad data."""
        reasons = {row.results.reason for row in failed}
        trained = any(row.results.epochs for row in failed)
        return len(failed) >= min(3, self.n_first + 1) and len(reasons) == 1 and not trained


class Worker:
    """Works on a store's candidates until there are enough.

    Parameters
    ----------
    task : Task
        Defines how a candidate is scored.
    store : CandidateStore
        The candidates.
    sampler : optuna.samplers.BaseSampler or None
        Chooses candidates; None is the default.
    pruner : optuna.pruners.BasePruner or None
        Stops candidates; None is the default.
    budget : Budget
        Defines when to end.
    on_finish : callable, default=None
        Called with the worker after each candidate.
    watch : SearchWatch, default=None
        May end the search at any epoch.
    """

    def __init__(
        self,
        task: Task,
        store: CandidateStore,
        *,
        sampler: BaseSampler | None,
        pruner: BasePruner | None,
        budget: Budget,
        on_finish: Callable[[Worker], None] | None = None,
        watch: SearchWatch | None = None,
    ) -> None:
        self.task = task
        self.store = store
        self.budget = budget
        self.on_finish = on_finish
        self.watch = watch
        if pruner is None:  # with several goals, nothing is stopped for one of them
            pruner = NopPruner() if task.goals else HalvingPruner(task.n_epochs)
        self.pruner = pruner
        self._given_sampler = sampler
        self.stopped = False

    @functools.cached_property
    def cache(self) -> CachedStudy:
        """The study for sampler and pruner; created only if this process does any work."""
        return CachedStudy(self.store.study.study_name, self.store.space, self.pruner)

    @functools.cached_property
    def sampler(self) -> CandidateSampler:
        """The sampler that proposes the next candidate."""
        cache, goals = self.cache, self.task.goals
        if goals:  # the pruner compares the first metric, the sampler all of them
            cache = CachedStudy(self.store.study.study_name, self.store.space, goals=goals)
        return CandidateSampler(cache, self._given_sampler, self.task.seed)

    def run(self) -> None:
        """Work until there is nothing left to begin or to take over."""
        with noting_interrupts():
            self._run()

    def _run(self) -> None:
        while not self.stopped:
            candidate = self.store.claim(self._propose, self._has_enough)
            if candidate is None:
                return
            with contextlib.suppress(LostCandidate, OutOfTime):
                self._work_on(candidate)
            if self.on_finish is not None:
                self.on_finish(self)

    def _propose(self, number: int, rows: Sequence[Row]) -> Values | None:
        return self.sampler.propose(number, rows)

    def _has_enough(self, rows: Sequence[Row]) -> bool:
        return self.budget.is_spent(rows, self.store.call)

    def wait(self, patience: float = 0.2) -> None:
        """Wait for other workers' candidates, and take over those of dead workers.

        Candidates of another call of ``fit`` are waited for only if they are needed.
        """
        while not self.stopped:
            self.run()
            if self.budget.is_met(self.store.rows(), self.store.call):
                return
            if self.on_finish is not None:
                self.on_finish(self)
            time.sleep(patience)

    def _work_on(self, candidate: RunningCandidate) -> None:
        results = IntermediateResults(self.store, self.cache, candidate, self.task.n_epochs)
        evaluation = Evaluation(
            self.task,
            self.store.space.params(candidate.values),
            candidate.results,
            functools.partial(self._report, candidate, results),
            results.save,
            watch=not isinstance(self.pruner, NopPruner),
        )
        alive = (
            self.store.heartbeat(candidate) if self.store.is_shared else contextlib.nullcontext()
        )
        with alive:
            try:
                evaluation.run()
            except LostCandidate:
                raise
            except (KeyboardInterrupt, OutOfTime):
                results.release()
                raise
            except BaseException:
                if candidate.results.outcome is not None:
                    self.store.finish(candidate)
                else:
                    self.store.release(candidate)
                raise
        results.finish()

    def _report(
        self, candidate: RunningCandidate, results: IntermediateResults, step: int, value: float
    ) -> bool:
        """Report a score to the pruner, and end the search if its time is up."""
        stop, n_folds = results.report(step, value), len(candidate.results.folds)
        if stop or self.watch is None or n_folds == len(self.task.splits):
            return stop  # the candidate ends anyway
        if step == n_folds * self.task.n_epochs:
            self.watch.update(progress(self.store, candidate))
        if self.watch.is_over():
            self.stopped = True
            raise OutOfTime
        return False
