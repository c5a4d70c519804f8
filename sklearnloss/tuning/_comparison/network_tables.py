"""The tables of a comparison of losses and networks, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..._utils.text import listed, plural
from .statistics import draw_means, leads_without_spread
from .tables import CERTAIN
from .wording import failures, probability, setting

if TYPE_CHECKING:
    from .results import LossComparison

Array = NDArray[Any]
Row = dict[str, Any]
_N_DRAWS = 20_000


def whole_part(comparisons: Mapping[str, LossComparison]) -> tuple[list[str], list[str]]:
    """Return the networks and losses that have all scores.

    Networks for which no loss has a score are left out first, then losses without a
    score for one of the remaining networks.
    """
    scored = {
        name: {row["loss"] for row in comparison.table_ if np.isfinite(row["mean"])}
        for name, comparison in comparisons.items()
    }
    networks = [name for name, losses in scored.items() if losses]
    labels = next(iter(comparisons.values())).labels_
    return networks, [
        label for label in labels if networks and all(label in scored[name] for name in networks)
    ]


def failure_notes(comparisons: Mapping[str, LossComparison]) -> list[str]:
    """Return notes on losses that did not finish with a network, and how they are counted."""
    networks, losses = whole_part(comparisons)
    notes = [
        f"left out: {name} (no loss finished all its fits)"
        for name in comparisons
        if name not in networks
    ]
    rows = {name: {row["loss"]: row for row in comparisons[name].table_} for name in networks}
    for label in next(iter(comparisons.values())).labels_:
        failed = [
            f"{failures(rows[name][label])} with {name}"
            for name in networks
            if failures(rows[name][label])
        ]
        if failed:
            counted = "counted with a bad score" if label in losses else "left out"
            notes.append(f"{counted}: {label} ({', '.join(failed)})")
    return notes


def best_rows(comparisons: Mapping[str, LossComparison]) -> list[Row]:
    """Return a row per network: its best loss, and what is known about the others."""
    rows = []
    for name, comparison in comparisons.items():
        first = comparison.table_[0]
        best = comparison.best_
        pairs = [pair for pair in comparison.pairs_ if pair["a"] == best]
        found = {
            outcome: [pair["b"] for pair in pairs if pair["outcome"] == outcome]
            for outcome in ("better", "equivalent", "undecided", "unknown", "failed")
        }
        rows.append(
            {
                "network": name,
                "loss": best,
                "mean": first["mean"],
                "p_best": first["p_best"] if best is not None else np.nan,
                "beats": found["better"],
                "equivalent": found["equivalent"],
                "undecided": [*found["undecided"], *found["unknown"]],
                "failed": found["failed"],
            }
        )
    return rows


def best_everywhere(scores: Array, ratio: float, rope: float) -> tuple[Array, float]:
    """Return the probability that a loss is best, or as good, for all networks.

    Computed from joint draws of all means; a loss is as good as the best one if its mean
    is lower by no more than ``rope``.

    Parameters
    ----------
    scores : ndarray of shape (n_networks, n_losses, n_splits)
        Without nan.
    ratio : float
        ``n_test / n_train``.
    rope : float
        Largest difference that does not matter.

    Returns
    -------
    each : ndarray of shape (n_losses,)
        The probability for each loss.
    any : float
        The probability that there is such a loss. All are nan if there are fewer than two
        splits, or if a network's best loss is ahead of another one by the same amount in
        every split.
    """
    n_networks, n_losses, n_splits = scores.shape
    if n_splits < 2 or n_losses < 1 or any(map(leads_without_spread, scores)):
        return np.full(n_losses, np.nan), np.nan
    cells = scores.reshape(n_networks * n_losses, n_splits)
    drawn = draw_means(cells, ratio, n_draws=_N_DRAWS).reshape(n_networks, n_losses, -1)
    good = (drawn >= drawn.max(1, keepdims=True) - rope - 1e-12).all(0)
    return good.mean(1), float(good.any(0).mean())


def rank_rows(
    labels: Sequence[str], networks: Sequence[str], means: Array, each: Array
) -> list[Row]:
    """Return a row per loss with its mean rank over the networks, the best first.

    Parameters
    ----------
    labels, networks : list of str
        Losses and networks.
    means : ndarray of shape (n_networks, n_losses)
        Mean scores, without nan.
    each : ndarray of shape (n_losses,)
        Probabilities from :func:`best_everywhere`.
    """
    if not labels:
        return []
    # Means of the same scores in a different order differ by rounding; these are ties, too.
    ranks = stats.rankdata(-np.round(means, 12), axis=1)
    order: Array = np.lexsort([-means.mean(0), ranks.mean(0)])
    return [
        {
            "loss": labels[k],
            "mean_rank": float(ranks[:, k].mean()),
            "mean": float(means[:, k].mean()),
            "p_best_for_all": float(each[k]),
            "ranks": dict(zip(networks, ranks[:, k].tolist(), strict=True)),
        }
        for k in order
    ]


def verdict_on_networks(ranks: Sequence[Row], best: Sequence[Row], any_: float, rope: float) -> str:
    """Say whether one loss is best for all networks, without claiming more than is known.

    Parameters
    ----------
    ranks : list of dict
        From :func:`rank_rows`.
    best : list of dict
        From :func:`best_rows`, for the networks that have all scores.
    any_ : float
        From :func:`best_everywhere`.
    rope : float
        Largest difference that does not matter.
    """
    n = len(best)
    if n < 2 or len(ranks) < 2:
        return (
            f"no verdict: {plural(len(ranks), 'loss', 'losses')} and {plural(n, 'network')} "
            f"with all scores, expected two of each"
        )
    if np.isnan(any_):
        return (
            "undecided: how much scores vary from split to split cannot be estimated. Use more "
            "splits, or more images in each"
        )
    good = f"best or as good (within {setting(rope)})" if rope else "best"
    networks = "both networks" if n == 2 else f"all {n} networks"
    certain = [row for row in ranks if row["p_best_for_all"] >= CERTAIN]
    if certain:
        named = [f"{row['loss']} (P {probability(row['p_best_for_all'])})" for row in certain]
        each = "is" if len(certain) == 1 else "are each"
        return f"{listed(named)} {each} {good} for {networks}"
    if any_ >= CERTAIN:
        likely = sorted(ranks, key=lambda row: -row["p_best_for_all"])[:2]
        named = [f"{row['loss']} (P {probability(row['p_best_for_all'])})" for row in likely]
        return (
            f"one loss is {good} for {networks} (P {probability(any_)}), but which one is open: "
            f"{' or '.join(named)}"
        )
    if any_ <= 1 - CERTAIN:
        p = probability(1 - any_)
        return f"the best loss differs: none is {good} for {networks} (P {p}); {_highest(best)}"
    return (
        f"undecided: {_highest(best)}; that one loss is {good} for {networks} has "
        f"P {probability(any_)}"
    )


def _highest(best: Sequence[Row]) -> str:
    """Say which loss has the highest score with which networks."""
    networks: dict[str, list[str]] = {}
    for row in best:
        text = f"{row['network']} (P(best) {probability(row['p_best'])})"
        networks.setdefault(row["loss"], []).append(text)
    (first, where), *others = networks.items()
    parts = [f"{loss} with {listed(names)}" for loss, names in others]
    return ", ".join([f"{first} scores highest with {listed(where)}", *parts])
