"""The Pareto front of the candidates of a search, and the choice of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def is_on_front(scores: Array) -> NDArray[np.bool_]:
    """Return which rows no other row dominates.

    A row dominates another if it is at least as good in all metrics, and better in one.
    Of equal rows, none dominates the other.

    Parameters
    ----------
    scores : ndarray of shape (n, n_metrics)
        Higher is better. A row with a value that is nan or infinite is never on the front
        and dominates none.

    Returns
    -------
    on_front : ndarray of bool of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss.tuning._search.pareto import is_on_front
    >>> is_on_front(np.array([[3, 1], [1, 3], [1, 2], [2, 2]])).tolist()
    [True, True, False, True]
    """
    scores = np.asarray(scores, dtype=float)
    on_front = np.asarray(np.isfinite(scores).all(axis=1))
    others = scores[on_front]
    for k in np.flatnonzero(on_front):
        dominates = (others >= scores[k]).all(axis=1) & (others > scores[k]).any(axis=1)
        on_front[k] = not dominates.any()
    return on_front


def choose_compromise(scores: Array) -> int:
    """Return the row whose worst metric is best, on scales from 0 to 1.

    On its scale, a metric is 1 where it is best among these rows, and 0 where it is worst.
    A metric that is the same for all rows does not count. Of rows with the same worst
    metric the one with the best mean is chosen, and then the first.

    This is the row closest to the ideal point, which is best in all metrics, by the
    Chebyshev distance. It can be any row of a front, also where the front is not convex,
    and a metric that agrees with another one, as Dice and IoU do, does not count twice.

    Parameters
    ----------
    scores : ndarray of shape (n, n_metrics)
        A front, higher is better, all finite.

    Returns
    -------
    row : int

    References
    ----------
    M. Zeleny, "Compromise programming", in: Multiple Criteria Decision Making, 1973.

    P. L. Yu, "A class of solutions for group decision problems", Management Science 19,
    1973. https://doi.org/10.1287/mnsc.19.8.936

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss.tuning._search.pareto import choose_compromise
    >>> choose_compromise(np.array([[0.9, -30.0], [0.89, -12.0], [0.5, -10.0]]))
    1
    """
    scores = np.asarray(scores, dtype=float)
    low, high = scores.min(axis=0), scores.max(axis=0)
    # Means of equal folds may differ in the last digit.
    differs = ~np.isclose(low, high, rtol=1e-9, atol=0)
    if not differs.any():
        return 0
    scaled = ((scores - low) / np.where(differs, high - low, 1.0))[:, differs]
    worst, mean = scaled.min(axis=1).round(9), scaled.mean(axis=1).round(9)
    return int(np.lexsort((np.arange(len(scores)), -mean, -worst))[0])


def mark_front(
    results: dict[str, Any], metrics: Sequence[str], may_win: Sequence[bool] | None = None
) -> None:
    """Add the column ``is_pareto`` to a table of candidates.

    Parameters
    ----------
    results : dict of str to ndarray
        ``cv_results_``. Only complete candidates can be on the front.
    metrics : sequence of str
        The metrics to optimize.
    may_win : sequence of bool, default=None
        Which of these candidates can be on it; None is all.
    """
    scores = np.stack([results[f"mean_test_{name}"] for name in metrics], axis=1)
    complete = results["trial_state"] == "COMPLETE"
    if may_win is not None:
        complete &= np.array(may_win)
    results["is_pareto"] = is_on_front(np.where(complete[:, None], scores, np.nan))


def describe_front(results: Mapping[str, Any], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the candidates on the front, the best in the first metric first.

    Parameters
    ----------
    results : dict of str to ndarray
        ``cv_results_`` with the column of :func:`mark_front`.
    metrics : sequence of str
        The metrics to optimize.

    Returns
    -------
    front : list of dict
        Of each candidate its row ("index"), "loss" and "params", and by metric the mean
        ("scores") and the standard deviation ("std") over the folds.
    """
    rows = np.flatnonzero(results["is_pareto"])
    means = [results[f"mean_test_{name}"] for name in metrics]
    order = np.lexsort((rows, *[-mean[rows] for mean in reversed(means)]))
    return [
        {
            "index": int(row),
            "loss": str(results["loss"][row]),
            "params": results["params"][row],
            "scores": {name: float(results[f"mean_test_{name}"][row]) for name in metrics},
            "std": {name: float(results[f"std_test_{name}"][row]) for name in metrics},
        }
        for row in rows[order]
    ]


def choose_from_front(front: Sequence[Mapping[str, Any]]) -> int:
    """Return the row in ``cv_results_`` of the compromise, see :func:`choose_compromise`."""
    scores = np.array([list(entry["scores"].values()) for entry in front])
    return int(front[choose_compromise(scores)]["index"])
