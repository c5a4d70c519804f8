"""A comparison as plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..._utils.text import plural
from .advice import advise
from .origin import Origin
from .wording import cell, failures, probability, setting

if TYPE_CHECKING:
    from .results import LossComparison

Row = dict[str, Any]


def headings(comparison: LossComparison) -> list[str]:
    """Return the headings of the table of losses."""
    names = list(comparison.all_scores_)
    seeds = ["sd seeds"] if comparison.scores_.shape[2] > 1 else []
    best = ["P(best)"] if len(comparison.labels_) > 1 else []
    return [names[0], "sd folds", *seeds, *best, *names[1:], "s per fit", "not finished"]


def cells(comparison: LossComparison, row: Row) -> list[str]:
    """Return a loss's cells under those headings."""
    others = [cell(row[f"mean_{name}"]) for name in list(comparison.all_scores_)[1:]]
    seeds = [cell(row["sd_seeds"])] if comparison.scores_.shape[2] > 1 else []
    return [
        cell(row["mean"]),
        cell(row["sd_folds"]),
        *seeds,
        *([probability(row["p_best"]).removeprefix("= ")] if len(comparison.labels_) > 1 else []),
        *others,
        _seconds(row["fit_seconds"]),
        failures(row) or "-",
    ]


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"


def design(comparison: LossComparison) -> str:
    """Describe the design of the comparison in a line."""
    n_splits, n_seeds = comparison.scores_.shape[1:]
    fits = comparison.fits_
    parts = [plural(n_splits, "split"), plural(n_seeds, "seed")]
    if fits.n_folds > 1 and n_splits > fits.n_folds:
        parts[0] += f" ({n_splits // fits.n_folds} x {fits.n_folds} folds)"
    losses = plural(len(comparison.labels_), "loss", "losses")
    return f"{losses}, {' x '.join(parts)}, {fits.n_images} images"


def legend(comparison: LossComparison) -> str:
    """Explain the intervals and probabilities."""
    rope = setting(comparison.rope_)
    return (
        f"[95 % interval], corrected for overlapping training sets; P(better): that the true "
        f"difference is above {rope}"
    )


def baseline_line(comparison: LossComparison) -> str:
    """Return a sentence about the score of a constant answer, "" if it is unknown."""
    score = next(iter(comparison.baseline_.values()), math.nan)
    if math.isnan(score):
        return ""
    return f"A constant answer, the most frequent label everywhere, scores {cell(score)}."


def advise_in(comparison: LossComparison, origin: Origin) -> list[str]:
    """Return what to do, with the words for settings that its origin has."""
    curve = origin.score_curves.get(str(comparison.best_))
    return advise(comparison, origin.options, curve)


def image_name(comparison: LossComparison, image: int) -> str:
    """Return the name of an image, or its number."""
    names = comparison.image_names_
    return f"image {image}" if names is None else names[image]


def align(table: Sequence[Sequence[str]], n_left: int = 1) -> list[str]:
    """Return a line per row, with the first columns left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        texts = [
            text.ljust(width) if k < n_left else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(texts).rstrip())
    return lines


def summarize(comparison: LossComparison) -> str:
    """Return what to do, and the scores."""
    return "\n".join([*advise(comparison), "", describe_scores(comparison)])


def describe_scores(comparison: LossComparison) -> str:
    """Return the table of losses, the reasons for failures, and the verdicts."""
    table = [["", *headings(comparison)]]
    table += [[row["loss"], *cells(comparison, row)] for row in comparison.table_]
    lines = [f"{design(comparison)}, scored by {comparison.about_['metric']}", ""]
    lines += align(table)
    reasons = [(row["loss"], reason) for row in comparison.table_ for reason in row["reasons"]]
    lines += ["", *(f"{label}: {reason}" for label, reason in reasons)] if reasons else []
    lines += ["", baseline_line(comparison)] if baseline_line(comparison) else []
    if comparison.pairs_:
        told = "sd folds: between splits; P(best): of the highest mean; adjusted p: how often"
        told += " equally good losses would differ so much, for this number of pairs"
        verdicts = [pair["verdict"] for pair in comparison.pairs_]
        lines += ["", *verdicts, "", told, legend(comparison)]
    return "\n".join(lines)
