"""What the leader's lead over other candidates is worth: noise, intervals, probabilities."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .noise import median_gap

#: A pair's own spread is drawn towards that of all pairs, which counts for this many
#: degrees of freedom.
_POOLED_DOF = 4

#: The median difference of two normal values, in standard deviations of one of them.
_GAP = math.sqrt(2) * float(stats.norm.ppf(0.75))

Folds = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class Noise:
    """How much the scores of a search vary.

    Parameters
    ----------
    variance : float
        Of a candidate's score, from fold to fold, after subtracting the means of
        candidates and folds.
    dof : int
        Degrees of freedom of that estimate; 0 if there is none.
    between : float
        Variance of the candidates' true means. A few that failed to learn do not matter.
    n_candidates : int
        Number of candidates that finished several folds.
    """

    variance: float
    dof: int
    between: float
    n_candidates: int

    @property
    def is_known(self) -> bool:
        """Whether there is any spread to judge differences by."""
        return self.dof > 0 and self.variance > 0


@dataclass(frozen=True)
class Lead:
    """How far the leader is ahead of another candidate.

    Parameters
    ----------
    difference : float
        Leader minus candidate, the mean over the folds that both finished.
    n_folds : int
        Number of these folds.
    low, high : float
        Simultaneous 95 % interval; nan if the noise is unknown.
    p : float
        Adjusted for the choice of the best; nan if the noise is unknown.
    p_worse, p_equal, p_better : float
        Probabilities that the leader is worse by more than ``rope``, as good, or better by
        more; nan if the noise is unknown.
    shrunk : float
        The difference, drawn towards 0 since the best of many is optimistic.
    sd : float
        Standard deviation of the difference from fold to fold.
    """

    difference: float
    n_folds: int
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_worse: float = math.nan
    p_equal: float = math.nan
    p_better: float = math.nan
    shrunk: float = math.nan
    sd: float = math.nan


def estimate_noise(folds: Folds, ratio: float) -> Noise:
    """Estimate the noise from all candidates of a search.

    Parameters
    ----------
    folds : dict of int to list of float
        The scores of each candidate's folds, the first ones of the same folds.
    ratio : float
        ``n_test / n_train``.

    Returns
    -------
    noise : Noise

    Examples
    --------
    >>> from sklearnloss.tuning._race.leads import estimate_noise
    >>> noise = estimate_noise({0: [0.9, 0.8, 0.9], 1: [0.8, 0.8], 2: [0.3]}, ratio=0.5)
    >>> noise.dof, noise.n_candidates, round(noise.variance, 4)
    (1, 2, 0.0025)
    """
    several = [np.asarray(each, dtype=float) for each in folds.values() if len(each) > 1]
    squares, dof = _residuals(several)
    variance = squares / dof if dof else 0.0
    total = (median_gap([each[0] for each in folds.values()]) / _GAP) ** 2
    return Noise(variance, dof, max(0.0, total - variance * (1 + ratio)), len(several))


def _residuals(rows: Sequence[np.ndarray]) -> tuple[float, int]:
    """Return squares and degrees of freedom after fitting a mean per candidate and fold.

    All candidates start with the same fold, so the table is a staircase; folds that only one
    candidate has finished add nothing.
    """
    rows = [row for row in rows if len(row) > 1]
    if len(rows) < 2:
        return 0.0, 0
    n_folds = max(len(row) for row in rows)
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    fold = np.concatenate([np.arange(len(row)) for row in rows])
    y = np.concatenate(rows)
    y = y - y.mean()
    design = np.concatenate([np.eye(len(rows))[owner], np.eye(n_folds)[fold]], axis=1)
    fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ fitted
    rest[np.abs(rest) < 1e-12 * max(1.0, float(np.abs(y).max()))] = 0.0
    return float((rest**2).sum()), len(y) - int(rank)


def measure_lead(
    leader: Sequence[float], other: Sequence[float], noise: Noise, ratio: float, rope: float
) -> Lead:
    r"""Compare the leader with another candidate on the folds that both have finished. ::

        SE^2 = v (1 / J + n_test / n_train)

    Here v, the variance of a difference from fold to fold, is that of all pairs, or that of
    this pair if it is larger (moderated: Smyth, 2004), and the second term is Nadeau and
    Bengio's correction for training sets that overlap.

    *Interval and p* are those of Tukey and Kramer's test of all pairs of the candidates that
    finished several folds. Since it holds for all pairs together, it also holds for the pairs
    of the best one, whichever that is.

    *Probabilities* are Student's t around the difference, drawn towards 0 by
    ``2 b / (2 b + SE^2)``, with b the variance between candidates: where all
    candidates differ by no more than noise does, so does the best one.

    Parameters
    ----------
    leader, other : sequence of float
        Scores of the finished folds, the first ones of the same folds.
    noise : Noise
        That of the search.
    ratio : float
        ``n_test / n_train``.
    rope : float
        Largest difference that does not matter.

    References
    ----------
    C. Y. Kramer, "Extension of multiple range tests to group means with unequal numbers
    of replications", Biometrics 12, 1956. https://doi.org/10.2307/3001469

    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning
    52, 2003. https://doi.org/10.1023/A:1024068626366

    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression", Statistical Applications in Genetics and Molecular Biology 3, 2004.
    https://doi.org/10.2202/1544-6115.1027

    B. Efron, "Tweedie's formula and selection bias", Journal of the American Statistical
    Association 106, 2011. https://doi.org/10.1198/jasa.2011.tm11181
    """
    n = min(len(leader), len(other))
    differences = np.subtract(leader[:n], other[:n])
    mean = float(differences.mean())
    if n < 2 or not noise.is_known:
        return Lead(mean, n)
    pooled = 2 * noise.variance
    squares = float(((differences - mean) ** 2).sum())
    own = (_POOLED_DOF * pooled + squares) / (_POOLED_DOF + n - 1)
    variance = max(pooled, own)
    error = math.sqrt(variance * (1 / n + ratio))
    dof, m = noise.dof, max(2, noise.n_candidates)
    half = _limit(m, dof) * error
    p = float(stats.studentized_range.sf(math.sqrt(2) * abs(mean) / error, m, dof))
    shrunk = mean * 2 * noise.between / (2 * noise.between + error**2)
    worse = float(stats.t.cdf((-rope - shrunk) / error, dof))
    better = float(stats.t.sf((rope - shrunk) / error, dof))
    equal = max(0.0, 1 - worse - better)
    return Lead(
        mean, n, mean - half, mean + half, p, worse, equal, better, shrunk, math.sqrt(variance)
    )


@functools.lru_cache(64)
def _limit(n_candidates: int, dof: int) -> float:
    """Return the largest of all pairs' differences that chance explains, in standard errors."""
    return float(stats.studentized_range.ppf(0.95, n_candidates, dof)) / math.sqrt(2)
