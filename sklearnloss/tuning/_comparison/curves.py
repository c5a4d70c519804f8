"""The course of the training of a comparison's fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...estimators._displays.style import COLORS
from .plot import GREY, plain_text, remove_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .results import LossComparison

Curve = Sequence[Sequence[float]]


def loss_curve(comparison: LossComparison, label: str) -> list[list[float]]:
    """Return [epoch, training loss] of a loss: the mean over its fits.

    Only epochs that all finished fits have reached; empty if none has kept its losses.
    """
    fits = comparison.fits_
    curves = [dict(map(tuple, each.get("curve", []))) for each in _kept(comparison, label)]
    curves = [curve for curve in curves if curve]
    if fits.kept is None or not curves:
        return []
    epochs = sorted(set.intersection(*map(set, curves)))
    return [[epoch, float(np.mean([curve[epoch] for curve in curves]))] for epoch in epochs]


def last_epoch(comparison: LossComparison) -> int | None:
    """Return the number of epochs of the longest fit with the best loss, None if unknown."""
    label = comparison.best_ or comparison.labels_[0]
    ends = [each["curve"][-1][0] for each in _kept(comparison, label) if each.get("curve")]
    return int(max(ends)) if ends else None


def _kept(comparison: LossComparison, label: str) -> list[dict[str, Any]]:
    return comparison.fits_.kept_of(comparison.fits_.labels.index(label))


def fraction_after_half(curve: Curve) -> tuple[float, float]:
    """Return how much a curve rises in its second half, and the share of its whole rise.

    The learning rate falls towards the end of a fit, so the last epochs are always flat.
    """
    epochs, values = np.array(curve, dtype=float).T
    half = values[np.searchsorted(epochs, epochs[-1] / 2)]
    whole = values[-1] - values[0]
    rise = float(values[-1] - half)
    return rise, float(rise / whole) if whole > 0 else 0.0


def draw_curves(
    axes: Axes, curves: Mapping[str, Curve], title: str, *, relative: bool = False
) -> None:
    """Draw a line per loss.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    curves : dict of str to sequence of (epoch, value)
        By loss.
    title : str
        What is drawn.
    relative : bool, default=False
        Draw each curve as a share of its first value, since losses differ in scale.
    """
    styles = ("-", "--", "-.", ":")  # also tell lines apart that lie on each other
    for k, (label, curve) in enumerate(curves.items()):
        epochs, values = np.array(curve, dtype=float).T
        if relative:
            values = values / values[0]
        style: dict[str, Any] = {"color": COLORS[k % len(COLORS)], "ls": styles[k % len(styles)]}
        marker = "o" if len(curve) == 1 else ""
        axes.plot(epochs, values, lw=2, marker=marker, label=plain_text(label), **style)
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_xlabel("epoch", fontsize="small", color=GREY)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)
    remove_frame(axes)
    axes.spines["left"].set_visible(True)


def may_be_relative(curves: Mapping[str, Curve]) -> bool:
    """Return whether all curves are positive, so that they can be drawn as shares."""
    return all(value > 0 for curve in curves.values() for _, value in curve)
