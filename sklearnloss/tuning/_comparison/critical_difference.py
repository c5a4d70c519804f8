"""Ranks of losses over several data sets."""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..._utils.text import text_keys
from ...estimators._displays.style import import_pyplot
from .results import LossComparison
from .wording import probability, setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]


def critical_difference(results: Any, *, alpha: float = 0.05) -> CriticalDifference:
    """Rank losses over several data sets: Friedman's test, and Nemenyi's for pairs.

    Parameters
    ----------
    results : dict of str to LossComparison or to dict of str to float, or DataFrame
        For each data set a comparison, or the score of each loss; all with the same losses.
        A ``DataFrame`` has a row per data set and a column per loss.
    alpha : float, default=0.05
        Significance level of the tests.

    Returns
    -------
    ranks : CriticalDifference

    Raises
    ------
    TypeError
        If ``results`` is a single comparison: folds of one data set share training images,
        so they do not count as data sets.
    ValueError
        If there are fewer than two data sets or two losses, if the losses differ between
        data sets, or if a loss has no score on a data set.

    See Also
    --------
    compare_losses : Compares losses on one data set.

    References
    ----------
    J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR
    7, 2006. https://www.jmlr.org/papers/v7/demsar06a.html

    Examples
    --------
    >>> from sklearnloss.tuning import critical_difference
    >>> scores = {f"data {k}": {"dice": 0.8 + k / 50, "bce": 0.7 + k / 60, "focal": 0.6}
    ...           for k in range(8)}
    >>> print(critical_difference(scores).summary())
    mean ranks over 8 data sets: dice 1.00, bce 2.00, focal 3.00
    Friedman's test: p < .001; critical difference 1.17
    not significantly different: dice, bce; bce, focal
    """
    if not (isinstance(alpha, numbers.Real) and 0 < alpha < 1):
        raise ValueError(f"alpha={alpha!r}: expected a level between 0 and 1, such as 0.05.")
    data_sets, labels, scores = _read(results)
    # Means of the same scores in a different order differ by rounding; these are ties, too.
    size = np.abs(scores).max(axis=1, keepdims=True)
    ranks = stats.rankdata(-np.round(scores / np.where(size > 0, size, 1), 12), axis=1)
    k = len(labels)
    order = np.argsort(ranks.mean(0), kind="stable")
    means = {labels[j]: float(ranks[:, j].mean()) for j in order}
    test = friedman(ranks)
    quantile = float(stats.studentized_range.ppf(1 - alpha, k, np.inf)) / np.sqrt(2)
    width = quantile * float(np.sqrt(k * (k + 1) / (6 * len(data_sets))))
    return CriticalDifference(data_sets, means, test.statistic, test.p, width, alpha)


class FriedmanTest(NamedTuple):
    """Statistic and p-value of :func:`friedman`."""

    statistic: float
    p: float


def friedman(ranks: Array) -> FriedmanTest:
    """Test whether losses have the same mean rank, with the correction for ties.

    Parameters
    ----------
    ranks : ndarray of shape (n_data_sets, n_losses)
        Ranks within each data set.
    """
    n, k = ranks.shape
    between = n * ((ranks.mean(0) - (k + 1) / 2) ** 2).sum()
    within = ((ranks - (k + 1) / 2) ** 2).sum() / (n * (k - 1))
    statistic = float(between / within) if within > 0 else 0.0
    return FriedmanTest(statistic, float(stats.chi2.sf(statistic, k - 1)))


def _read(results: Any) -> tuple[list[str], list[str], Array]:
    """Return data sets, losses, and scores of shape (n_data_sets, n_losses)."""
    if isinstance(results, LossComparison):
        raise TypeError(
            "A LossComparison is one data set: its splits share training images, so they cannot "
            "be rows. Pass {'name of data set': comparison, ...}, or see its pairs_."
        )
    if hasattr(results, "iterrows"):
        _check_distinct(results.index, "data set")
        _check_distinct(results.columns, "loss")
        results = {name: row.to_dict() for name, row in results.iterrows()}
    if not isinstance(results, Mapping):
        raise TypeError(
            f"results is of type {type(results).__name__}: expected a dict mapping data sets to "
            f"LossComparisons or to scores, or a DataFrame with a row per data set."
        )
    results = text_keys(results, "results")
    rows = {name: _scores(name, each) for name, each in results.items()}
    if len(rows) < 2:
        raise ValueError(f"results has {len(rows)} data set(s), expected at least 2.")
    labels = list(next(iter(rows.values())))
    for name, row in rows.items():
        if set(row) != set(labels):
            raise ValueError(
                f"results[{name!r}] has the losses {sorted(row)}, the others have {sorted(labels)}."
                f" Expected the same losses on all data sets."
            )
    if len(labels) < 2:
        raise ValueError(f"results has only the loss {labels}, expected at least 2.")
    for name, row in rows.items():
        _check_scores(name, row)
    return list(rows), labels, np.array([[row[label] for label in labels] for row in rows.values()])


def _check_scores(name: str, row: Mapping[str, float]) -> None:
    missing = [label for label, score in row.items() if np.isnan(score)]
    if missing:
        raise ValueError(
            f"results[{name!r}] has no score for {', '.join(missing)}. A loss that was not run has "
            f"no rank: leave out that data set or that loss. For a loss that failed, pass the "
            f"score that failures should get, like error_score of compare_losses."
        )


def _check_distinct(names: Iterable[Any], what: str) -> None:
    count = Counter(map(str, names))
    repeated = [name for name, times in count.items() if times > 1]
    if repeated:
        raise ValueError(
            f"results has the {what} {repeated[0]!r} {count[repeated[0]]} times. Expected each "
            f"once: pass means over splits or seeds, or different names."
        )


