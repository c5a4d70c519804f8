"""The picture of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...estimators._displays.style import COLORS, import_pyplot
from .wording import failures, number, setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .results import LossComparison

BLUE, ORANGE, GREEN = COLORS[0], COLORS[1], COLORS[2]
GREY = "#6b7280"


def figure_size(n_losses: int) -> tuple[float, float]:
    """Return width and height in inches."""
    return 10.5, 1.5 + 0.42 * n_losses


def part_size(n_losses: int) -> tuple[float, float]:
    """Return width and height of one of the two parts, drawn by itself."""
    return 5.2, 1.5 + 0.42 * n_losses


def new_axes(n_losses: int) -> list[Axes]:
    """Return two axes on a new figure."""
    plt = import_pyplot("LossComparison.plot")
    _, axes = plt.subplots(1, 2, figsize=figure_size(n_losses), layout="constrained")
    return list(axes)


def check_axes(ax: Any, what: str) -> list[Axes]:
    """Return one or two axes passed by the user as a list.

    Raises
    ------
    TypeError, ValueError
        If they are something else; ``what`` names what the two are for.
    """
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) not in (1, 2):
        raise ValueError(f"ax holds {len(axes)} axes, expected one or two: for {what}.")
    if not all(hasattr(each, "plot") for each in axes):
        raise TypeError(f"ax={ax!r}: expected matplotlib Axes, or two of them.")
    return axes


def draw_comparison(axes: Sequence[Axes], comparison: LossComparison) -> None:
    """Draw the scores on the first axes, and the differences from the best on the second."""
    draw_scores(axes[0], comparison)
    if len(axes) > 1:
        draw_differences(axes[1], comparison)
        axes[1].set_yticklabels([])


def draw_scores(axes: Axes, comparison: LossComparison) -> None:
    """Draw a dot per split and a line at the mean, the best loss at the top."""
    raw = next(iter(comparison.fits_.scores.values()))
    finished = dict(zip(comparison.labels_, raw, strict=True))
    rng = np.random.default_rng(0)
    for height, row in enumerate(comparison.table_):
        label = row["loss"]
        color = BLUE if label == comparison.best_ else GREY
        known = finished[label].ravel()
        known = known[np.isfinite(known)]
        jitter = height + rng.uniform(-0.15, 0.15, len(known))
        axes.plot(known, jitter, "o", color=color, alpha=0.45, ms=5, mew=0)
        if np.isfinite(row["mean"]):
            axes.plot([row["mean"]] * 2, [height - 0.32, height + 0.32], color=color, lw=3)
            text = number(row["mean"])
        else:
            text = failures(row)
        _annotate(axes, height, text, color)
    _draw_baseline(axes, next(iter(comparison.baseline_.values()), np.nan))
    _finish(axes, [row["loss"] for row in comparison.table_])
    axes.set_title(
        f"{plain_text(comparison.about_['metric'])} on held-out data",
        fontsize="medium",
        loc="left",
        pad=14,  # above the name of the dotted line
    )
    axes.set_xlabel("one dot per fit, line at the mean", fontsize="small", color=GREY)


def _draw_baseline(axes: Axes, score: float) -> None:
    """Draw a dotted line at the score of a constant answer."""
    if np.isfinite(score):
        axes.axvline(score, color=GREY, lw=1, ls=":", zorder=0)
        where = axes.get_xaxis_transform()
        axes.text(score, 1.0, " constant answer", transform=where, fontsize="x-small", color=GREY)


def draw_differences(axes: Axes, comparison: LossComparison) -> None:
    """Draw the corrected intervals of the differences, and the range that does not matter."""
    rope, best = comparison.rope_, comparison.best_
    if best is None:
        axes.set_axis_off()
        return
    others = [row["loss"] for row in comparison.table_ if row["loss"] != best]
    pairs = {pair["b"]: pair for pair in comparison.pairs_ if pair["a"] == best}
    axes.axvspan(-rope, rope, color=GREEN, alpha=0.13, lw=0, zorder=0)
    axes.axvline(0, color=GREY, lw=1, zorder=0)
    heights = {row["loss"]: height for height, row in enumerate(comparison.table_)}
    for label in others:
        if label in pairs:
            _draw_interval(axes, heights[label], pairs[label])
    _finish(axes, [row["loss"] for row in comparison.table_])
    axes.set_title(f"difference from {plain_text(best)}", fontsize="medium", loc="left")
    axes.set_xlabel(
        f"corrected 95 % interval; green: up to {setting(rope)}, which does not matter",
        fontsize="small",
        color=GREY,
    )


def _draw_interval(axes: Axes, height: int, pair: dict[str, Any]) -> None:
    word, color, ink = _LOOKS.get(pair["outcome"], ("undecided", GREY, GREY))
    if np.isfinite(pair["low"]):
        low, high = -pair["high"], -pair["low"]
        axes.plot([low, high], [height, height], color=color, lw=2.5, solid_capstyle="round")
    if np.isfinite(pair["difference"]):
        axes.plot([-pair["difference"]], [height], "o", color=color, ms=7)
    _annotate(axes, height, word, ink)


# The word, the color of the interval, and a darker one for text.
_LOOKS = {
    "better": ("worse", ORANGE, "#a05a00"),
    "equivalent": ("equivalent", GREEN, "#00734f"),
    "failed": ("no verdict", GREY, "#b42318"),
}


def _widen(axes: Axes) -> None:
    """Leave room for tick labels where all values are the same."""
    low, high = axes.get_xlim()
    if high - low < 1e-3:
        middle = (low + high) / 2
        axes.set_xlim(middle - 0.05, middle + 0.05)


def plain_text(label: str) -> str:
    """Return a label that matplotlib draws verbatim, not as a formula."""
    readable = label.encode("utf-8", "backslashreplace").decode()
    return readable.replace("$", r"\$")


def _annotate(axes: Axes, height: int, text: str, color: str) -> None:
    """Write to the right of the axes."""
    axes.annotate(
        text,
        (1.01, height),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize="small",
        color=color,
    )


def _finish(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [plain_text(label) for label in labels])
    _widen(axes)
    axes.locator_params(axis="x", nbins=5)  # labels of tiny differences are long
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    remove_frame(axes)


def remove_frame(axes: Axes) -> None:
    """Keep only the bottom spine."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
