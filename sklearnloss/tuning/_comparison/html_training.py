"""The course of training, and what a search tried, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from .curves import Curve, draw_curves, loss_curve, may_be_relative
from .html_parts import Cell, draw_uri, figures, folded, note, table
from .origin import Origin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .results import LossComparison

_SIZE = 5.6, 3.4
#: Tables of more candidates are folded.
_MANY = 8


def curve_section(
    comparison: LossComparison, scores: Mapping[str, Curve], heading: str = "h2"
) -> str:
    """Return pictures of the scores and the training losses by epoch."""
    top = f"<{heading}>Learning curves</{heading}>"
    ranked = [row["loss"] for row in comparison.table_]
    losses = {label: loss_curve(comparison, label) for label in ranked}
    losses = {label: curve for label, curve in losses.items() if curve}
    scores = {label: scores[label] for label in ranked if len(scores.get(label, [])) > 1}
    pictures, told = [], []
    if scores:
        told.append(
            "Score: the mean over held-out images of the search's folds, with the best settings of "
            "each loss. A curve that still rises asks for more epochs."
        )
        title = f"{comparison.about_['metric']} after each epoch"
        pictures.append((_draw(scores, title, False), "Score by epoch and loss"))
    if losses:
        relative = may_be_relative(losses)
        told.append(
            "Training loss: the mean over all fits"
            + (
                ", as a share of that of the first epoch. Values of different losses say nothing "
                "about which is better."
                if relative
                else "; values of different losses cannot be compared."
            )
        )
        title = "training loss" + (", first epoch = 1" if relative else "")
        pictures.append((_draw(losses, title, relative), "Training loss by epoch and loss"))
    if not pictures:
        missing = "There are none: the fits kept no losses, as those of older versions."
        return f"{top}{note(missing)}"
    return f"{top}{figures(pictures)}{note(' '.join(told))}"


def _draw(curves: Mapping[str, Curve], title: str, relative: bool) -> str | None:
    def draw(figure: Figure) -> None:
        draw_curves(figure.subplots(), curves, title, relative=relative)

    return draw_uri(draw, _SIZE)


def tried_section(origin: Origin) -> str:
    """Return the table of a search's candidates, and the losses that are missing below."""
    lists = [("Not tried", origin.not_tried), ("Not compared", origin.not_compared)]
    lines = [f"{what}: {', '.join(names)}." for what, names in lists if names]
    if not origin.candidates and not lines:
        return ""
    parts = ["<h2>What was tried</h2>", *(f"<p>{escape(line)}</p>" for line in lines)]
    if origin.candidates:
        shown = _candidates(origin.candidates)
        n = len(origin.candidates)
        parts.append(folded(f"All {n} settings", shown) if n > _MANY else shown)
    return "".join(parts)


def _candidates(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["loss", "settings", "score", "epochs in all folds", "outcome"]
    body = [
        [
            row["loss"],
            _words(row["settings"]),
            row["score"],
            row["epochs"],
            _words(row["outcome"]),
        ]
        for row in rows
    ]
    return table(head, body)


def _words(text: str) -> Cell:
    return Cell(f'<td class="words">{escape(text)}</td>')
