"""The scores of candidates by fold, and by epoch within a fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

#: Scores after epochs of one fold, by step. A step is a share of the fold, counted from 1.
Curve = dict[int, float]


class Status(Enum):
    """What can still be done with a candidate."""

    OPEN = "open"  # it may be continued with its next fold
    RUNNING = "running"
    COMPLETE = "complete"
    OUT = "out"  # it failed, or was stopped within a fold


@dataclass
class Progress:
    """What is known of one candidate.

    Parameters
    ----------
    folds : list of float
        The scores of its finished folds, which are the first ones.
    curves : list of dict of int to float
        For each fold that was begun, the scores after its epochs, by step.
    status : Status
        What can still be done with it.
    """

    folds: list[float] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    status: Status = Status.RUNNING

    def mean(self, n_folds: int) -> float:
        """Return the mean score of the first folds."""
        return math.fsum(self.folds[:n_folds]) / n_folds

    def at(self, fold: int, step: int) -> float | None:
        """Return the last score of a fold up to a step; None if there is none."""
        if fold >= len(self.curves):
            return None
        curve = self.curves[fold]
        if step in curve:
            return curve[step]
        return curve[max(before)] if (before := [k for k in curve if k < step]) else None


class FoldScores:
    """The scores of all candidates of a search.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    n_epochs : int
        Number of steps of a fold.
    """

    def __init__(self, n_folds: int, n_epochs: int) -> None:
        self.n_folds = n_folds
        self.n_epochs = n_epochs
        self.candidates: dict[int, Progress] = {}
        #: Changes whenever a fold is finished or a candidate goes out.
        self.version = 0

    def set(
        self,
        candidate: int,
        folds: Sequence[float],
        reports: Sequence[Sequence[float]],
        status: Status,
    ) -> None:
        """Set all that is known of a candidate.

        Parameters
        ----------
        candidate : int
            Its number.
        folds : list of float
            The scores of its finished folds.
        reports : list of [int, float]
            A mean over the finished folds and the current one for each step, counted over
            all folds, as a search reports them.
        status : Status
            What can still be done with it.
        """
        progress = Progress(list(folds), _curves(folds, reports, self.n_epochs), status)
        self.candidates[candidate] = progress
        self.version += 1

    def report(self, candidate: int, step: int, mean: float) -> None:
        """Add a score of a candidate that is running.

        Parameters
        ----------
        candidate : int
            Its number.
        step : int
            The epoch, counted over all folds.
        mean : float
            The mean over the finished folds and the current one.
        """
        progress = self.candidates.setdefault(candidate, Progress())
        fold = (step - 1) // self.n_epochs
        score = mean * (fold + 1) - math.fsum(progress.folds[:fold])
        while len(progress.curves) <= fold:
            progress.curves.append({})
        progress.curves[fold][step - fold * self.n_epochs] = score
        if step == (fold + 1) * self.n_epochs and len(progress.folds) == fold:
            progress.folds.append(score)
            self.version += 1

    def valid(self) -> Mapping[int, Progress]:
        """Return the candidates that are not out and have finished a fold."""
        return {
            number: progress
            for number, progress in self.candidates.items()
            if progress.folds and progress.status is not Status.OUT
        }


def _curves(
    folds: Sequence[float], reports: Sequence[Sequence[float]], n_epochs: int
) -> list[Curve]:
    curves: list[Curve] = [{n_epochs: score} for score in folds]
    for step, mean in reports:
        fold = (int(step) - 1) // n_epochs
        if fold > len(folds):
            continue  # the earlier folds are not known
        while len(curves) <= fold:
            curves.append({})
        score = mean * (fold + 1) - math.fsum(folds[:fold])
        curves[fold].setdefault(int(step) - fold * n_epochs, score)
    return curves
