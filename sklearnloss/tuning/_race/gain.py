"""How much better than the leader a candidate may yet be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def expected_gain(
    differences: Sequence[float],
    n_folds: int,
    variance: float,
    current: float | None = None,
    change: float = 0.0,
) -> float:
    r"""Return the expected improvement of the leader's mean score over all folds. ::

        E[max(0, D)],   D = (d_1 + ... + d_K) / K,   d_f ~ N(mu, variance)

    The differences of finished folds are known, those of the others are predicted, with
    a flat prior for mu. The score of an unfinished fold is an observation of its
    difference with an additional error, the variance of which is ``change``.

    Parameters
    ----------
    differences : sequence of float
        Candidate minus leader in each finished fold.
    n_folds : int
        Number of folds, K.
    variance : float
        Of a difference from fold to fold, see ``noise.fold_variance``.
    current : float, default=None
        Candidate minus leader so far in an unfinished fold.
    change : float, default=0.0
        How much that may still change, see ``noise.change_variance``.

    Returns
    -------
    gain : float
        >= 0; infinite if nothing is known, or not how much differences vary.

    References
    ----------
    J. Mockus, "On Bayesian methods for seeking the extremum", 1975 (the expected
    improvement).

    Examples
    --------
    >>> from sklearnloss.tuning._race.gain import expected_gain
    >>> round(expected_gain([-0.02, -0.01], 5, 0.01**2), 4)
    0.0
    >>> round(expected_gain([-0.002, 0.001], 5, 0.01**2), 4)
    0.0019
    """
    known = [*differences, *([] if current is None else [current])]
    if (
        not known
        or math.isinf(variance)
        or (current is not None and math.isinf(change) and not len(differences))
    ):
        return math.inf
    errors = [0.0] * len(differences) + ([] if current is None else [change])
    mean, deviation = _predict(np.array(known), np.array(errors), n_folds, variance)
    return _improvement(mean, deviation)


def _predict(
    known: np.ndarray, errors: np.ndarray, n_folds: int, variance: float
) -> tuple[float, float]:
    """Return the mean and the standard deviation of the mean difference over all folds."""
    usable = np.isfinite(errors)
    known, errors = known[usable], errors[usable]
    variance = max(variance, 1e-18)
    precision = 1 / (variance + errors)  # of each observation of mu
    mu = float((precision * known).sum() / precision.sum())
    # Given mu, an observed difference is drawn towards it by its own error.
    trust = variance * precision
    n_left = n_folds - len(known)
    share = (float((1 - trust).sum()) + n_left) / n_folds  # of mu in the mean over all folds
    mean = float((trust * known).sum()) / n_folds + share * mu
    rest = float((trust * errors).sum()) + n_left * variance
    return mean, math.sqrt(max(share**2 / float(precision.sum()) + rest / n_folds**2, 0.0))


def _improvement(mean: float, deviation: float) -> float:
    """Return E[max(0, X)] of a normal distribution."""
    if deviation <= 0:
        return max(mean, 0.0)
    z = mean / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return deviation * (density + z * 0.5 * math.erfc(-z / math.sqrt(2)))
