"""What a candidate that is worked on has reached: told to the pruner, and kept."""

from __future__ import annotations

import contextlib
import time

from .._workers.retries import StorageError
from .shadow_study import Mirror
from .store import Claim, Record

# Seconds of work that may be lost: folds that are faster are not saved one by one.
_WORTH_SAVING = 0.25

# Seconds between two looks at what others have reached.
_WORTH_A_LOOK = 1.0


class Progress:
    """Follows one candidate from where it stands.

    Parameters
    ----------
    record : Record
        Keeps it.
    mirror : Mirror
        Compares it with others.
    claim : Claim
        The candidate.
    n_epochs : int
        Epochs per fold.
    """

    def __init__(self, record: Record, mirror: Mirror, claim: Claim, n_epochs: int) -> None:
        self.record = record
        self.mirror = mirror
        self.claim = claim
        # Hyperband goes by the numbers of trials, which have to be the same for all workers.
        mirror.update(record.rows(), running=record.is_shared)
        self.trial = mirror.open(claim.candidate, claim.values)
        self._resume(n_epochs)
        self._saved = self._told = self._looked = time.monotonic()
        self._is_unsaved = False
        self._note_folds()

    def _resume(self, n_epochs: int) -> None:
        # Only finished folds are resumed, so only their reports count.
        results = self.claim.results
        end = len(results.folds) * n_epochs
        results.reports = [r for r in results.reports if r[0] <= end]
        for step, value in results.reports:
            self.trial.report(value, step)
        for rung, value in results.rungs.items():
            self.trial.storage.set_trial_system_attr(self.trial._trial_id, rung, value)

    def report(self, step: int, value: float) -> bool:
        """Tell the pruner a score; return whether to stop."""
        self.trial.report(value, step)
        if self.record.is_shared and time.monotonic() - self._looked > _WORTH_A_LOOK:
            with contextlib.suppress(StorageError), self.record.without_retries():
                self.mirror.update(self.record.rows(), running=True)
            self._looked = time.monotonic()
        stop = self.trial.should_prune()
        rungs = self.mirror.rungs(self.trial)
        if rungs != self.claim.results.rungs:
            self.claim.results.rungs = rungs
            # Others compare themselves with it. A stop is saved with all else, or it
            # would be forgotten if this process was killed in between.
            if not stop and time.monotonic() - self._told > _WORTH_SAVING:
                self._save()
                self._told = time.monotonic()
        if self._is_unsaved and not stop:
            self._save()
        return stop

    def save(self) -> None:
        """Keep a finished fold, later if the storage is away: training is not held up."""
        self._note_folds()
        if time.monotonic() - self._saved > _WORTH_SAVING:
            self._is_unsaved = True
            self._save()

    def _save(self) -> None:
        with contextlib.suppress(StorageError), self.record.without_retries():
            self.record.save(self.claim)
            if self._is_unsaved:
                self._is_unsaved, self._saved = False, time.monotonic()

    def _note_folds(self) -> None:
        results = self.claim.results
        self._n_folds, self._epochs = len(results.folds), results.epochs

    def release(self) -> None:
        """Leave the candidate to whoever goes on with it."""
        if len(self.claim.results.folds) == self._n_folds:
            self.claim.results.epochs = self._epochs  # those of this fold are trained again
        self.record.release(self.claim)
