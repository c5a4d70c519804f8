"""Intermediate results of a running candidate: reported to the pruner and saved."""

from __future__ import annotations

import contextlib
import time

from .._workers.retries import StorageError
from .shadow_study import Mirror
from .store import Claim, Record

# Seconds of work that may be lost: folds that are faster are not saved one by one, nor
# do all scores of faster epochs become points of the learning curve in the storage.
_WORTH_SAVING = 0.25

# Seconds between two reads of what other workers have reached.
_WORTH_A_LOOK = 1.0


class Progress:
    """Reports and saves the intermediate results of one candidate.

    Parameters
    ----------
    record : Record
        Where they are saved.
    mirror : Mirror
        Compares them with those of other candidates.
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
        self._saved = self._told = self._looked = self._shown = time.monotonic()
        self._resume(n_epochs)
        self._is_unsaved = False
        self._note_folds()

    def _resume(self, n_epochs: int) -> None:
        # Only finished folds are resumed, so only their reports count.
        results = self.claim.results
        end = len(results.folds) * n_epochs
        results.reports = [r for r in results.reports if r[0] <= end]
        for step, value in results.reports:
            self.trial.report(value, step)
            if step % n_epochs == 0:  # of the learning curve only the ends of folds
                self._show(step, value)
        for rung, value in results.rungs.items():
            self.trial.storage.set_trial_system_attr(self.trial._trial_id, rung, value)

    def report(self, step: int, value: float) -> bool:
        """Report a score to the pruner; return whether to stop."""
        self.trial.report(value, step)
        if time.monotonic() - self._shown > _WORTH_SAVING:
            self._show(step, value)
        if self.record.is_shared and time.monotonic() - self._looked > _WORTH_A_LOOK:
            with contextlib.suppress(StorageError), self.record.without_retries():
                self.mirror.update(self.record.rows(), running=True)
            self._looked = time.monotonic()
        stop = self.trial.should_prune()
        rungs = self.mirror.rungs(self.trial)
        if rungs != self.claim.results.rungs:
            self.claim.results.rungs = rungs
            # Other workers compare their candidates with it. A stop is saved together with
            # its outcome, or it would be forgotten if this process was killed in between.
            if not stop and time.monotonic() - self._told > _WORTH_SAVING:
                self._save()
                self._told = time.monotonic()
        if self._is_unsaved and not stop:
            self._save()
        return stop

    def save(self) -> None:
        """Save a finished fold; if the storage is unavailable, later, without a pause."""
        self._note_folds()
        if time.monotonic() - self._saved > _WORTH_SAVING:
            self._is_unsaved = True
            self._save()

    def _save(self) -> None:
        with contextlib.suppress(StorageError), self.record.without_retries():
            self.record.save(self.claim)
            if self._is_unsaved:
                self._is_unsaved, self._saved = False, time.monotonic()

    def _show(self, step: int, value: float) -> None:
        with contextlib.suppress(StorageError), self.record.without_retries():
            self.record.report(self.claim, step, value)
        self._shown = time.monotonic()

    def _note_folds(self) -> None:
        results = self.claim.results
        self._n_folds, self._epochs = len(results.folds), results.epochs

    def release(self) -> None:
        """Leave the candidate to the worker that resumes it."""
        if len(self.claim.results.folds) == self._n_folds:
            self.claim.results.epochs = self._epochs  # those of this fold are trained again
        self.record.release(self.claim)
