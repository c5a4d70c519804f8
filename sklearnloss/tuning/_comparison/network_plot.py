"""The picture of a comparison of losses and networks."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...estimators._displays.style import COLORS, import_pyplot
from .plot import BLUE, GREY, plain_text, remove_frame
from .statistics import corrected_t_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .network_results import NetworkComparison

Array = NDArray[Any]

# Without yellow, which is hard to see on white.
_COLORS = COLORS[:6]
_MARKERS = "osD^vPX*<>"
_DASHES = ("-", "--", ":", "-.")
#: Widths of the two panels: scores and shares.
WIDTHS = (2.1, 1.0)


def figure_size(comparison: NetworkComparison) -> tuple[float, float]:
    """Return width and height in inches."""
    n_networks, n_losses = len(comparison.networks_), len(comparison.labels_)
    return 11.0 + max(0, n_networks - 5), 4.2 + 0.2 * max(0, n_losses - 10)


def new_axes(comparison: NetworkComparison) -> list[Axes]:
    """Return two axes on a new figure."""
    plt = import_pyplot("NetworkComparison.plot")
    _, axes = plt.subplots(
        1,
        2,
        figsize=figure_size(comparison),
        layout="constrained",
        gridspec_kw={"width_ratios": WIDTHS},
    )
    return list(axes)


def draw_networks(axes: Sequence[Axes], comparison: NetworkComparison) -> None:
    """Draw scores over networks on the first axes, shares of the spread on the second."""
    draw_scores(axes[0], comparison)
    if len(axes) > 1:
        draw_shares(axes[1], comparison)


def draw_scores(axes: Axes, comparison: NetworkComparison) -> None:
    """Draw a line per loss; the best on average comes first in the legend."""
    scores = comparison.scores_
    n_networks, n_losses = scores.shape[:2]
    half = half_widths(scores, comparison)
    means = scores.mean((2, 3))
    ranked = [row["loss"] for row in comparison.ranks_]
    order = [*ranked, *(label for label in comparison.labels_ if label not in ranked)]
    step = min(0.09, 0.5 / max(1, n_losses))
    for number, label in enumerate(order):
        k = comparison.labels_.index(label)
        where = np.arange(n_networks) + step * (number - (n_losses - 1) / 2)
        axes.errorbar(
            where,
            means[:, k],
            yerr=half[:, k],
            color=_COLORS[number % len(_COLORS)],
            marker=_MARKERS[number % len(_MARKERS)],
            ls=_DASHES[number // len(_COLORS) % len(_DASHES)],
            ms=6,
            lw=1.8,
            elinewidth=1.2,
            capsize=0,
            label=plain_text(label),
        )
    names = [_wrapped(name) for name in comparison.networks_]
    axes.set_xticks(range(n_networks), names)
    axes.set_xlim(-0.5, n_networks - 0.5)
    axes.set_title(
        f"{plain_text(comparison.about_['metric'])} on held-out data", fontsize="medium", loc="left"
    )
    axes.set_xlabel(
        "mean and corrected 95 % interval, without the difficulty of the splits",
        fontsize="small",
        color=GREY,
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0)
    remove_frame(axes)


def half_widths(scores: Array, comparison: NetworkComparison) -> Array:
    """Return the half-width of each mean's interval, without what all scores of a split share.

    Parameters
    ----------
    scores : ndarray of shape (n_networks, n_losses, n_splits, n_seeds)
        Some may be nan.
    comparison : NetworkComparison
        The comparison with these scores.

    Returns
    -------
    half : ndarray of shape (n_networks, n_losses)
        0 where it is unknown.
    """
    by_split = scores.mean(3)
    whole = np.isfinite(by_split).all(2)
    hard = by_split[whole].mean(0) if whole.any() else np.zeros(by_split.shape[2])
    fits = next(iter(comparison.comparisons_.values())).fits_
    test = corrected_t_test(by_split - hard, fits.ratio)
    return np.nan_to_num((test.high - test.low) / 2)


def _wrapped(name: str) -> str:
    """Break the name of a network into lines, first after the library."""
    library, colon, own = name.partition(":")
    parts = [f"{library}:", own] if colon and own and len(name) > 14 else [name]
    lines = [line for part in parts for line in textwrap.wrap(part, 18) or [""]]
    return plain_text("\n".join(lines))


def draw_shares(axes: Axes, comparison: NetworkComparison) -> None:
    """Draw a bar per effect with the interval of its share."""
    rows = comparison.effects_
    names = []
    for height, row in enumerate(rows):
        share = 100 * np.nan_to_num(row["share"])
        color = GREY if height == len(rows) - 1 else BLUE
        axes.barh(height, share, height=0.55, color=color, alpha=0.75, lw=0)
        if np.isfinite(row["share_low"]):
            ends = 100 * row["share_low"], 100 * row["share_high"]
            axes.plot(ends, [height, height], color="#111827", lw=1.6, solid_capstyle="butt")
        text = "unknown" if np.isnan(row["share"]) else f"{share:.0f} %"
        names.append(f"{row['effect']}\n{text}")
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 103)
    axes.set_xticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)])
    axes.set_title("share of the spread", fontsize="medium", loc="left")
    axes.set_xlabel("with 95 % interval", fontsize="small", color=GREY)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    remove_frame(axes)
