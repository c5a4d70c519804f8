r"""How much of the spread of scores is due to the loss, to the network, and to their interaction.

With networks i, losses k and splits j, a score is the mean over seeds, ::

    y_ikj = m + a_i + b_k + g_ik + s_j + e_ikj

where a is the network's effect, b the loss's, g their interaction, s how hard the split is,
and e the rest. Effects add up to 0, because these are all the networks and losses there are.

An effect's variance is the mean of its squares over all cells. Computed from the means, it also
contains noise, whose expectation is subtracted. With the projection P on an effect, the means M
over the J splits, and the covariance C of the scores over the splits, ::

    variance = (|P M|^2 - (1 / J + n_test / n_train) tr(P C)) / (n_networks n_losses)

The factor is Nadeau and Bengio's: training sets of different splits overlap.

The 95 % intervals invert a test. An effect is multiplied by a number, and noise is drawn from a
multivariate t distribution with J - 1 degrees of freedom and the covariance P C P times that
factor. The ends are where 2.5 % of the draws have at least the observed |P M|^2, and where 97.5 %
do. With two losses the square root of the interval is that of the corrected t-test; with no
effect at all the interval begins at 0. Shares are treated the same way, except that the
other effects and the rest are drawn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .statistics import draw_means, has_no_spread

Array = NDArray[Any]
Row = dict[str, Any]

EFFECTS = ("loss", "network", "loss x network")
REST = "rest (splits, seeds)"
_N_DRAWS = 20_000
_ENDS = 0.025, 0.975
_UNKNOWN = (np.nan,) * 3
#: Variances up to this may be due to rounding.
_ROUNDING = 1e-14


def effect_rows(scores: Array, ratio: float, *, seed: int = 0) -> list[Row]:
    """Return a row per effect, and one for the rest.

    Parameters
    ----------
    scores : ndarray of shape (n_networks, n_losses, n_splits, n_seeds)
        Without nan.
    ratio : float
        ``n_test / n_train``.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    rows : list of dict
        "effect"; "variance" with "low" and "high"; "share" of the sum of the
        variances, with "share_low" and "share_high". The rest is the variance of one
        fit around the mean of its network and loss, apart from how hard the split is.
        nan where it cannot be estimated: from one split, without spread over splits,
        or of an effect that needs two networks or two losses.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning
    52, 2003. https://doi.org/10.1023/A:1024068626366

    H. Huynh, L. S. Feldt, "Estimation of the Box correction for degrees of freedom
    from sample data in randomized block and split-plot designs", Journal of
    Educational Statistics 1, 1976. https://doi.org/10.3102/10769986001001069
    """
    n_networks, n_losses, n_splits, _ = scores.shape
    cells = scores.mean(3).reshape(n_networks * n_losses, n_splits)
    names = [*EFFECTS, REST]
    # Without spread over splits the noise is unknown, and so is everything derived from it.
    if n_splits < 2 or len(cells) < 2 or has_no_spread(cells - cells[:1]).all():
        return [_row(name, _UNKNOWN, _UNKNOWN) for name in names]
    model = _Model(scores, cells, ratio, seed)
    rows = [model.row(k, name) for k, name in enumerate(EFFECTS)]
    rest = model.rest_row()
    # The rest cannot have the share that an effect has at least.
    most = 1 - float(np.nanmax([0, *(row["share_low"] for row in rows)]))
    rest["share_high"] = max(rest["share"], min(rest["share_high"], most))
    return [*rows, rest]


def _row(name: str, variance: Sequence[float], share: Sequence[float]) -> Row:
    keys = ("variance", "low", "high", "share", "share_low", "share_high")
    values = map(float, (*variance, *share))
    return {"effect": name, **dict(zip(keys, values, strict=True))}


class _Model:
    """The effects in a table of means, their noise, and draws of the noise.

    Everything is in units of variance: sums of squares over the number of cells.

    Attributes
    ----------
    squares : ndarray of shape (3,)
        Mean squares of the effects in the means, including noise.
    variances : ndarray of shape (3,)
        The same without noise; at least 0.
    exists, known : ndarray of shape (3,), bool
        Whether there can be such an effect, and whether there is noise to compare it with.
    noise, products : ndarray of shape (3, n_draws)
        Squares of draws of the noise, and their products with the effects.
    rest : float
        Variance of one fit.
    rests : ndarray of shape (n_draws,)
        Draws of ``rest``.
    """

    def __init__(self, scores: Array, cells: Array, ratio: float, seed: int) -> None:
        shape = scores.shape[:2]
        n_splits = cells.shape[1]
        means = cells.mean(1)
        residuals = cells - means[:, None]
        effects = _effects(means, shape)
        self.squares = np.mean(effects**2, axis=1)
        of_splits = np.mean(_effects(residuals, shape) ** 2, axis=1).sum(1)
        factor = 1 / n_splits + ratio
        expected = factor * of_splits / (n_splits - 1)
        self.variances = np.maximum(self.squares - expected, 0)
        n_networks, n_losses = shape
        self.exists = np.array([n_losses > 1, n_networks > 1, min(shape) > 1])
        self.known = (self.squares > 0) & (expected > _ROUNDING)
        noise = _effects(draw_means(residuals, ratio, n_draws=_N_DRAWS, seed=seed), shape)
        self.noise = np.mean(noise**2, axis=1)
        self.products = np.mean(effects[:, :, None] * noise, axis=1)
        self.rest, dof = _rest(scores, residuals)
        rng = np.random.default_rng([seed, 1])
        self.rests = self.rest * rng.chisquare(dof, _N_DRAWS) / dof

    def row(self, k: int, name: str) -> Row:
        """Return an effect's row."""
        variance, square = self.variances[k], self.squares[k]
        total = self.variances.sum() + self.rest
        if not self.exists[k]:
            return _row(name, _UNKNOWN, _UNKNOWN)
        if not self.known[k]:
            return _row(name, (variance, np.nan, np.nan), (variance / total, np.nan, np.nan))
        others = self._others(k)

        def share(own: Array) -> Array:
            part: Array = own / (own + others)
            return part

        found = _invert(lambda factor: self._drawn(k, factor), square)
        observed = square / (self.squares.sum() + self.rest)
        parts = [
            factor**2 * square
            for factor in _invert(lambda factor: share(self._drawn(k, factor)), observed)
        ]
        return _row(
            name,
            _around(variance, [factor**2 * square for factor in found]),
            _around(variance / total, [part / (part + total - variance) for part in parts]),
        )

    def rest_row(self) -> Row:
        """Return the row of the rest."""
        squares, total = self.squares.sum(), self.variances.sum() + self.rest
        low, high = np.quantile(self.rests, _ENDS)

        def explained(factor: float) -> Array:
            part: Array = np.sum([self._drawn(k, factor) for k in range(3)], axis=0)
            return part / (part + self.rests)

        least, most = _invert(explained, squares / (squares + self.rest))
        shares = [self.rest / (factor**2 * squares + self.rest) for factor in (most, least)]
        return _row(
            REST,
            _around(self.rest, [self.rest**2 / high, self.rest**2 / low]),
            _around(self.rest / total, shares),
        )

    def _drawn(self, k: int, factor: float) -> Array:
        """Return draws of an effect's squares if the effect were larger by a factor."""
        drawn: Array = factor**2 * self.squares[k] + 2 * factor * self.products[k] + self.noise[k]
        return drawn

    def _others(self, k: int) -> Array:
        """Draw the squares of the other effects, and the rest."""
        total = self.rests
        for other in set(range(3)) - {k}:
            squares = self.squares[other]
            shrunk = np.sqrt(self.variances[other] / squares) if squares > 0 else 0.0
            total = total + self._drawn(other, shrunk)
        return total


