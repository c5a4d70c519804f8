"""Scores of single classes, and confusion matrices, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .confusion import MOST_SHOWN, dice, iou, join_rare, overlaps, precision, recall
from .html_parts import Cell, folded, note, table
from .wording import cell

if TYPE_CHECKING:
    from .results import LossComparison

Array = NDArray[Any]

_NOT_KEPT = (
    "There are no scores of single classes: some fits kept no counts, as those of older versions "
    "of sklearnloss, those with per_image=False, and those with more than 100 classes."
)


def class_section(comparison: LossComparison, heading: str = "h2", below: str = "h3") -> str:
    """Return the classes' scores with each loss, and the confusion matrix of each."""
    top = f"<{heading}>Classes</{heading}>"
    found = comparison.confusion_
    if not found:
        return f"{top}{note(_NOT_KEPT)}" if comparison.image_scores_ is not None else ""
    masks = comparison.about_["image metric"] != "the accuracy"
    ranked = [row["loss"] for row in comparison.table_ if row["loss"] in found]
    parts = [top, _score_table(comparison, ranked, masks)]
    for number, label in enumerate(ranked):
        counts = found[label]
        if counts.ndim == 3:
            continue
        head = f"<{below}>Confusion matrix, {escape(label)}</{below}>"
        shown = _matrix(comparison.class_names_, counts)
        if number == 0:
            parts += [head, note(_explain_matrix(masks)), shown]
        else:
            parts.append(folded(head, shown))
    return "".join(parts)


def _explain_matrix(masks: bool) -> str:
    what = "pixels" if masks else "images"
    return (
        f"Rows: what is true. Columns: what was predicted. Shares of the row's {what}, with the "
        f"number of {what} over all fits; the diagonal is right."
    )


def _score_table(comparison: LossComparison, labels: list[str], masks: bool) -> str:
    """Return a row per class: its size, and its score with each loss."""
    found, names = comparison.confusion_, comparison.class_names_
    first = found[labels[0]]
    sizes = overlaps(first)[2]
    order = np.argsort(-sizes, kind="stable")[:MOST_SHOWN] if len(names) > MOST_SHOWN else None
    rows = []
    for k in range(len(names)) if order is None else sorted(order.tolist()):
        share = sizes[k] / max(1, sizes.sum())
        size = _percent(share) if masks and first.ndim == 2 else f"{sizes[k]:,}"
        scores = [cell(float((dice if masks else recall)(found[each])[k])) for each in labels]
        more = iou if masks else precision
        rows.append([names[k], size, *scores, cell(float(more(first)[k]))])
    size_head = "pixels" if masks else "images"
    last = f"{'IoU' if masks else 'right'}, {labels[0]}"
    shown = table(["class", size_head, *labels, last], rows)
    left = len(names) - len(rows)
    omitted = f" The {left} rarest classes are left out." if left else ""
    return f"{note(_explain_scores(masks, labels[0]) + omitted)}{shown}"


def _explain_scores(masks: bool, best: str) -> str:
    if masks:
        return (
            f"Dice of each class with each loss, over all held-out pixels: 1 is perfect, 0 is "
            f"never right. Last column: the stricter IoU with {best}."
        )
    return (
        f"The share of each class that each loss found. Last column: how much of what {best} "
        f"called by that name was right. Images count once per fit."
    )


def _matrix(names: list[str], counts: Array) -> str:
    shown, joined = join_rare(names, counts)
    totals = joined.sum(1)
    rows = []
    for k, name in enumerate(shown):
        cells = [_count(int(n), int(totals[k])) for n in joined[k]]
        rows.append([name, *cells])
    return table(["true \\ predicted", *shown], rows, kind="confusion")


def _count(count: int, total: int) -> Cell:
    if total == 0:
        return Cell("<td>-</td>")
    share = count / total
    style = f' style="background:rgba(0,114,178,{0.5 * share:.2f})"' if count else ""
    return Cell(f"<td{style}>{_percent(share)}<small>{count:,}</small></td>")


def _percent(share: float) -> str:
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"
