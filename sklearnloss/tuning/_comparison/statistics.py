"""Tests and probabilities for scores on overlapping training sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[Any]

#: Differences of scores that are below single precision.
_ROUNDING = 1e-6


class CorrectedTest(NamedTuple):
    """The result of :func:`corrected_t_test`; arrays without the axis of the splits.

    Attributes
    ----------
    mean : ndarray
        Mean difference.
    low, high : ndarray
        Ends of its confidence interval.
    p : ndarray
        Two-sided p-value of no difference.
    """

    mean: Array
    low: Array
    high: Array
    p: Array


def corrected_t_test(
    differences: ArrayLike, ratio: float, *, confidence: float = 0.95
) -> CorrectedTest:
    r"""Nadeau and Bengio's corrected resampled t-test. ::

        t = mean / sqrt((1 / J + n_test / n_train) s^2),   J - 1 degrees of freedom

    Splits share training images, so their differences are correlated and the paired
    t-test, which uses 1 / J alone, finds differences that are not there.

    Parameters
    ----------
    differences : array-like of shape (..., n_splits)
        Difference of scores in each split.
    ratio : float
        ``n_test / n_train``; 0 gives the paired t-test.
    confidence : float, default=0.95
        Level of the interval.

    Returns
    -------
    test : CorrectedTest
        Interval and p are nan if there are fewer than two splits, or if all splits have
        the same difference: its spread cannot be estimated then.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning
    52, 2003. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.statistics import corrected_t_test
    >>> test = corrected_t_test([0.02, 0.03, 0.01, 0.03, 0.02], ratio=0.25)
    >>> round(float(test.mean), 3), round(float(test.p), 3)
    (0.022, 0.017)
    """
    mean, scale, dof = _posterior(differences, ratio)
    p = 2 * stats.t.sf(np.abs(mean / scale), dof)
    half = stats.t.ppf(0.5 + confidence / 2, dof) * scale
    return CorrectedTest(mean, mean - half, mean + half, p)


def correlated_t_probabilities(differences: ArrayLike, ratio: float, rope: float) -> Array:
    """Bayesian correlated t-test: the probability that a difference matters.

    The mean difference's posterior is Student's t with J - 1 degrees of freedom and
    the scale of :func:`corrected_t_test`.

    Parameters
    ----------
    differences : array-like of shape (..., n_splits)
        Difference of scores in each split.
    ratio : float
        ``n_test / n_train``.
    rope : float
        Differences from -rope to rope do not matter.

    Returns
    -------
    probabilities : ndarray of shape (..., 3)
        Of a difference below -rope, from -rope to rope, and above rope; nan where
        :func:`corrected_t_test` has no interval.

    References
    ----------
    G. Corani, A. Benavoli, "A Bayesian approach for comparing cross-validated
    algorithms on multiple data sets", Machine Learning 100, 2015.
    https://doi.org/10.1007/s10994-015-5486-z

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.statistics import correlated_t_probabilities
    >>> correlated_t_probabilities([0.02, 0.03, 0.01, 0.03, 0.02], 0.25, rope=0.01).round(3)
    array([0.002, 0.047, 0.95 ])
    """
    mean, scale, dof = _posterior(differences, ratio)
    worse = stats.t.cdf((-rope - mean) / scale, dof)
    better = stats.t.sf((rope - mean) / scale, dof)
    return np.stack([worse, 1 - worse - better, better], axis=-1)


def _posterior(differences: ArrayLike, ratio: float) -> tuple[Array, Array, int]:
    """Return mean, scale and degrees of freedom; the scale is nan where it is unknown."""
    values = np.asarray(differences, dtype=float)
    n = values.shape[-1]
    mean = values.mean(-1)
    if n < 2:
        return mean, np.full_like(mean, np.nan), 1
    spread = np.where(has_no_spread(values), np.nan, values.std(-1, ddof=1))
    return mean, spread * np.sqrt(1 / n + ratio), n - 1


def has_no_spread(differences: ArrayLike) -> Array:
    """Return whether all splits have the same difference, shape (...).

    Scores of few images are coarse, so differences may well be equal by chance. That is
    no evidence that the next split would have the same difference.

    Parameters
    ----------
    differences : array-like of shape (..., n_splits)
        Difference of scores in each split.
    """
    values = np.asarray(differences, dtype=float)
    same: Array = np.ptp(values, axis=-1) <= _ROUNDING * np.maximum(1.0, np.abs(values).max(-1))
    return same


def holm(p: ArrayLike) -> Array:
    """Adjust p-values for their number, by Holm's step-down method.

    Parameters
    ----------
    p : array-like of shape (n,)
        nan, for a test that was not possible, stays nan and is not counted.

    Returns
    -------
    adjusted : ndarray of shape (n,)

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6, 1979. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.statistics import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]  # nan sorts last
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def best_probabilities(
    scores: ArrayLike, ratio: float, *, n_draws: int = 20_000, seed: int = 0
) -> Array:
    """Return the probability that each loss has the highest mean score.

    Computed from joint draws of all means, whose differences are distributed as in
    :func:`correlated_t_probabilities`.

    Parameters
    ----------
    scores : array-like of shape (n_losses, n_splits)
        Score of each loss in each split.
    ratio : float
        ``n_test / n_train``.
    n_draws : int, default=20000
        Number of draws from the posterior.
    seed : int, default=0
        The same seed gives the same probabilities.

    Returns
    -------
    probabilities : ndarray of shape (n_losses,)
        They add up to 1; ties share. All nan if there are fewer than two splits, or if the
        best loss is ahead of another one by the same amount in every split.
    """
    values = np.asarray(scores, dtype=float)
    n_losses, n = values.shape
    if n < 2 or leads_without_spread(values):
        return np.full(n_losses, np.nan)
    draws = draw_means(values, ratio, n_draws=n_draws, seed=seed)
    first = draws >= draws.max(0) - 1e-12
    shares: Array = (first / first.sum(0)).mean(1)
    return shares


