"""The rules of the race: when to stop a candidate, and which one to continue."""

from __future__ import annotations

import math
from collections.abc import Collection

from .gain import expected_gain
from .noise import change_variance, fold_variance
from .scores import FoldScores, Progress, Status

#: A candidate is not continued when its expected gain is below this share of the standard
#: deviation of a difference from fold to fold.
TOLERANCE = 0.05

#: Within the first fold, where most of the cost is, it is so many times as large.
_FIRST_FOLD = 3.0


class Race:
    """Decides which candidate to train on which fold.

    All candidates are first trained on the first fold. The *leader* is the candidate with
    the best mean score among those with the most finished folds. A candidate is stopped
    within the first fold, or not continued after a fold, when its expected gain over the
    leader is small compared with the noise of a fold. Candidates that are left catch up with
    the leader, the most promising one first; then the leader is trained on its next fold.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    n_epochs : int
        Number of steps of a fold.
    tolerance : float, default=0.05
        Expected gain below which a candidate is not continued, in standard deviations of a
        difference from fold to fold; > 0. Within the first fold it is three times as large.
    n_complete : int, default=1
        Number of candidates that are to finish all folds; >= 1.

    Attributes
    ----------
    scores : FoldScores
        What is known of each candidate.

    References
    ----------
    O. Maron, A. W. Moore, "Hoeffding races", NeurIPS 1993. M. López-Ibáñez et al., "The
    irace package", Operations Research Perspectives 3, 2016.
    https://doi.org/10.1016/j.orp.2016.09.002
    """

    def __init__(
        self, n_folds: int, n_epochs: int, tolerance: float = TOLERANCE, n_complete: int = 1
    ) -> None:
        self.scores = FoldScores(n_folds, n_epochs)
        self.n_complete = n_complete
        self.tolerance = tolerance
        self._version = -1
        self._variance = 0.0
        self._changes: dict[int, float] = {}  # by step

    def leader(self) -> int | None:
        """Return the candidate to compare others with; None if none has finished a fold."""
        known = self.scores.valid()
        if not known:
            return None
        most = max(len(progress.folds) for progress in known.values())
        return max(
            (number for number, progress in known.items() if len(progress.folds) == most),
            key=lambda number: (known[number].mean(most), -number),
        )

    def gain(self, candidate: int, step: int | None = None) -> float:
        """Return the expected gain of a candidate over the leader.

        Parameters
        ----------
        candidate : int
            Its number.
        step : int, default=None
            The step of the fold that it is being trained on.
        """
        number = self.leader()
        return math.inf if number is None else self._gain(candidate, number, step)

    def _gain(self, candidate: int, number: int, step: int | None = None) -> float:
        """Return the expected gain of a candidate over the leader, whose number is given."""
        leader, other = self.scores.candidates[number], self.scores.candidates[candidate]
        n = min(len(leader.folds), len(other.folds))
        differences = [mine - best for mine, best in zip(other.folds, leader.folds, strict=False)]
        current = None if step is None else self._current(other, leader, step)
        change = 0.0 if step is None or current is None else self._change(step)
        return expected_gain(differences[:n], self.scores.n_folds, self.variance, current, change)

    def _current(self, other: Progress, leader: Progress, step: int) -> float | None:
        """Return the difference so far in the fold that is being trained."""
        fold = len(other.folds)
        mine, best = other.at(fold, step), leader.at(fold, step)
        return None if mine is None or best is None else mine - best

    @property
    def variance(self) -> float:
        """The variance of a difference from fold to fold."""
        self._refresh()
        return self._variance

    @property
    def smallest_gain(self) -> float:
        """The expected gain below which a candidate is not continued."""
        return self.tolerance * math.sqrt(self.variance)

    def _change(self, step: int) -> float:
        self._refresh()
        if step not in self._changes:
            self._changes[step] = change_variance(self.scores, step)
        return self._changes[step]

    def _refresh(self) -> None:
        """Estimate the noise again if a fold was finished since the last time."""
        if self._version != self.scores.version:
            self._version = self.scores.version
            self._variance = fold_variance(self.scores)
            self._changes = {}

    def should_stop(self, candidate: int, step: int) -> bool:
        """Return whether to stop a candidate within a fold, which only the first one may be.

        Parameters
        ----------
        candidate : int
            Its number.
        step : int
            The step within the fold that it is being trained on.
        """
        number = self.leader()
        if number is None or self.scores.candidates[candidate].folds:
            return False
        return self._gain(candidate, number, step) < _FIRST_FOLD * self.smallest_gain

    def next(self, running: Collection[int] = ()) -> int | None:
        """Return the candidate to continue with its next fold; None if the race is over.

        Parameters
        ----------
        running : collection of int
            Candidates that other workers are training; they cannot be chosen.
        """
        number = self.leader()
        if number is None:
            return None
        known = self.scores.valid()
        n_leader = len(known[number].folds)
        is_free = {
            k for k, each in known.items() if each.status is Status.OPEN and k not in running
        }
        gains = {k: self._gain(k, number) for k in is_free if k != number}
        left = {k: gain for k, gain in gains.items() if gain >= self.smallest_gain and gain > 0}
        behind = {k: gain for k, gain in left.items() if len(known[k].folds) < n_leader}
        if not behind and number in is_free:
            return number
        choice = behind or (left if known[number].status is Status.RUNNING else {})
        if not choice and self._n_missing():
            choice = gains
        return max(choice, key=lambda k: (choice[k], -k)) if choice else None

    def _n_missing(self) -> int:
        """Return how many candidates are still to finish all folds, besides the leader."""
        if self.n_complete < 2:
            return 0
        known = self.scores.valid().values()
        return max(0, self.n_complete - sum(each.status is Status.COMPLETE for each in known))
