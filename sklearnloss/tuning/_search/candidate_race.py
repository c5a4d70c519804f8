"""The race among a search's candidates: what its rules need to know, and what they decide."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

from optuna.trial import TrialState

from .._evaluation.outcome import Outcome
from .._race.race import Race
from .._race.scores import Status
from .attempts import Row, RunningCandidate
from .candidate import CandidateState
from .evaluate import Task

#: So many candidates finish all folds if their models are combined.
N_IN_ENSEMBLE = 5


class CandidateRace:
    """Runs a race among the candidates of a search.

    Parameters
    ----------
    task : Task
        Its folds, epochs and metric.

    Attributes
    ----------
    race : Race
        The rules.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        n_complete = 1 if task.models is None else N_IN_ENSEMBLE
        self.race = Race(len(task.splits), task.n_epochs, n_complete=n_complete)
        self._known: dict[int, tuple[int, TrialState, int]] = {}
        self._current: set[int] = set()  # several on a cluster

    def update(self, rows: Sequence[Row]) -> None:
        """Note what the storage holds of all candidates that other processes train."""
        for row in rows:
            key = (row.trial._trial_id, row.state, len(row.results.reports))
            if row.candidate not in self._current and self._known.get(row.candidate) != key:
                self._known[row.candidate] = key
                self._set(row.candidate, row.results, self._status(row))

    @contextlib.contextmanager
    def training(self, candidate: RunningCandidate) -> Iterator[None]:
        """Return a context in which this process trains a candidate."""
        self._known.pop(candidate.number, None)
        self._set(candidate.number, candidate.results, Status.RUNNING)
        self._current.add(candidate.number)
        try:
            yield
        finally:
            self._current.discard(candidate.number)

    def _status(self, row: Row) -> Status:
        if row.state == TrialState.COMPLETE:
            return Status.COMPLETE
        if not row.is_finished:
            return Status.RUNNING
        results = row.results
        # A candidate may be continued if it was stopped between two folds.
        n_steps = len(results.folds) * self.task.n_epochs
        between = bool(results.reports) and results.reports[-1][0] <= n_steps
        is_open = results.outcome == Outcome.PRUNED and results.folds and between
        return Status.OPEN if is_open else Status.OUT

    def _set(self, number: int, results: CandidateState, status: Status) -> None:
        folds = [self.task.primary(fold["scores"]) for fold in results.folds]
        self.race.scores.set(number, folds, results.reports, status)

    def should_stop(
        self, candidate: int, step: int, value: float, is_screening: Callable[[], bool]
    ) -> bool:
        """Note a score of a running candidate, and return whether to stop it.

        Parameters
        ----------
        candidate : int
            Its number.
        step : int
            The epoch, counted over all folds.
        value : float
            The mean over the finished folds and the current one.
        is_screening : callable
            Returns whether others are to be begun first.
        """
        scores = self.race.scores
        scores.report(candidate, step, value)
        within = step % self.task.n_epochs
        if within:
            return self.race.should_stop(candidate, within)
        if is_screening():
            return True
        progress = scores.candidates[candidate]
        progress.status = Status.OPEN
        try:
            return self.race.next() != candidate
        finally:
            progress.status = Status.RUNNING

    def next(self, rows: Sequence[Row]) -> Row | None:
        """Return the stopped candidate to continue; None if there is none."""
        self.update(rows)
        number = self.race.next()
        return next((row for row in rows if row.candidate == number), None)

    def leader(self, rows: Sequence[Row]) -> Row | None:
        """Return the leader; None if no candidate has finished a fold."""
        self.update(rows)
        number = self.race.leader()
        return next((row for row in rows if row.candidate == number), None)

    def seconds_left(self, rows: Sequence[Row]) -> float:
        """Return how long the leader's remaining folds take, judged by the finished ones."""
        self.update(rows)
        number = self.race.leader()
        if number is None:
            return 0.0
        folds = next((row.results.folds for row in rows if row.candidate == number), [])
        folds = folds or [fold for row in rows for fold in row.results.folds]
        times = [fold["fit_time"] + fold["score_time"] for fold in folds]
        n_left = len(self.task.splits) - len(self.race.scores.candidates[number].folds)
        return math.fsum(times) / max(1, len(times)) * n_left