def draw_means(scores: ArrayLike, ratio: float, *, n_draws: int, seed: int = 0) -> Array:
    """Draw mean scores that other splits of such images might have.

    From a multivariate t distribution with J - 1 degrees of freedom, around the means over
    the J splits, with the scores' covariance over splits times ``1 / J + n_test / n_train``.

    Parameters
    ----------
    scores : array-like of shape (n, n_splits)
        At least two splits.
    ratio : float
        ``n_test / n_train``.
    n_draws : int
        Number of draws.
    seed : int, default=0
        The same seed gives the same draws.

    Returns
    -------
    draws : ndarray of shape (n, n_draws)
    """
    values = np.asarray(scores, dtype=float)
    n = values.shape[1]
    rng = np.random.default_rng(seed)
    mean = values.mean(1, keepdims=True)
    root = (values - mean) * np.sqrt((1 / n + ratio) / (n - 1))  # root @ root.T: the covariance
    spread = np.sqrt((n - 1) / rng.chisquare(n - 1, n_draws))
    draws: Array = mean + root @ rng.standard_normal((n, n_draws)) * spread
    return draws


def leads_without_spread(scores: Array) -> bool:
    """Return whether the best loss leads another one by the same amount in every split."""
    lead = scores[scores.mean(1).argmax()] - scores
    return bool((has_no_spread(lead) & (lead.mean(1) > _ROUNDING)).any())


def repeats_needed(
    mean: float,
    sd: float,
    ratio: float,
    n_folds: int,
    done: int,
    *,
    level: float,
    rope: float,
    certainty: float,
    at_most: int,
) -> int | None:
    """Return how many more repeats of the folds would settle a comparison, None if no number would.

    It is settled by p < level or by the probability of equivalence, assuming that mean
    and spread stay the same. There may be no such number: the correction does not shrink
    below ``ratio``, since more splits of the same images add little information.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation of the differences over the splits.
    ratio : float
        ``n_test / n_train``.
    n_folds : int
        Splits per repeat.
    done : int
        Repeats so far.
    level : float
        Significance level of the corrected test.
    rope : float
        Half the width of the region of equivalence.
    certainty : float
        Sufficient probability of equivalence.
    at_most : int
        Largest number of repeats to consider.
    """
    repeats = np.arange(done + 1, at_most + 1)
    n = repeats * n_folds
    scale = sd * np.sqrt(1 / n + ratio)
    p = 2 * stats.t.sf(np.abs(mean) / scale, n - 1)
    below = stats.t.cdf((-rope - mean) / scale, n - 1)
    within = stats.t.cdf((rope - mean) / scale, n - 1) - below
    settled = (p < level) | (within >= certainty)
    return int(repeats[settled.argmax()]) - done if settled.any() else None


def hierarchical_bootstrap(fits: Sequence[Array], *, n_draws: int = 2000, seed: int = 0) -> Array:
    """Draw means over images: fits with replacement, then images of each fit.

    Images predicted by one network share its random variation. Drawing fits first
    accounts for that; drawing images alone would not.

    Parameters
    ----------
    fits : list of ndarray of shape (n_images, n_losses)
        Scores of the images held out by a fit, an array per split and seed.
    n_draws : int, default=2000
        Number of draws.
    seed : int, default=0
        The same seed gives the same draws.

    Returns
    -------
    means : ndarray of shape (n_draws, n_losses)

    References
    ----------
    V. Saravanan, G. J. Berman, S. J. Sober, "Application of the hierarchical
    bootstrap to multi-level data in neuroscience", Neurons, Behavior, Data Analysis
    and Theory 3, 2020. https://arxiv.org/abs/2007.07797
    """
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(fits), np.full(len(fits), 1 / len(fits)), n_draws)
    total = np.zeros((n_draws, fits[0].shape[1]))
    for scores, drawn in zip(fits, times.T, strict=True):
        rows = np.repeat(np.arange(n_draws), drawn)  # a row per time that the fit is drawn
        np.add.at(total, rows, _resampled_means(scores, len(rows), rng))
    return total / len(fits)


def _resampled_means(scores: Array, n_draws: int, rng: np.random.Generator) -> Array:
    n = len(scores)
    if n > 200:  # the mean of so many is nearly normal
        covariance = np.atleast_2d(np.cov(scores.T, bias=True)) / n
        return rng.multivariate_normal(scores.mean(0), covariance, n_draws, method="svd")
    counts = rng.multinomial(n, np.full(n, 1 / n), n_draws)
    means: Array = counts @ scores / n
    return means
