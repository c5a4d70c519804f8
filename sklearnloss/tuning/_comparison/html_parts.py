"""The building blocks of reports: pages, tables and pictures."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..._utils.guides import REPORT
from ...estimators._displays.style import import_pyplot
from .png import as_uri, png_uri

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_STYLE = """
.slc { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; --line: #d1d5db; --soft: #6b7280;
  --mark: #eaf3fa; }
.slc .scroll { overflow-x: auto; max-width: 100%; margin: .6em 0 1.2em; }
.slc table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.slc th, .slc td { padding: .3em .8em; text-align: right; border-bottom: 1px solid var(--line); }
.slc th { font-weight: 600; color: var(--soft); border-bottom-width: 2px; }
.slc td { white-space: nowrap; } .slc td.words { white-space: normal; min-width: 15em; }
.slc th.name { white-space: normal; min-width: 8em; overflow-wrap: break-word; color: inherit;
  font-weight: inherit; border-bottom-width: 1px; }
.slc th:first-child, .slc .words { text-align: left; }
.slc img.thumb { height: 44px; vertical-align: middle; image-rendering: pixelated;
  margin-right: .5em; }
.slc tr.best > * { background: var(--mark); font-weight: 600; }
.slc .note { color: var(--soft); font-size: 13px; max-width: 60em; overflow-wrap: anywhere; }
.slc .better { color: #a05a00; } .slc .equivalent { color: #00734f; }
.slc .undecided, .slc .unknown { color: var(--soft); } .slc .failed { color: #b42318; }
.slc code, .slc pre { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.slc pre { white-space: pre-wrap; margin: .4em 0; }
"""
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #f3f4f6; }
main { max-width: 1060px; margin: 2em auto; padding: 1.6em 2.4em; background: #fff;
  border-radius: 8px; box-shadow: 0 1px 4px #0002; box-sizing: border-box; }
h1 { font-size: 1.5em; margin: 0 0 .3em; overflow-wrap: anywhere; line-height: 1.3; }
h2 { font-size: 1.15em; margin: 1.8em 0 .3em; }
h3 { font-size: 1em; margin: 1em 0 .2em; } h4 { font-size: .95em; margin: .8em 0 .2em; }
img { max-width: 100%; }
.slc .headline { font-size: 1.1em; margin: .8em 0; padding: .7em 1em; background: var(--mark);
  border-left: 4px solid #0072b2; overflow-wrap: anywhere; }
.headline p { margin: 0; } .headline ul { margin: .4em 0 0; padding-left: 1.2em; }
.headline ul { font-size: .92em; } .slc .headline code { white-space: nowrap; }
.slc .headline code.command { white-space: normal; }
.pictures { display: flex; flex-wrap: wrap; gap: .5em 1.5em; align-items: flex-start; }
.pictures img { flex: 1 1 300px; min-width: 0; max-width: 560px; border-radius: 4px; }
.panels { display: grid; grid-template-columns: repeat(4, minmax(0, 190px)); gap: .5em; }
.panels figure { margin: 0; } .panels img { width: 100%; image-rendering: pixelated;
  display: block; border-radius: 3px; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr));
  gap: .8em; } .mistakes figure { margin: 0; }
.mistakes img { width: 100%; max-width: 150px; image-rendering: pixelated; display: block;
  border-radius: 3px; }
figcaption { font-size: 12px; color: var(--soft); overflow-wrap: anywhere; }
.key { display: inline-block; margin: 0 1em .3em 0; font-size: 13px; }
.key i { display: inline-block; width: 1em; height: 1em; margin-right: .35em;
  vertical-align: -.12em; border: 1px solid #0008; border-radius: 2px; }
.confusion td { text-align: center; } .confusion small { display: block; color: var(--soft); }
.confusion th { text-align: center; max-width: 9em; overflow-wrap: break-word; }
.slc .confusion th:first-child { text-align: left; }
details { margin: .8em 0; } summary { cursor: pointer; }
summary h2, summary h3, summary h4 { display: inline; }
@media (max-width: 640px) { main { margin: 0; padding: 1em; border-radius: 0; }
  .slc th, .slc td { padding: .3em .5em; }
  .panels { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (prefers-color-scheme: dark) {
  body { background: #0f1216; } main { background: #1a1e24; }
  .slc { color: #e5e7eb; --line: #3b4250; --soft: #a3abb8; --mark: #1d3346; }
  .slc .better { color: #f0b25e; } .slc .equivalent { color: #4fc79b; }
  .slc .failed { color: #ff9a8c; } .pictures img { background: #fff; } }
@media print { body, main { background: #fff; } main { margin: 0; padding: 0; max-width: none;
  box-shadow: none; } .slc { color: #000; } h2, h3, h4 { break-after: avoid; }
  .slc { --soft: #444; --line: #bbb; --mark: #eaf3fa; }
  :is(h2, h3, h4) + .note, summary { break-after: avoid; }
  tr, img, figure, .panels, .confusion { break-inside: avoid; } .scroll { overflow: visible; }
  .slc table { font-size: 12px; } .slc td { white-space: normal; }
  details::details-content { content-visibility: visible; display: block; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

#: Said where pictures are left out.
NO_PICTURES = "Pictures are left out: they need pip install 'sklearnloss[plot]'."


def page(title: str, sections: Iterable[str]) -> str:
    """Return a complete HTML page."""
    return _encodable(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{_PAGE_STYLE}</style></head>"
        f'<body><main class="slc">{"".join(sections)}{_guide()}</main></body></html>\n'
    )


def snippet(sections: Iterable[str]) -> str:
    """Return HTML for a notebook."""
    return _encodable(
        f'<div class="slc"><style>{_STYLE}</style>{"".join(sections)}{_guide()}</div>'
    )


def _guide() -> str:
    """Link the guide to reports, if its address is known."""
    if not REPORT.url:
        return ""
    return f'<p class="note"><a href="{escape(REPORT.url)}">{escape(REPORT.title)}</a></p>'


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot encode, which file names may contain."""
    return text.encode("utf-8", "backslashreplace").decode()


def draw_uri(draw: Callable[[Figure], Any], size: tuple[float, float]) -> str | None:
    """Return a figure as a data URI, None without matplotlib.

    Parameters
    ----------
    draw : callable
        Called with the figure to draw on.
    size : tuple of float
        Width and height in inches.
    """
    if not has_matplotlib():
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return as_uri(buffer.getvalue())


def has_matplotlib() -> bool:
    """Return whether pictures can be drawn."""
    try:
        import_pyplot("A report")
    except ImportError:
        return False
    return True


def pixels_uri(picture: Array) -> str | None:
    """Return pixels, uint8 of shape (H, W) or (H, W, 3), as a data URI; None without matplotlib."""
    return png_uri(picture) if has_matplotlib() else None


def figures(pictures: Iterable[tuple[str | None, str]], widths: Sequence[float] = ()) -> str:
    """Return pictures next to each other, from their data URIs and their texts.

    Parameters
    ----------
    pictures : iterable of (str or None, str)
        URI and text of each.
    widths : sequence of float, default=()
        In inches, for pictures of several widths: their letters are shown in one size.
    """
    known = [(uri, text) for uri, text in pictures if uri is not None]
    if not known:
        return note(NO_PICTURES)
    styles = [f' style="flex:{w:.3g} 1 {70 * w:.0f}px;max-width:{110 * w:.0f}px"' for w in widths]
    images = [
        f'<img alt="{escape(text)}" src="{uri}"{style}>'
        for (uri, text), style in zip(known, styles or [""] * len(known), strict=True)
    ]
    return f'<div class="pictures">{"".join(images)}</div>'


def note(text: str) -> str:
    """Return a small paragraph, "" without text."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def folded(heading: str, content: str) -> str:
    """Return content that is shown when its heading, which is HTML, is clicked."""
    return f"<details><summary>{heading}</summary>{content}</details>" if content else ""


def advice_box(advice: Sequence[str], command: str = "") -> str:
    """Return what to do, the first sentence in bold, and the command to run next, if any."""
    first, *others = (_OPTION.sub(r"<code>\g<0></code>", escape(text)) for text in advice)
    if command:
        others.insert(0, f'To predict other images: <code class="command">{escape(command)}</code>')
    items = "".join(f"<li>{text}</li>" for text in others)
    more = f"<ul>{items}</ul>" if items else ""
    return f'<div class="headline"><p><strong>{first}</strong></p>{more}</div>'


#: Options of the command, which must not be broken into two lines.
_OPTION = re.compile(r"--[a-z][a-z-]+(?: \d+)?")


class Cell(str):
    """A table cell that is already HTML; any other text is escaped."""


def table(
    head: Iterable[str],
    rows: Iterable[Sequence[str]],
    classes: Sequence[str] | None = None,
    *,
    kind: str = "",
) -> str:
    """Return a table of texts and cells, which scrolls if it is too wide.

    Parameters
    ----------
    head : iterable of str
        The headings of the columns.
    rows : iterable of sequences of str
        The first cell of each is its name.
    classes : sequence of str, default=None
        A CSS class for each row.
    kind : str, default=""
        A CSS class for the table.
    """
    heads = list(head)
    title = next(filter(None, heads), "")
    body, words = [], set()
    for k, row in enumerate(rows):
        words |= {n for n, text in enumerate(row) if isinstance(text, Cell) and _WORDS in text}
        of_row = f' class="{classes[k]}"' if classes and classes[k] else ""
        inner = "".join(_cell(text, number == 0) for number, text in enumerate(row))
        body.append(f"<tr{of_row}>{inner}</tr>")
    top = "".join(
        f'<th scope="col"{_LEFT if number in words else ""}>{_breakable(name)}</th>'
        for number, name in enumerate(heads)
    )
    style = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {escape(title)}">'
        f"<table{style}><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


_WORDS, _LEFT = 'class="words', ' class="words"'


def _cell(text: str, is_name: bool) -> str:
    if isinstance(text, Cell):
        return text
    return row_name(escape(text)) if is_name else f"<td>{escape(text)}</td>"


def row_name(inner: str) -> Cell:
    """Return the first cell of a row, from its HTML."""
    return Cell(f'<th scope="row" class="name">{inner}</th>')


def _breakable(name: str) -> str:
    """Return a heading that may be broken after an underscore."""
    return escape(name).replace("_", "_<wbr>")


def settings_table(settings: dict[str, str]) -> str:
    """Return a table of names and values."""
    rows = [
        [name, Cell(f'<td class="words"><code>{escape(text)}</code></td>')]
        for name, text in settings.items()
    ]
    return table(["setting", "value"], rows)
