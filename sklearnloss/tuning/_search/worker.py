"""The worker loop: claim a candidate, evaluate it, report the result, repeat."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from .._evaluation.interrupts import noting_interrupts
from .._space.search_space import Values
from .._workers.deadline import Deadline
from .attempts import Row, RunningCandidate
from .cached_study import CachedStudy
from .candidate_race import CandidateRace
from .evaluate import Evaluation, Task
from .intermediate_results import IntermediateResults
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

    def is_late(self, seconds: float = 0.0) -> bool:
        """Return whether no more than so many seconds are left."""
        return self.deadline is not None and self.deadline.is_past(seconds)

    def is_spent(self, rows: Sequence[Row], call: str, seconds: float = 0.0) -> bool:
        """Return whether a call of ``fit`` should begin no further candidate.

        Parameters
        ----------
        rows : list of Row
            All candidates.
        call : str
            The call of ``fit``.
        seconds : float, default=0.0
            What has been begun takes so long.
        """
        if rows and self.is_late(seconds):
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
        Stops candidates; None is a race.
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
        if pruner is None and task.goals:  # nothing is stopped for one of several goals
            pruner = NopPruner()
        self.pruner = pruner
        self.race = CandidateRace(task) if pruner is None else None
        self._given_sampler = sampler
        self.stopped = False
        #: Whether no further candidate is begun, and only the leader is continued.
        self.is_closing = False

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
            candidate = self.store.claim(self._propose, self._has_enough, self._choose)
            if candidate is None:
                return
            with contextlib.suppress(LostCandidate, OutOfTime):
                self._work_on(candidate)
            self._tell()

    def end(self) -> None:
        """Begin no further candidate; a race only continues its leader."""
        self.is_closing = True
        self.stopped = self.race is None

    def _tell(self) -> None:
        """Tell what has been finished since the last time."""
        if self.on_finish is not None:
            self.on_finish(self)

    def _propose(self, number: int, rows: Sequence[Row]) -> Values | None:
        return self.sampler.propose(number, rows)

    def _has_enough(self, rows: Sequence[Row]) -> bool:
        if self.is_closing and rows:
            return True
        seconds = 0.0
        if self.race is not None and self.budget.deadline is not None:
            seconds = self.race.seconds_left(rows)
        return self.budget.is_spent(rows, self.store.call, seconds)

    def _choose(self, rows: Sequence[Row]) -> Row | None:
        """Return the stopped candidate to continue: the leader only, if time is short."""
        if self.race is None:
            return None
        chosen = self.race.next(rows)
        if chosen is None or not (
            self.is_closing or self.budget.is_late(self.race.seconds_left(rows))
        ):
            return chosen
        leader = self.race.leader(rows)
        return leader if leader is not None and leader.state == TrialState.PRUNED else None

    def is_done(self) -> bool:
        """Return whether nothing is left to do, in any process."""
        rows = self.store.rows()
        finished = all(row.is_finished for row in rows)
        return finished and self._has_enough(rows) and self._choose(rows) is None

    def wait(self, patience: float = 0.2) -> None:
        """Wait for other workers' candidates, and take over those of dead workers.

        Candidates of another call of ``fit`` are waited for only if they are needed.
        """
        while not self.stopped:
            self.run()
            if self.budget.is_met(self.store.rows(), self.store.call):
                return
            self._tell()
            time.sleep(patience)

    def _work_on(self, candidate: RunningCandidate) -> None:
        results = IntermediateResults(
            self.store, self.cache, candidate, self.task.n_epochs, self._should_stop
        )
        evaluation = Evaluation(
            self.task,
            self.store.space.params(candidate.values),
            candidate.results,
            functools.partial(self._report, candidate, results),
            results.save,
            watch=not isinstance(self.pruner, NopPruner),
            keep=self._keeper(candidate),
        )
        with contextlib.ExitStack() as stack:
            if self.store.is_shared:
                stack.enter_context(self.store.heartbeat(candidate))
            if self.race is not None:
                stack.enter_context(self.race.training(candidate))
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

    def _should_stop(self, candidate: int, step: int, value: float) -> bool:
        """Return whether a running candidate is stopped after this score."""
        if self.race is None:
            return self.cache.should_prune(candidate)
        self.race.update(self.store.known_rows)
        return self.race.should_stop(candidate, step, value, self._is_screening)

    def _is_screening(self) -> bool:
        """Return whether further candidates are to be begun before others are continued."""
        return not self._has_enough(self.store.known_rows)

    def _keeper(self, candidate: RunningCandidate) -> Callable[[int, Any, Any], None] | None:
        """Return what keeps the models of a candidate's folds, if they are kept."""
        models = self.task.models
        if models is None:
            return None
        return functools.partial(models.save, candidate.number, candidate.values)

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
