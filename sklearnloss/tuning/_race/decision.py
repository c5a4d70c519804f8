"""A decision between the losses that a search left undecided, on fresh folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._comparison.statistics import corrected_t_test, correlated_t_probabilities
from .verdict import ALPHA, MOST_REPEATS, N_LOOKS, SearchVerdict


def plan_looks(n_repeats: int) -> list[int]:
    """Return after how many repeats to look at the results: a quarter, half and all of them.

    Examples
    --------
    >>> from sklearnloss.tuning._race.decision import plan_looks
    >>> plan_looks(12), plan_looks(2)
    ([3, 6, 12], [1, 2])
    """
    return sorted({math.ceil(n_repeats / 4), math.ceil(n_repeats / 2), n_repeats})


def default_repeats(verdict: SearchVerdict) -> int:
    """Return the estimated number of repeats; without an estimate, the largest allowed."""
    return verdict.repeats_needed or MOST_REPEATS


def decide(
    verdict: SearchVerdict,
    scores: Mapping[str, ArrayLike],
    ratio: float,
    *,
    n_repeats: int,
    n_rivals: int,
) -> SearchVerdict:
    """Return the verdict after a look at the results on fresh folds.

    Each of at most three looks and each of the losses has an equal share of the error
    probability, .05: the simplest of the spending functions of Lan and DeMets. So the
    probability that any of two equal losses is called better is at most .05, however early the
    comparison ends.

    Parameters
    ----------
    verdict : SearchVerdict
        The verdict so far.
    scores : dict of str to array-like of shape (n_splits,)
        Scores of the best loss and of those that it was compared with.
    ratio : float
        ``n_test / n_train``.
    n_repeats : int
        Repeats of the folds.
    n_rivals : int
        Number of losses that were undecided at first.

    References
    ----------
    K. K. G. Lan, D. L. DeMets, "Discrete sequential boundaries for clinical trials",
    Biometrika 70, 1983. https://doi.org/10.1093/biomet/70.3.659
    """
    looks = N_LOOKS * n_rivals
    best = np.asarray(scores[str(verdict.best)], dtype=float)
    table = []
    for row in verdict.table:
        if row["loss"] in scores and row["loss"] != verdict.best:
            other = np.asarray(scores[row["loss"]], dtype=float)
            row = {**row, **_compare(best - other, ratio, verdict.rope, looks)}
        table.append(row)
    return replace(verdict, table=table, n_repeats=n_repeats)


def _compare(differences: np.ndarray, ratio: float, rope: float, looks: int) -> dict[str, Any]:
    level = ALPHA / looks
    test = corrected_t_test(differences, ratio, confidence=1 - level)
    worse, equal, better = correlated_t_probabilities(differences, ratio, rope).tolist()
    difference = float(test.mean)
    status = "undecided"
    if equal >= 1 - level:
        status = "as good"
    elif test.p < level:
        status = "worse" if difference > 0 else "better"
    return {
        "status": status,
        "n_folds": len(differences),
        "difference": difference,
        "low": float(test.low),
        "high": float(test.high),
        "p": min(1.0, float(test.p) * looks),
        "p_better": better,
        "p_equal": equal,
        "p_worse": worse,
        "is_fresh": True,
    }
