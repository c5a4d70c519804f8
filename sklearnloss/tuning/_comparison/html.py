"""A comparison as HTML: a single, self-contained file."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any

from ..._utils.text import describe, shorten
from ..._version import __version__
from .html_parts import Cell, data_uri, draw_uri, page, settings_table, snippet, table
from .plot import draw_comparison, figure_size
from .text import baseline_line, cells, design, headings, image_name, legend
from .wording import cell, interval, listed, number, probability, setting

if TYPE_CHECKING:
    from .results import LossComparison


def render_report(comparison: LossComparison) -> str:
    """Return the whole page."""
    sections = [
        f"<h1>Which loss? {escape(comparison.about_['metric'])} on held-out data</h1>",
        f'<p class="note">{escape(design(comparison))}</p>',
        f'<p class="headline">{escape(headline(comparison))}</p>',
        f'<img alt="Scores and differences of the losses" src="{_picture(comparison)}">',
        "<h2>Losses</h2>",
        loss_table(comparison),
        f'<p class="note">{escape(baseline_line(comparison))}</p>',
        reasons(comparison),
        pair_section(comparison),
        image_section(comparison),
        "<h2>Settings</h2>",
        _settings(comparison),
        "<h2>How to read this</h2>",
        f'<p class="note">{escape(_explanation(comparison))}</p>',
    ]
    return page("Comparison of losses", sections)


def render_snippet(comparison: LossComparison) -> str:
    """Return the table and the verdicts, for notebooks."""
    verdicts = [
        f'<li class="{pair["outcome"]}">{escape(pair["verdict"])}</li>'
        for pair in comparison.pairs_
    ]
    done = f"{design(comparison)}, scored by {comparison.about_['metric']}"
    return snippet(
        [
            f'<p class="note">{escape(done)}</p>',
            loss_table(comparison),
            f"<ul>{''.join(verdicts)}</ul>",
        ]
    )


def headline(comparison: LossComparison) -> str:
    """Return a sentence that sums up the result."""
    best = comparison.best_
    if best is None:
        return "No loss finished all its fits."
    pairs = [pair for pair in comparison.pairs_ if pair["a"] == best]
    beaten = [pair["b"] for pair in pairs if pair["outcome"] == "better"]
    equal = [pair["b"] for pair in pairs if pair["outcome"] == "equivalent"]
    open_ = [pair["b"] for pair in pairs if pair["outcome"] in ("undecided", "unknown")]
    failed = [pair["b"] for pair in pairs if pair["outcome"] == "failed"]
    if comparison.learned_ is False:
        return (
            f"Nothing was learned: {best}, the best loss, scores no higher than a constant answer."
        )
    parts = [f"{best} has the highest score"]
    parts += [f"it beats {listed(beaten)}"] if beaten else []
    verb = "is" if len(equal) == 1 else "are"
    parts += [f"{listed(equal)} {verb} as good in practice"] if equal else []
    parts += [f"whether it is better than {listed(open_)} is open"] if open_ else []
    parts += (
        [f"there is no verdict on {listed(failed)}, not all of whose fits finished"]
        if failed
        else []
    )
    return "; ".join(parts) + "."


def _picture(comparison: LossComparison) -> str:
    """Return the figure as a data URI."""
    return draw_uri(
        lambda figure: draw_comparison(list(figure.subplots(1, 2)), comparison),
        figure_size(len(comparison.labels_)),
        "LossComparison.to_html",
    )


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
    note = f'<p class="note">{escape(legend(comparison))}.</p>'
    return f"<{heading}>Pairs</{heading}>{table([*head, 'P(better)'], rows)}{note}"


_PROBABILITIES = ("p_worse", "p_equivalent", "p_better")


def image_section(comparison: LossComparison, heading: str = "h2") -> str:
    """Return descriptive statistics of single images."""
    if comparison.image_scores_ is None:
        return ""
    metric = comparison.about_["image metric"]
    note = (
        f"Descriptive, no test: {metric} of each image, from fits that did not train on it. "
        f"Images of one fold share one trained network, so even many images do not prove that a "
        f"loss is better. Intervals: bootstrap over fits, then over the images of each fit."
    )
    rows = [
        [
            f"{pair['a']} - {pair['b']}",
            number(pair["image_difference"]),
            interval(pair["image_low"], pair["image_high"]),
            *(str(pair[f"image_{key}"]) for key in ("wins", "losses", "ties")),
        ]
        for pair in comparison.pairs_
        if pair["outcome"] != "failed"
    ]
    head = ["pair", "difference", "bootstrap interval", "images won", "lost", "tied"]
    pairs = table(head, rows) if rows else ""
    worst = [
        [
            _thumbnail(comparison, row["image"]),
            cell(row["mean"]),
            *map(cell, row["scores"].values()),
        ]
        for row in comparison.worst_images_
    ]
    hard = table(["hardest images", "mean", *comparison.labels_], worst)
    return f'<{heading}>Single images</{heading}><p class="note">{escape(note)}</p>{pairs}{hard}'


def _thumbnail(comparison: LossComparison, image: int) -> Cell:
    """Return a cell with the image's name, and its picture if there is one."""
    picture = comparison.pictures_.get(image)
    shown = ""
    if picture is not None:
        from matplotlib.image import imsave

        buffer = io.BytesIO()
        imsave(buffer, picture, cmap="gray", vmin=0, vmax=255, format="png")
        shown = f'<img class="thumb" alt="image {image}" src="{data_uri(buffer)}"> '
    return Cell(f"<td>{shown}{escape(image_name(comparison, image))}</td>")


def _settings(comparison: LossComparison) -> str:
    given = {label: written(params) for label, params in comparison.settings_.items()}
    return settings_table({**given, **about(comparison, design(comparison))})


def about(comparison: LossComparison, splits: str) -> dict[str, str]:
    """Return further facts about a comparison."""
    return {
        **comparison.about_,
        "splits": splits,
        "test / train": number(comparison.fits_.ratio),
        "rope": setting(comparison.rope_),
        "score of fits that did not finish": str(comparison.error_score_),
        "sklearnloss": __version__,
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
