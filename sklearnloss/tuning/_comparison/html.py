"""A comparison as HTML: one file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ..._utils.text import describe
from ..._version import __version__
from ...estimators._displays.style import import_pyplot
from .plot import draw_comparison, figure_size
from .text import baseline_line, cells, design, headings, image_name, legend
from .verdicts import cell, interval, number, probability, setting

if TYPE_CHECKING:
    from .results import LossComparison

_STYLE = """
:root { color-scheme: light; }
.slc { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; }
.slc table { border-collapse: collapse; margin: .6em 0 1.2em; font-variant-numeric: tabular-nums; }
.slc th, .slc td { padding: .3em .8em; text-align: right; border-bottom: 1px solid #e5e7eb; }
.slc th { font-weight: 600; color: #4b5563; border-bottom: 2px solid #d1d5db; }
.slc td { white-space: nowrap; } .slc td.words { white-space: normal; min-width: 22em; }
.slc td:first-child { white-space: normal; } .slc img.thumb { height: 44px; vertical-align: middle;
  image-rendering: pixelated; margin-right: .5em; }
.slc th:first-child, .slc td:first-child, .slc td.words { text-align: left; }
.slc tr.best td { background: #eaf3fa; font-weight: 600; }
.slc .note { color: #6b7280; font-size: 13px; max-width: 60em; }
.slc .better { color: #a05a00; } .slc .equivalent { color: #00734f; }
.slc .undecided, .slc .unknown { color: #4b5563; } .slc .failed { color: #b42318; }
.slc code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
"""
_PAGE_STYLE = """
body { margin: 0; background: #f3f4f6; }
main { max-width: 1060px; margin: 2em auto; padding: 1.6em 2.4em; background: #fff;
       border-radius: 8px; box-shadow: 0 1px 4px #0002; overflow-x: auto; }
h1 { font-size: 1.5em; margin: 0 0 .1em; } h2 { font-size: 1.1em; margin: 1.6em 0 .2em; }
img { max-width: 100%; }
.slc .headline { font-size: 1.1em; margin: .8em 0; padding: .6em 1em; background: #eaf3fa;
                 border-left: 4px solid #0072b2; }
"""


def render_report(comparison: LossComparison) -> str:
    """Return the whole page."""
    sections = [
        f"<h1>Which loss? {escape(comparison.about_['metric'])} on held-out data</h1>",
        f'<p class="note">{escape(design(comparison))}</p>',
        f'<p class="headline">{escape(headline(comparison))}</p>',
        f'<img alt="Scores and differences of the losses" src="{_picture(comparison)}">',
        "<h2>Losses</h2>",
        _loss_table(comparison),
        f'<p class="note">{escape(baseline_line(comparison))}</p>',
        _reasons(comparison),
        _pair_section(comparison),
        _image_section(comparison),
        "<h2>Settings</h2>",
        _settings(comparison),
        "<h2>How to read this</h2>",
        f'<p class="note">{escape(_explanation(comparison))}</p>',
    ]
    return _encodable(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Comparison of losses</title><style>{_STYLE}{_PAGE_STYLE}</style></head>"
        f'<body><main class="slc">{"".join(sections)}</main></body></html>\n'
    )


def render_snippet(comparison: LossComparison) -> str:
    """Return the table and the verdicts, for notebooks."""
    verdicts = [
        f'<li class="{pair["outcome"]}">{escape(pair["verdict"])}</li>'
        for pair in comparison.pairs_
    ]
    return _encodable(
        f'<div class="slc"><style>{_STYLE}</style>'
        f'<p class="note">{escape(design(comparison))}, scored by '
        f"{escape(comparison.about_['metric'])}</p>{_loss_table(comparison)}"
        f"<ul>{''.join(verdicts)}</ul></div>"
    )


def _encodable(text: str) -> str:
    """Replace what UTF-8 has no bytes for, as names of files may hold, by escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def headline(comparison: LossComparison) -> str:
    """Say in a sentence what came out."""
    best = comparison.best_
    if best is None:
        return "No loss finished all its fits."
    pairs = [pair for pair in comparison.pairs_ if pair["a"] == best]
    beaten = [pair["b"] for pair in pairs if pair["outcome"] == "better"]
    equal = [pair["b"] for pair in pairs if pair["outcome"] == "equivalent"]
    open_ = [pair["b"] for pair in pairs if pair["outcome"] in ("undecided", "unknown")]
    failed = [pair["b"] for pair in pairs if pair["outcome"] == "failed"]
    if comparison.learned_ is False:
        return f"Nothing was learned: {best}, the best loss, scores no more than a constant answer."
    parts = [f"{best} has the highest score"]
    parts += [f"it beats {_listed(beaten)}"] if beaten else []
    verb = "is" if len(equal) == 1 else "are"
    parts += [f"{_listed(equal)} {verb} as good in practice"] if equal else []
    parts += [f"whether it is better than {_listed(open_)} is open"] if open_ else []
    parts += (
        [f"there is no verdict on {_listed(failed)}, not all of whose fits finished"]
        if failed
        else []
    )
    return "; ".join(parts) + "."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _picture(comparison: LossComparison) -> str:
    """Return the figure as a data URI."""
    import_pyplot("LossComparison.to_html")  # for its message
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = figure_size(len(comparison.labels_))
    figure = Figure(figsize=size, dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    draw_comparison(list(figure.subplots(1, 2)), comparison)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return _data_uri(buffer)


class _Cell(str):
    """A cell that is HTML already; any other text is escaped."""


def _table(
    head: Iterable[str], rows: Iterable[Sequence[str]], classes: Sequence[str] | None = None
) -> str:
    """Return a table of texts and of ready cells."""
    body = []
    for k, row in enumerate(rows):
        kind = f' class="{classes[k]}"' if classes and classes[k] else ""
        inner = "".join(
            text if isinstance(text, _Cell) else f"<td>{escape(text)}</td>" for text in row
        )
        body.append(f"<tr{kind}>{inner}</tr>")
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _loss_table(comparison: LossComparison) -> str:
    rows = [[row["loss"], *cells(comparison, row)] for row in comparison.table_]
    classes = ["best" if row["loss"] == comparison.best_ else "" for row in comparison.table_]
    return _table(["loss", *headings(comparison)], rows, classes)


def _reasons(comparison: LossComparison) -> str:
    found = [(row["loss"], reason) for row in comparison.table_ for reason in row["reasons"]]
    items = "".join(f"<li>{escape(label)}: {escape(reason)}</li>" for label, reason in found)
    return f'<ul class="failed">{items}</ul>' if found else ""


def _pair_section(comparison: LossComparison) -> str:
    if not comparison.pairs_:
        return ""
    head = ["verdict", "p", "p (Holm)", "P(worse)", "P(equiv.)"]
    rows = [
        [
            _Cell(f'<td class="words {pair["outcome"]}">{escape(pair["verdict"])}</td>'),
            probability(pair["p"]).removeprefix("= "),
            probability(pair["p_holm"]).removeprefix("= "),
            *(probability(pair[key]).removeprefix("= ") for key in _PROBABILITIES),
        ]
        for pair in comparison.pairs_
    ]
    note = f'<p class="note">{escape(legend(comparison))}.</p>'
    return f"<h2>Pairs</h2>{_table([*head, 'P(better)'], rows)}{note}"


_PROBABILITIES = ("p_worse", "p_equivalent", "p_better")


def _image_section(comparison: LossComparison) -> str:
    """Describe single images."""
    if comparison.image_scores_ is None:
        return ""
    metric = comparison.about_["image metric"]
    note = (
        f"Descriptive, no test: {metric} of each image, by the fits that did not see it. Images "
        f"of one fold share one trained network, so many images are no proof that a loss is "
        f"better. Intervals: bootstrap over fits, then over the images of each."
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
    pairs = _table(head, rows) if rows else ""
    worst = [
        [
            _thumbnail(comparison, row["image"]),
            cell(row["mean"]),
            *map(cell, row["scores"].values()),
        ]
        for row in comparison.worst_images_
    ]
    hard = _table(["hardest images", "mean", *comparison.labels_], worst)
    return f'<h2>Single images</h2><p class="note">{escape(note)}</p>{pairs}{hard}'


def _thumbnail(comparison: LossComparison, image: int) -> _Cell:
    """Return a cell with the image's name, and its picture if there is one."""
    picture = comparison.pictures_.get(image)
    shown = ""
    if picture is not None:
        from matplotlib.image import imsave

        buffer = io.BytesIO()
        imsave(buffer, picture, cmap="gray", vmin=0, vmax=255, format="png")
        shown = f'<img class="thumb" alt="image {image}" src="{_data_uri(buffer)}"> '
    return _Cell(f"<td>{shown}{escape(image_name(comparison, image))}</td>")


def _data_uri(png: io.BytesIO) -> str:
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def _settings(comparison: LossComparison) -> str:
    rows = [
        [label, _Cell(f'<td class="words"><code>{escape(_written(settings))}</code></td>')]
        for label, settings in comparison.settings_.items()
    ]
    about = {
        **comparison.about_,
        "splits": design(comparison),
        "test / train": number(comparison.fits_.ratio),
        "rope": setting(comparison.rope_),
        "score of fits that did not finish": str(comparison.error_score_),
        "sklearnloss": __version__,
    }
    rows += [
        [name, _Cell(f'<td class="words"><code>{escape(text)}</code></td>')]
        for name, text in about.items()
    ]
    return _table(["", ""], rows)


def _written(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    return repr(value) if isinstance(value, str) else describe(value)


def _explanation(comparison: LossComparison) -> str:
    several = comparison.scores_.shape[2] > 1
    seeds = " sd seeds: how much a score changes by initial weights and batches alone." * several
    return (
        f"All losses were trained on the same splits with the same seeds, and scored on images "
        f"that the fit did not see. sd folds: spread of the scores over splits.{seeds} P(best): "
        f"probability of the highest mean score. The training sets of different splits overlap, "
        f"so that a paired t-test finds differences that are not there; the intervals and p are "
        f"Nadeau and Bengio's, and p is adjusted for the number of pairs by Holm's method. "
        f"P(worse), P(equivalent), P(better) are those of the Bayesian correlated t-test: that "
        f"the first loss is worse than the second by more than {setting(comparison.rope_)}, within "
        f"that, better by more. A loss beats another if its adjusted p is below .05; two are "
        f"equivalent if that has a probability of .95."
    )