def _scores(name: str, result: Any) -> dict[str, float]:
    if isinstance(result, LossComparison):
        return {row["loss"]: row["mean"] for row in result.table_}
    if not isinstance(result, Mapping):
        raise TypeError(
            f"results[{name!r}] is of type {type(result).__name__}: expected a LossComparison, or "
            f"a dict mapping losses to scores."
        )
    named = text_keys(result, f"results[{name!r}]")
    return {label: _score(name, label, score) for label, score in named.items()}


def _score(name: str, label: str, given: Any) -> float:
    """Return a score as a float, nan if it is missing."""
    if given is None or type(given).__name__ == "NAType":
        return np.nan
    try:
        score = float(given)
    except (TypeError, ValueError):
        score = np.inf
    if np.isinf(score):
        raise ValueError(
            f"results[{name!r}] has the score {given!r} for {label!r}. Expected one finite number: "
            f"the mean over splits and seeds."
        )
    return score


class CriticalDifference:
    """Mean ranks of losses over data sets.

    Made by :func:`critical_difference`.

    Parameters
    ----------
    data_sets : list of str
        The data sets that the losses were ranked on.
    ranks : dict of str to float
        Mean rank of each loss (1 is best), in ascending order.
    statistic, p_value : float
        Statistic and p-value of Friedman's test.
    width : float
        The critical difference: mean ranks that differ by more are significantly different.
    alpha : float
        Significance level of the tests.

    Attributes
    ----------
    ranks_, statistic_, p_value_, critical_difference_, data_sets_
        The parameters.
    groups_ : list of list of str
        The largest groups of losses that are not significantly different.
    """

    def __init__(
        self,
        data_sets: list[str],
        ranks: Mapping[str, float],
        statistic: float,
        p_value: float,
        width: float,
        alpha: float,
    ) -> None:
        self.data_sets_ = data_sets
        self.ranks_ = dict(ranks)
        self.statistic_ = statistic
        self.p_value_ = p_value
        self.critical_difference_ = width
        self.alpha_ = alpha
        self.groups_ = _groups(self.ranks_, width)

    def summary(self) -> str:
        """Return ranks, test and groups as text."""
        ranks = ", ".join(f"{label} {rank:.2f}" for label, rank in self.ranks_.items())
        groups = "; ".join(", ".join(group) for group in self.groups_)
        return (
            f"mean ranks over {len(self.data_sets_)} data sets: {ranks}\n"
            f"Friedman's test: p {probability(self.p_value_)}; critical difference "
            f"{self.critical_difference_:.2f}\n"
            f"not significantly different: {groups or 'none'}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the mean ranks; bars join losses that are not significantly different.

        Needs matplotlib: ``pip install 'sklearnloss[plot]'``.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.

        Returns
        -------
        ax : matplotlib Axes
        """
        if ax is None:
            height = 1.6 + 0.28 * (len(self.ranks_) // 2 + len(self.groups_))
            _, ax = import_pyplot("CriticalDifference.plot").subplots(
                figsize=(8, height), layout="constrained"
            )
        _draw(ax, self)
        return ax

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<CriticalDifference of {', '.join(self.ranks_)}: p {probability(self.p_value_)}>"


def _groups(ranks: Mapping[str, float], width: float) -> list[list[str]]:
    """Return the largest runs of losses whose mean ranks are within ``width``."""
    labels, values = list(ranks), list(ranks.values())
    groups: list[list[str]] = []
    reached = 0
    for start in range(len(labels)):
        end = start
        while end < len(labels) and values[end] - values[start] <= width:
            end += 1
        if end - start > 1 and end > reached:  # not contained in the previous run
            groups.append(labels[start:end])
            reached = end
    return groups


def _draw(ax: Axes, result: CriticalDifference) -> None:
    """Draw the ranks on a line, with labels to the left and right below it and bars between."""
    labels, values = list(result.ranks_), list(result.ranks_.values())
    k, step = len(labels), 1.0
    bars = step * 0.6 * len(result.groups_)
    ax.set_xlim(1 - 0.12 * k, k + 0.12 * k)
    half = (k + 1) // 2
    for position, (label, rank) in enumerate(zip(labels, values, strict=True)):
        left = position < half
        row = position if left else k - 1 - position
        height = -bars - step * (row + 1)
        end = 1 - 0.02 * k if left else k + 0.02 * k
        ax.plot([rank, rank, end], [0, height, height], color="#374151", lw=1)
        align = "right" if left else "left"
        ax.text(end, height, f" {label} ({rank:.2f}) ", ha=align, va="center")
    for number_, group in enumerate(result.groups_):
        height = -step * 0.6 * (number_ + 0.7)
        ends = [result.ranks_[group[0]] - 0.04, result.ranks_[group[-1]] + 0.04]
        ax.plot(ends, [height, height], color="#0072B2", lw=4, solid_capstyle="round")
    _draw_scale(ax, k, result)
    ax.set_ylim(-bars - step * (half + 0.6), 1.9)


def _draw_scale(ax: Axes, k: int, result: CriticalDifference) -> None:
    ax.set_axis_off()
    ax.plot([1, k], [0, 0], color="#111827", lw=1.2)
    for rank in range(1, k + 1):
        ax.plot([rank, rank], [0, 0.2], color="#111827", lw=1.2)
        ax.text(rank, 0.3, str(rank), ha="center", va="bottom", fontsize="small")
    width = result.critical_difference_
    ax.plot([1, 1 + width], [1.3, 1.3], color="#111827", lw=1.2, marker="|")
    text = f"critical difference {width:.2f} (alpha = {setting(result.alpha_)})"
    ax.text(1, 1.45, text, va="bottom", fontsize="small")
