"""Truth, prediction and errors of single images as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...estimators._displays.panels import Key
from ...estimators._displays.planes import without_colour
from ...estimators._displays.segmentation import SegmentationDisplay
from .examples import IGNORED
from .html_parts import NO_PICTURES, folded, has_matplotlib, note, pixels_uri
from .text import image_name
from .wording import cell

if TYPE_CHECKING:
    from .results import LossComparison

Array = NDArray[Any]
Row = dict[str, Any]

#: Most labels of one image that are shown, if labels may overlap.
MOST_LABELS = 4
#: Plain words for what the display calls by their technical names.
_PLAIN = {
    "true positive": "found",
    "false positive": "false alarm (predicted, but not there)",
    "false negative": "missed (there, but not predicted)",
    "ignored": "ignored",
}
_NONE_KEPT = (
    "There are no examples: this comparison kept no predictions, as those of older versions of "
    "sklearnloss and those with per_image=False."
)


def example_section(comparison: LossComparison, heading: str = "h2", below: str = "h3") -> str:
    """Return the examples of each loss, the best loss first, the others folded."""
    if comparison.image_scores_ is None:
        return ""
    rows = comparison.examples_
    is_mask = any(not isinstance(row["truth"], str) for row in rows)
    title = "Predictions" if is_mask else "Mistakes"
    top = f"<{heading}>{title}</{heading}>"
    if not rows:
        return f"{top}{note(_nothing(comparison))}"
    if not has_matplotlib():
        return f"{top}{note(NO_PICTURES)}"
    parts: list[str] = []
    keys: dict[str, Key] = {}
    for ranked in comparison.table_:
        own = [row for row in rows if row["loss"] == ranked["loss"]]
        if not own:
            continue
        shown = _masks(comparison, own, keys) if is_mask else _mistakes(comparison, own)
        head = f"<{below}>{escape(ranked['loss'])}</{below}>"
        parts.append(f"{head}{shown}" if not parts else folded(head, shown))
    told = note(_explain(comparison, is_mask, keys))
    return f"{top}{told}{_legend(list(keys.values()))}{''.join(parts)}"


def _nothing(comparison: LossComparison) -> str:
    confusion = comparison.confusion_
    if confusion and all(np.trace(each) == each.sum() for each in confusion.values()):
        return "There are no mistakes: every prediction is right."
    if confusion:
        return "There are no examples: the images cannot be shown."
    return _NONE_KEPT


def _explain(comparison: LossComparison, is_mask: bool, keys: dict[str, Key]) -> str:
    if not is_mask:
        return "Held-out images that were wrong in most fits."
    errors = (
        ""
        if "false negative" in keys
        else " Errors: wrong pixels in the color of their true label; false alarms on the "
        "background are white."
    )
    return (
        f"The worst, the median and the best held-out image of each loss, by "
        f"{comparison.about_['image metric']} of a single fit. None was trained on.{errors}"
    )


def _masks(comparison: LossComparison, rows: Sequence[Row], keys: dict[str, Key]) -> str:
    """Return a row of panels per example; used colors are added to ``keys``."""
    parts = []
    for row in rows:
        name = image_name(comparison, row["image"])
        metric = comparison.about_["image metric"].removeprefix("the ")
        text = f"{row['kind'].capitalize()}: {name}, {metric} {cell(row['score'])}"
        parts.append(f"<p>{escape(text)}</p>{_panels(row, name, keys)}")
    return "".join(parts)


def _panels(row: Row, name: str, keys: dict[str, Key]) -> str:
    display = _display(row)
    palette = display._palette(0.5, None)
    shown = []
    for plane in display._rows(None, None)[:MOST_LABELS]:
        label = plane.title.partition(", ")[2]
        for view in display._views(None):
            if view == "image" and row["picture"] is None:
                continue
            overlay, used = palette.paint(view, plane)
            keys.update({key.name: key for key in palette.legend(used)})
            picture = plane.picture if view == "image" else without_colour(plane.picture)
            uri = pixels_uri(blend(picture, overlay))
            what = f"{view} of {label}" if label and view != "image" else view
            shown.append(
                f'<figure><img alt="{escape(f"{what} of {name}")}" src="{uri}">'
                f"<figcaption>{escape(what)}</figcaption></figure>"
            )
    return f'<div class="panels">{"".join(shown)}</div>'


def _display(row: Row) -> SegmentationDisplay:
    """Return the display of one example; without a picture, its panels are light gray."""
    picture = row["picture"]
    if picture is None:
        picture = np.full(row["truth"].shape[-2:], 230, dtype=np.uint8)
    image = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    names = row["names"]
    return SegmentationDisplay(
        [image],
        [row["truth"]],
        [row["prediction"]],
        labels=np.arange(len(names)),
        display_labels=[f"label {name}" if name.isdecimal() else name for name in names],
        ignore_index=IGNORED,
        multilabel=row["truth"].ndim == 3,
    )


def blend(picture: Array, overlay: Array) -> Array:
    """Return a picture in [0, 1] under RGBA colors, as uint8 (H, W, 3)."""
    below = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    alpha = overlay[..., 3:]
    mixed: Array = (255 * (below * (1 - alpha) + overlay[..., :3] * alpha)).round()
    return mixed.clip(0, 255).astype(np.uint8)


def _legend(keys: Sequence[Key]) -> str:
    entries = []
    for key in keys:
        from matplotlib.colors import to_hex

        text = _PLAIN.get(key.name, key.name)
        entries.append(
            f'<span class="key"><i style="background:{to_hex(key.color)}"></i>{escape(text)}</span>'
        )
    return f"<p>{''.join(entries)}</p>" if entries else ""


def _mistakes(comparison: LossComparison, rows: Sequence[Row]) -> str:
    shown = []
    for row in rows:
        name = image_name(comparison, row["image"])
        text = f"{row['prediction']} instead of {row['truth']}"
        shown.append(
            f'<figure><img alt="{escape(name)}" src="{pixels_uri(row["picture"])}">'
            f"<figcaption>{escape(name)}: {escape(text)}</figcaption></figure>"
        )
    return f'<div class="mistakes">{"".join(shown)}</div>'
