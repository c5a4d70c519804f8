"""The building blocks of reports: pages, tables and pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ...estimators._displays.style import import_pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
h3 { font-size: 1em; margin: 1em 0 .2em; color: #4b5563; }
img { max-width: 100%; }
.pictures { display: flex; flex-wrap: wrap; gap: .5em 1.5em; align-items: center; }
.pictures img { flex: 2 1 380px; min-width: 0; }
.pictures img + img { flex: 1 1 230px; max-width: 340px; }
@media print { body { background: #fff; } main { margin: 0; padding: 0; overflow: visible;
  box-shadow: none; } h2, h3 { break-after: avoid; } tr, img { break-inside: avoid; } }
.slc .headline { font-size: 1.1em; margin: .8em 0; padding: .6em 1em; background: #eaf3fa;
                 border-left: 4px solid #0072b2; }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """Return a complete HTML page."""
    return _encodable(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{_PAGE_STYLE}</style></head>"
        f'<body><main class="slc">{"".join(sections)}</main></body></html>\n'
    )


def snippet(sections: Iterable[str]) -> str:
    """Return HTML for a notebook."""
    return _encodable(f'<div class="slc"><style>{_STYLE}</style>{"".join(sections)}</div>')


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot encode, which file names may contain."""
    return text.encode("utf-8", "backslashreplace").decode()


def draw_uri(draw: Callable[[Figure], Any], size: tuple[float, float], name: str) -> str:
    """Return a figure as a data URI.

    Parameters
    ----------
    draw : callable
        Called with the figure to draw on.
    size : tuple of float
        Width and height in inches.
    name : str
        Names what needs matplotlib in the error message.
    """
    import_pyplot(name)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return data_uri(buffer)


def data_uri(png: io.BytesIO) -> str:
    """Return a picture as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


class Cell(str):
    """A table cell that is already HTML; any other text is escaped."""


def table(
    head: Iterable[str], rows: Iterable[Sequence[str]], classes: Sequence[str] | None = None
) -> str:
    """Return a table of texts and cells."""
    body = []
    for k, row in enumerate(rows):
        kind = f' class="{classes[k]}"' if classes and classes[k] else ""
        inner = "".join(
            text if isinstance(text, Cell) else f"<td>{escape(text)}</td>" for text in row
        )
        body.append(f"<tr{kind}>{inner}</tr>")
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def settings_table(settings: dict[str, str]) -> str:
    """Return a table of names and values."""
    rows = [
        [name, Cell(f'<td class="words"><code>{escape(text)}</code></td>')]
        for name, text in settings.items()
    ]
    return table(["", ""], rows)
