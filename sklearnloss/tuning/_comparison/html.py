"""A comparison as HTML: a single, self-contained file."""

from __future__ import annotations

import platform
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import torch

from ..._utils.text import describe, shorten
from ..._version import __version__
from .html_classes import class_section
from .html_examples import example_section
from .html_parts import (
    Cell,
    advice_box,
    draw_uri,
    figures,
    folded,
    note,
    page,
    pixels_uri,
    row_name,
    settings_table,
    snippet,
    table,
)
from .html_training import curve_section, tried_section
from .origin import Origin
from .plot import draw_differences, draw_scores, part_size
from .text import advise_in, baseline_line, cells, design, headings, image_name, legend
from .wording import cell, interval, number, probability, setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .results import LossComparison


def render_report(comparison: LossComparison, origin: Origin | None = None) -> str:
    """Return the whole page."""
    origin = origin or Origin()
    where = f" for {origin.data}" if origin.data else ""
    done = f"{design(comparison)}, scored by {comparison.about_['metric']} on held-out images."
    sections = [
        f"<h1>Which loss{escape(where)}?</h1>",
        advice_box(
            advise_in(comparison, origin), "" if comparison.learned_ is False else origin.predict
        ),
        note(done),
        note(f"Data: {origin.description}" if origin.description else ""),
        "<h2>Scores</h2>",
        note(f"{_explain_picture(comparison)} {baseline_line(comparison)}".strip()),
        _pictures(comparison),
        loss_table(comparison),
        note(_explain_table(comparison)),
        reasons(comparison),
        example_section(comparison),
        class_section(comparison),
        curve_section(comparison, origin.score_curves),
        image_section(comparison),
        tried_section(origin),
        _usage(origin),
        pair_section(comparison),
        folded("<h2>Settings</h2>", _settings(comparison, origin)),
        folded("<h2>How it was computed</h2>", note(_explanation(comparison))),
        note("The report browser of the documentation reads this folder." * bool(origin.command)),
    ]
    return page("Comparison of losses", sections)


def render_snippet(comparison: LossComparison) -> str:
    """Return the advice, the table and the verdicts, for notebooks."""
    verdicts = [
        f'<li class="{pair["outcome"]}">{escape(pair["verdict"])}</li>'
        for pair in comparison.pairs_
    ]
    first = comparison.advice()[0]
    done = f"{design(comparison)}, scored by {comparison.about_['metric']}"
    return snippet(
        [
            f"<p><strong>{escape(first)}</strong></p>",
            note(done),
            loss_table(comparison),
            f"<ul>{''.join(verdicts)}</ul>",
        ]
    )


def _explain_picture(comparison: LossComparison) -> str:
    if len(comparison.labels_) < 2:
        return ""
    return (
        f"Second picture: how far each loss is from the best one. A line that crosses 0 leaves "
        f"open which is better; one inside the green band, up to {setting(comparison.rope_)}, "
        f"does not matter."
    )


def _pictures(comparison: LossComparison) -> str:
    """Return the scores and the differences as two pictures."""
    size = part_size(len(comparison.labels_))
    drawn = [(draw_scores, "Scores of the losses")]
    if len(comparison.labels_) > 1 and comparison.best_ is not None:
        drawn.append((draw_differences, "Differences of the losses from the best one"))
    return figures((_picture(draw, size, comparison), text) for draw, text in drawn)


def _picture(
    draw: Callable[[Axes, LossComparison], None],
    size: tuple[float, float],
    comparison: LossComparison,
) -> str | None:
    return draw_uri(lambda figure: draw(figure.subplots(), comparison), size)


def _explain_table(comparison: LossComparison) -> str:
    seeds = " sd seeds: the part that is due to initial weights and batches alone."
    several = comparison.scores_.shape[2] > 1
    best = " P(best): the probability that this loss has the highest mean score."
    return (
        f"sd folds: how much the score varies between splits of the images.{seeds * several}"
        f"{best * (len(comparison.labels_) > 1)}"
    )


def _usage(origin: Origin) -> str:
    if not origin.usage:
        return ""
    lines = escape("\n".join(origin.usage))
    return f"<h2>Using the model</h2><pre>{lines}</pre>"


def loss_table(comparison: LossComparison) -> str:
    """Return the table of the losses."""
    rows = [[row["loss"], *cells(comparison, row)] for row in comparison.table_]
    classes = ["best" if row["loss"] == comparison.best_ else "" for row in comparison.table_]
    return table(["loss", *headings(comparison)], rows, classes)


def reasons(comparison: LossComparison) -> str:
    """Return a list of the reasons why fits did not finish, "" if all did."""
    found = [(row["loss"], reason) for row in comparison.table_ for reason in row["reasons"]]
    items = "".join(f"<li>{escape(label)}: {escape(reason)}</li>" for label, reason in found)
    return f'<ul class="failed">{items}</ul>' if found else ""