def _effects(cells: Array, shape: tuple[int, ...]) -> Array:
    """Return the effects of loss, network and their interaction, of shape (3, n_cells, ...)."""
    table = cells.reshape(*shape, *cells.shape[1:])
    grand = table.mean((0, 1), keepdims=True)
    loss = table.mean(0, keepdims=True) - grand
    network = table.mean(1, keepdims=True) - grand
    both = table - grand - loss - network
    found = [np.broadcast_to(each, table.shape) for each in (loss, network, both)]
    return np.stack(found).reshape(3, *cells.shape)


def _rest(scores: Array, residuals: Array) -> tuple[float, float]:
    """Return the variance of one fit around its cell and split, and its degrees of freedom.

    Fits of one cell and split differ by their seeds only: that part is estimated within them.
    """
    n_cells, n_splits = residuals.shape
    n_seeds = scores.shape[3]
    paired = residuals - residuals.mean(0)
    covariance = paired @ paired.T / (n_splits - 1)
    trace, rank = np.trace(covariance), n_cells - 1
    within = float(scores.var(3, ddof=1).mean()) if n_seeds > 1 else 0.0
    # Huynh and Feldt: cells with different noise have fewer degrees of freedom than equal ones.
    box = trace**2 / (rank * (covariance**2).sum())
    below = n_splits - 1 - rank * box
    equal = (n_splits * rank * box - 2) / (rank * below) if below > 1e-9 else 1.0
    dof = rank * (n_splits - 1) * float(np.clip(equal, box, 1))
    return float(trace / rank) + within * (1 - 1 / n_seeds), dof


def _invert(drawn: Callable[[float], Array], observed: float) -> tuple[float, float]:
    """Return the factors of an effect with which 2.5 and 97.5 % are at least what was observed."""
    low, high = (_factor(drawn, observed, end) for end in _ENDS)
    return low, high


def _factor(drawn: Callable[[float], Array], observed: float, end: float) -> float:
    def reached(factor: float) -> bool:
        return bool(np.mean(drawn(factor) >= observed) >= end)

    if reached(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not reached(high) and high < 1e6:
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _around(value: float, ends: Sequence[float]) -> tuple[float, float, float]:
    """Return an estimate and its interval, widened to contain the estimate."""
    return value, min(ends[0], value), max(ends[1], value)
