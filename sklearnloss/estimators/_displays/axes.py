"""The matplotlib part of figures of masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .panels import Key
from .planes import Row
from .style import import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

Array = NDArray[Any]


def new_axes(rows: Sequence[Row], n_panels: int) -> Array:
    """Return the axes of a new figure, up to four per row, at least as many as panels."""
    side_by_side = min(len(rows), max(1, 4 // n_panels))
    n_columns = side_by_side * n_panels
    n_rows = -(-len(rows) // side_by_side)
    height, width = rows[0].picture.shape[:2]
    ratio = float(np.clip(height / width, 0.25, 2.5))
    side = 2.5  # inches
    _, axes = import_pyplot("SegmentationDisplay").subplots(
        n_rows,
        n_columns,
        squeeze=False,
        figsize=(side * n_columns, (side * ratio + 0.3) * n_rows + 0.4),
        layout="constrained",
    )
    for spare in axes.flat[len(rows) * n_panels :]:
        spare.set_axis_off()
    return np.asarray(axes)


def draw_panel(
    axes: Axes, picture: Array, overlay: Array, title: str, image_kw: Mapping[str, Any] | None
) -> None:
    """Draw an image in [0, 1] and an RGBA overlay."""
    aspect = "auto" if picture.shape[0] == 1 else "equal"  # a signal is a strip
    style: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1, "aspect": aspect}
    style |= image_kw or {}
    axes.imshow(picture, **style)
    axes.imshow(overlay, aspect=style["aspect"], interpolation="nearest")
    axes.set_title(title, fontsize="medium")
    axes.set_axis_off()


def panel_title(row: Row, view: str, views: Sequence[str]) -> str:
    """Return the image's name for the first panel, and the score for the last one with errors."""
    scored = [name for name in views if name in ("prediction", "errors")]
    parts = [row.title] if view == views[0] else []
    if view != "image" and len(views) > 1:
        parts.append("errors by true label" if view == "errors" and not row.is_binary else view)
    if scored and view == scored[-1] and not np.isnan(row.dice):
        parts.append(f"Dice {row.dice:.2f}")
    return ", ".join(parts)


def draw_legend(keys: Sequence[Key], axes: Array, *, outside: bool) -> Legend | None:
    """Draw the legend of the colors, below all panels or on the last one."""
    if not keys:
        return None
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=to_rgba(key.color), edgecolor="black", linewidth=0.5, label=key.name)
        for key in keys
    ]
    if outside:
        style: dict[str, Any] = {"loc": "outside lower center", "ncols": 7, "frameon": False}
        legend: Legend = axes.flat[0].figure.legend(handles=handles, **style)
    else:
        legend = axes.flat[-1].legend(handles=handles, fontsize="small", loc="upper right")
    return legend