def pair_section(comparison: LossComparison, heading: str = "h2") -> str:
    """Return the verdicts with their probabilities, "" for a single loss."""
    if not comparison.pairs_:
        return ""
    head = ["verdict", "p", "p (Holm)", "P(worse)", "P(equiv.)"]
    rows = [
        [
            Cell(f'<td class="words {pair["outcome"]}">{escape(pair["verdict"])}</td>'),
            probability(pair["p"]).removeprefix("= "),
            probability(pair["p_holm"]).removeprefix("= "),
            *(probability(pair[key]).removeprefix("= ") for key in _PROBABILITIES),
        ]
        for pair in comparison.pairs_
    ]
    told = (
        f"{legend(comparison)}. p: how often equally good losses would differ this much by chance; "
        f"p (Holm): the same, adjusted for the number of pairs. P(worse), P(equiv.) and P(better): "
        f"that the first loss is worse by more than what matters, differs by less, or is better."
    )
    shown = f"{note(told)}{table([*head, 'P(better)'], rows)}"
    return folded(f"<{heading}>Details of the pairs</{heading}>", shown)


_PROBABILITIES = ("p_worse", "p_equivalent", "p_better")


def image_section(comparison: LossComparison, heading: str = "h2") -> str:
    """Return descriptive statistics of single images."""
    if comparison.image_scores_ is None:
        return ""
    metric = comparison.about_["image metric"]
    worst = [
        [
            _thumbnail(comparison, row["image"]),
            cell(row["mean"]),
            *map(cell, row["scores"].values()),
        ]
        for row in comparison.worst_images_
    ]
    hard = table(["hardest images", "mean", *comparison.labels_], worst)
    told = f"{metric} of each image, from fits that did not train on it."
    return (
        f"<{heading}>Single images</{heading}>{note(told[0].upper() + told[1:])}{hard}"
        f"{_images_won(comparison)}"
    )


def _images_won(comparison: LossComparison) -> str:
    """Return how many images each loss won, and why that proves little."""
    rows = [
        [
            f"{pair['a']} - {pair['b']}",
            *(str(pair[f"image_{key}"]) for key in ("wins", "losses", "ties")),
            number(pair["image_difference"]),
            interval(pair["image_low"], pair["image_high"]),
        ]
        for pair in comparison.pairs_
        if pair["outcome"] != "failed"
    ]
    if not rows:
        return ""
    told = (
        "Descriptive, no test: a loss can win most images without evidence that it is better, "
        "because images are not independent: those of one fold were predicted by the same "
        "network, and the networks of different folds share training images. Intervals: bootstrap "
        "over fits, then over the images of each fit."
    )
    head = ["pair", "images won", "lost", "tied", "difference", "bootstrap interval"]
    return f"{note(told)}{table(head, rows)}"


def _thumbnail(comparison: LossComparison, image: int) -> Cell:
    """Return a cell with the image's name, and its picture if there is one."""
    picture = comparison.pictures_.get(image)
    uri = None if picture is None else pixels_uri(picture)
    name = escape(image_name(comparison, image))
    shown = "" if uri is None else f'<img class="thumb" alt="" src="{uri}"> '
    return row_name(f"{shown}{name}")


def _settings(comparison: LossComparison, origin: Origin) -> str:
    given = {label: written(params) for label, params in comparison.settings_.items()}
    named = {"data": origin.data, "command": origin.command}
    found = {name: text for name, text in named.items() if text}
    return settings_table({**found, **given, **about(comparison, design(comparison))})


def about(comparison: LossComparison, splits: str) -> dict[str, str]:
    """Return further facts about a comparison."""
    return {
        **comparison.about_,
        "splits": splits,
        "test / train": number(comparison.fits_.ratio),
        "rope": setting(comparison.rope_),
        "score of fits that did not finish": str(comparison.error_score_),
        "versions": f"sklearnloss {__version__}, torch {torch.__version__}, "
        f"python {platform.python_version()}",
    }


def written(settings: dict[str, Any]) -> str:
    """Format parameters as in a call."""
    return ", ".join(f"{name}={_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    return repr(value) if isinstance(value, str) else shorten(describe(value), 300)


def _explanation(comparison: LossComparison) -> str:
    several = comparison.scores_.shape[2] > 1
    seeds = " sd seeds: how much scores vary with initial weights and batches alone." * several
    return (
        f"All losses were trained on the same splits with the same seeds, and scored on images "
        f"that were held out. sd folds: spread of the scores over splits.{seeds} P(best): "
        f"probability of the highest mean score. The training sets of different splits overlap, "
        f"so a paired t-test finds differences that are not there; the intervals and p are "
        f"Nadeau and Bengio's, and p is adjusted for the number of pairs by Holm's method. "
        f"P(worse), P(equivalent) and P(better) come from the Bayesian correlated t-test: the "
        f"probabilities that the first loss is worse than the second by more than "
        f"{setting(comparison.rope_)}, differs by at most that, or is better by more. A loss beats "
        f"another if its adjusted p is below .05; two are equivalent if P(equivalent) is at "
        f"least .95."
    )
