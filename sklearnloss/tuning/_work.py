"""What a process that takes part in a search does: claim, score, tell, again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from ._halving import HalvingPruner
from ._interrupts import noting_interrupts
from ._mirror import Mirror
from ._objective import Evaluation, Task
from ._proposals import Proposals
from ._record import Claim, LostCandidate, Record, Row

# Seconds of work that may be lost: folds that are faster are not saved one by one.
_WORTH_SAVING = 0.25

# Seconds between two looks at what others have reached.
_WORTH_A_LOOK = 1.0

# A storage that cannot be reached for a moment is no failure of a candidate's.
_AWAY = (StorageInternalError, OSError)


@dataclass
class Budget:
    """When a search has enough candidates.

    Parameters
    ----------
    n_trials : int or None
        Candidates that completed, were stopped, or are being worked on.
    deadline : float or None
        No candidate but the first is begun after it, in seconds of ``time.time()``.
    n_first : int, default=1
        Candidates that are tried in any case before a search gives up because all
        of them failed.
    """

    n_trials: int | None
    deadline: float | None
    n_first: int = 1

    def is_spent(self, rows: Sequence[Row], call: str) -> bool:
        """Tell whether to begin no further candidate in a call of ``fit``."""
        if rows and self.deadline is not None and time.time() >= self.deadline:
            return True
        failed = [row for row in rows if row.state == TrialState.FAIL]
        n_left = len(rows) - len(failed)
        # What failed in other calls is no reason to try nothing in this one.
        here = [row for row in failed if call in row.failed_in]
        n_failed = len(here)
        if n_left == 0 and (n_failed >= max(5, self.n_first) or self._is_hopeless(here)):
            return True
        if self.n_trials is None:
            return False
        # Failures are extra, but not without end.
        return n_left >= self.n_trials or n_failed >= max(5, self.n_trials)

    def is_met(self, rows: Sequence[Row], call: str) -> bool:
        """Tell whether a call of ``fit`` need not wait for the candidates that are running."""
        finished = [row for row in rows if row.is_finished]
        others = all(row.call != call for row in rows if not row.is_finished)
        return len(finished) == len(rows) or (others and self.is_spent(finished, call))

    def _is_hopeless(self, failed: Sequence[Row]) -> bool:
        """Tell whether unlike candidates fail alike before any epoch: the data are at fault."""
        reasons = {row.results.get("reason") for row in failed}
        trained = any(row.results.get("epochs", 1) for row in failed)
        return len(failed) >= min(3, self.n_first + 1) and len(reasons) == 1 and not trained


class Worker:
    """Works on a record's candidates until there are enough.

    Parameters
    ----------
    task : Task
        How a candidate is scored.
    record : Record
        The candidates.
    sampler : optuna.samplers.BaseSampler or None
        Chooses candidates; None is the default.
    pruner : optuna.pruners.BasePruner or None
        Stops candidates; None is the default.
    budget : Budget
        When to end.
    on_finish : callable, default=None
        Called with the worker after each candidate.
    """

    def __init__(
        self,
        task: Task,
        record: Record,
        *,
        sampler: BaseSampler | None,
        pruner: BasePruner | None,
        budget: Budget,
        on_finish: Callable[[Worker], None] | None = None,
    ) -> None:
        name, space = record.study.study_name, record.space
        self.task = task
        self.record = record
        self.budget = budget
        self.on_finish = on_finish
        self.proposals = Proposals(space, name, sampler, task.seed)
        pruner = HalvingPruner(task.n_epochs) if pruner is None else pruner
        self.watches = not isinstance(pruner, NopPruner)
        self.mirror = Mirror(name, space, pruner=pruner)
        self.stopped = False

    def run(self) -> None:
        """Work until there is nothing left to begin or to take over."""
        with noting_interrupts():
            self._run()

    def _run(self) -> None:
        while not self.stopped:
            claim = self.record.claim(self.proposals.propose, self._has_enough)
            if claim is None:
                return
            with contextlib.suppress(LostCandidate):
                self._work_on(claim)
            if self.on_finish is not None:
                self.on_finish(self)

    def _has_enough(self, rows: Sequence[Row]) -> bool:
        return self.budget.is_spent(rows, self.record.call)

    def wait(self, patience: float = 0.2) -> None:
        """Wait for other workers' candidates, and take over those of the dead.

        Those of another call of ``fit`` are waited for only if they are needed.
        """
        while not self.stopped:
            self.run()
            if self.budget.is_met(self.record.rows(), self.record.call):
                return
            if self.on_finish is not None:
                self.on_finish(self)
            time.sleep(patience)

    def _work_on(self, claim: Claim) -> None:
        # Hyperband goes by the numbers of trials, which have to be the same for all workers.
        self.mirror.update(self.record.rows(), running=self.record.is_shared)
        trial = self.mirror.open(claim.candidate, claim.values)
        # Only finished folds are resumed, so only their reports count.
        end = len(claim.results["folds"]) * self.task.n_epochs
        claim.results["reports"] = [r for r in claim.results["reports"] if r[0] <= end]
        for step, value in claim.results["reports"]:
            trial.report(value, step)
        for rung, value in claim.results.get("rungs", {}).items():
            trial.storage.set_trial_system_attr(trial._trial_id, rung, value)
        saved = told = looked = time.monotonic()

        def report(step: int, value: float) -> bool:
            nonlocal told, looked
            trial.report(value, step)
            if self.record.is_shared and time.monotonic() - looked > _WORTH_A_LOOK:
                with contextlib.suppress(*_AWAY):
                    self.mirror.update(self.record.rows(), running=True)
                looked = time.monotonic()
            stop = trial.should_prune()
            rungs = self.mirror.rungs(trial)
            if rungs != claim.results.get("rungs", {}):
                claim.results["rungs"] = rungs
                # Others compare themselves with it. A stop is saved with all else, or it
                # would be forgotten if this process was killed in between.
                if not stop and time.monotonic() - told > _WORTH_SAVING:
                    with contextlib.suppress(*_AWAY):
                        self.record.save(claim)
                    told = time.monotonic()
            return stop

        n_folds, epochs = len(claim.results["folds"]), claim.results["epochs"]

        def save() -> None:
            # Unlike what is told within a fold, this keeps its work.
            nonlocal saved, n_folds, epochs
            n_folds, epochs = len(claim.results["folds"]), claim.results["epochs"]
            if time.monotonic() - saved > _WORTH_SAVING:
                with contextlib.suppress(*_AWAY):
                    self.record.save(claim)
                    saved = time.monotonic()

        params = self.record.space.params(claim.values)
        evaluation = Evaluation(self.task, params, claim.results, report, save, self.watches)
        alive = self.record.heartbeat(claim) if self.record.is_shared else contextlib.nullcontext()
        with alive:
            try:
                state, value = evaluation.run()
            except LostCandidate:
                raise
            except KeyboardInterrupt:
                if len(claim.results["folds"]) == n_folds:
                    claim.results["epochs"] = epochs  # those of this fold are trained again
                self.record.release(claim)
                raise
            except BaseException:
                if claim.results.get("reason"):
                    self.record.finish(claim, TrialState.FAIL, None)
                else:
                    self.record.release(claim)
                raise
        self.record.finish(claim, state, value)
