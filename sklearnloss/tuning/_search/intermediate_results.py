"""Intermediate results of a running candidate: reported to the pruner and saved."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from .._workers.retries import StorageError
from .attempts import RunningCandidate
from .cached_study import CachedStudy
from .store import CandidateStore

# Work that takes less time may be lost: faster folds are not saved one by one, and only some of
# the faster epochs become points of the learning curve in the storage.
_SECONDS_BETWEEN_SAVES = 0.25

# Between two reads of other workers' progress.
_SECONDS_BETWEEN_READS = 1.0


class IntermediateResults:
    """Reports and saves the intermediate results of one candidate.

    Parameters
    ----------
    store : CandidateStore
        Where they are saved.
    cache : CachedStudy
        Compares them with those of other candidates.
    candidate : RunningCandidate
        The candidate.
    n_epochs : int
        Epochs per fold.
    should_stop : callable
        Takes the candidate's number, a step and a score, and returns whether to stop it.
    """

    def __init__(
        self,
        store: CandidateStore,
        cache: CachedStudy,
        candidate: RunningCandidate,
        n_epochs: int,
        should_stop: Callable[[int, int, float], bool],
    ) -> None:
        self.should_stop = should_stop
        self.store = store
        self.cache = cache
        self.candidate = candidate
        cache.update(store.known_rows)
        cache.open(candidate.number, candidate.values)
        now = time.monotonic()
        self._fold_saved = self._rungs_saved = self._rows_read = self._point_saved = now
        self._last_point = 0  # step of the learning curve in the storage
        self._resume(n_epochs)
        self._is_unsaved = False
        self._note_folds()

    def _resume(self, n_epochs: int) -> None:
        # Only finished folds are resumed, so only their reports count.
        results = self.candidate.results
        end = len(results.folds) * n_epochs
        results.reports = [r for r in results.reports if r[0] <= end]
        for step, value in results.reports:
            self.cache.report(self.candidate.number, step, value)
            if step % n_epochs == 0:  # the learning curve keeps only the ends of folds
                self._save_point(step, value)
        self.cache.set_rungs(self.candidate.number, results.rungs)

    def report(self, step: int, value: float) -> bool:
        """Report a score to the pruner; return whether to stop."""
        self.cache.report(self.candidate.number, step, value)
        if time.monotonic() - self._point_saved > _SECONDS_BETWEEN_SAVES:
            self._save_point(step, value)
        if self.store.is_shared and time.monotonic() - self._rows_read > _SECONDS_BETWEEN_READS:
            with contextlib.suppress(StorageError), self.store.without_retries():
                self.cache.update(self.store.rows())
            self._rows_read = time.monotonic()
        stop = self.should_stop(self.candidate.number, step, value)
        rungs = self.cache.rungs(self.candidate.number)
        if rungs != self.candidate.results.rungs:
            self.candidate.results.rungs = rungs
            # Other workers compare their candidates with it. A stop is saved together with
            # its outcome, or it would be lost if this process were killed in between.
            if not stop and time.monotonic() - self._rungs_saved > _SECONDS_BETWEEN_SAVES:
                self._save()
                self._rungs_saved = time.monotonic()
        if self._is_unsaved and not stop:
            self._save()
        return stop

    def save(self) -> None:
        """Save a finished fold; if the storage is unavailable, a later report saves it."""
        self._note_folds()
        if time.monotonic() - self._fold_saved > _SECONDS_BETWEEN_SAVES:
            self._is_unsaved = True
            self._save()

    def _save(self) -> None:
        with contextlib.suppress(StorageError), self.store.without_retries():
            self.store.save(self.candidate)
            if self._is_unsaved:
                self._is_unsaved, self._fold_saved = False, time.monotonic()

    def _save_point(self, step: int, value: float) -> None:
        with contextlib.suppress(StorageError), self.store.without_retries():
            self.store.report(self.candidate, step, value)
        self._point_saved, self._last_point = time.monotonic(), step

    def _note_folds(self) -> None:
        results = self.candidate.results
        self._n_folds, self._epochs = len(results.folds), results.epochs

    def finish(self) -> None:
        """Save the outcome, and the end of the learning curve."""
        reports = self.candidate.results.reports
        if reports and reports[-1][0] > self._last_point:
            self._save_point(*reports[-1])
        self.store.finish(self.candidate)

    def release(self) -> None:
        """Leave the candidate to the worker that resumes it."""
        if len(self.candidate.results.folds) == self._n_folds:
            self.candidate.results.epochs = self._epochs  # this fold is trained again
        self.store.release(self.candidate)
