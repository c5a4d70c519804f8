"""How much differences of scores vary: from fold to fold, and until the end of a fold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from .scores import FoldScores, Progress

#: The spread of the candidates counts as much as this many degrees of freedom.
_PRIOR_DOF = 3.0

#: Without so many candidates, or degrees of freedom from second folds, the spread is unknown.
_MIN_CANDIDATES, _MIN_DOF = 4, 2

#: Finished folds, in excess of one per fold, that are needed to predict the end of a fold.
_MIN_CURVES = 3


def fold_variance(scores: FoldScores) -> float:
    """Return the variance from fold to fold of a difference between two candidates.

    Candidates that have finished several folds are compared with the one that has
    finished most. Before there are any, the variance is taken to be that of two random
    candidates on the first fold, which is larger, and it counts for three degrees of
    freedom afterwards (a scaled inverse chi-squared prior).

    Parameters
    ----------
    scores : FoldScores
        All candidates.

    Returns
    -------
    variance : float
        Infinite as long as there is too little to estimate it from: fewer than four
        candidates, and fewer than two degrees of freedom.

    References
    ----------
    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression", Statistical Applications in Genetics and Molecular Biology 3, 2004.
    https://doi.org/10.2202/1544-6115.1027
    """
    known = scores.valid()
    prior = median_gap([progress.folds[0] for progress in known.values()]) ** 2
    several = [each for each in known.values() if len(each.folds) > 1]
    squares, dof = _residuals(several)
    if len(known) < _MIN_CANDIDATES and dof < _MIN_DOF:
        return math.inf  # the gap of two candidates says nothing about its own error
    weight = min(_PRIOR_DOF, len(known) - 1)
    return (weight * prior + squares) / (weight + dof)


def _residuals(several: Sequence[Progress]) -> tuple[float, int]:
    """Return the sum of squares around the mean difference, and the degrees of freedom."""
    squares, dof = 0.0, 0
    if len(several) < 2:
        return squares, dof
    reference = max(several, key=lambda each: (len(each.folds), each.mean(len(each.folds))))
    for other in several:
        if other is not reference:
            n = min(len(reference.folds), len(other.folds))
            differences = np.subtract(reference.folds[:n], other.folds[:n])
            squares += float(((differences - differences.mean()) ** 2).sum())
            dof += n - 1
    return squares, dof


def median_gap(values: Sequence[float]) -> float:
    """Return the median difference between two of the values; few outliers do not matter."""
    gaps = [abs(one - other) for one, other in itertools.combinations(values, 2)]
    return float(np.median(gaps)) if gaps else 0.0


def change_variance(scores: FoldScores, step: int) -> float:
    """Return how much a difference changes from a step of a fold to its end, as a variance.

    It is estimated from all finished folds of this search. While the learning rate is
    high, candidates overtake each other, so early epochs say little.

    Parameters
    ----------
    scores : FoldScores
        All candidates.
    step : int
        A step of a fold, counted from 1.

    Returns
    -------
    variance : float
        Infinite as long as too few folds are finished.
    """
    squares, dof = 0.0, 0
    for fold in range(scores.n_folds):
        changes = []
        for progress in scores.valid().values():
            score = progress.at(fold, step) if len(progress.folds) > fold else None
            if score is not None:
                changes.append(progress.folds[fold] - score)
        if len(changes) > 1:
            squares += float(np.var(changes)) * len(changes)
            dof += len(changes) - 1
    if dof < _MIN_CURVES:
        return math.inf
    # The predictive variance of Student's t with so many degrees of freedom.
    return 2 * squares / max(dof - 2, 1)
