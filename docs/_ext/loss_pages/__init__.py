"""A page for each registered loss, written before Sphinx reads the sources.

The text comes from :mod:`loss_facts`, docstrings, search spaces and the committed
measurements; the curves and the fits are computed here, in two processes. Those of a loss
are kept as long as no source that they depend on changes.

``page`` puts a page together; ``describe`` reads docstrings and search spaces, ``costs`` and
``records`` measurements, ``gallery`` the examples. ``curves`` draws values and gradients,
``demos`` defines the data sets and ``fits`` trains on them and draws what was predicted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed
from loss_facts import FACTS, Fact

from sklearnloss.losses import get_loss, list_losses

from . import page
from .demos import DEMOS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[2]


def generate(app: Sphinx) -> None:
    """Write all pages and pictures before Sphinx reads the sources."""
    from sphinx.util import logging  # late, since the tests of this package need no Sphinx

    write_pages(Path(app.srcdir) / "losses", logging.getLogger(__name__).warning)


def write_pages(folder: Path, warn: Callable[..., None]) -> None:
    """Write all pages and pictures, and warn of losses without facts."""
    for name in page.missing(list_losses()):
        warn(page.HOW_TO_ADD, name, name)
    names = [name for name in list_losses() if name in FACTS]
    results = drawn(names, folder / "pictures")
    for old in set(folder.glob("*.md")) - {folder / f"{name}.md" for name in ("index", *names)}:
        old.unlink()
    for name in names:
        write_if_changed(folder / f"{name}.md", page.write(name, results[name]))


def drawn(names: list[str], folder: Path) -> dict[str, Any]:
    """Return the results of the fits; their pictures are in the folder."""
    record = folder / "results.json"
    folder.mkdir(parents=True, exist_ok=True)
    kept = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    sources = hash_of_sources()
    stamps = {name: f"{sources} {pictured(FACTS[name])}" for name in names}
    new = [name for name in names if kept.get(name, {}).get("stamp") != stamps[name]]
    # Losses with the same demos are in one process, which fits their rival once.
    labels = [name for name in new if any(DEMOS[d].kind == "labels" for d in FACTS[name].demos)]
    shares = [part for part in (labels, [name for name in new if name not in labels]) if part]
    for part in Parallel(n_jobs=2)(delayed(draw_all)(share, folder) for share in shares):
        kept |= {name: {"stamp": stamps[name], "results": found} for name, found in part.items()}
    kept = {name: kept[name] for name in names}
    record.write_text(json.dumps(kept), encoding="utf-8")
    return {name: entry["results"] for name, entry in kept.items()}


def draw_all(names: list[str], folder: Path) -> dict[str, Any]:
    """Draw the curves and the fits of some losses; runs in a process of its own."""
    import torch

    from .curves import draw_curves
    from .fits import draw_demo

    torch.set_num_threads(1)
    results = {}
    for name in names:
        draw_curves(name, folder)
        results[name] = {demo: draw_demo(name, demo, folder) for demo in FACTS[name].demos}
    return results


def pictured(fact: Fact) -> str:
    """Return the facts that pictures depend on; a change of the text draws nothing anew."""
    drawn = (fact.vary, fact.curve, fact.fixed, fact.beside, fact.demos)
    return repr((drawn, fact.shown_as, fact.shown_with))


def hash_of_sources() -> str:
    """Return a hash of the code that draws, and of the package."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    drawing = [here / f"{name}.py" for name in ("curves", "demos", "fits")]
    for path in [*drawing, *sorted((DOCS.parent / "sklearnloss").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_if_changed(path: Path, text: str) -> None:
    """Write a file unless it has this text, so that Sphinx reads only what is new."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def link_tables(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let the names in the tables of the losses lead to their pages.

    On the disk, where these pages do not exist, the names are plain.
    """
    if docname == "losses/index":
        source[0] = with_links(source[0])


def with_links(text: str) -> str:
    """Return the tables with a link in each row that begins with the name of a loss."""

    def link(row: re.Match[str]) -> str:
        name = row.group(1)
        return f"| [`{name}`]({name}.md) |" if name in FACTS else row.group(0)

    text = re.sub(r"^\| `(\w+)` \|", link, text, flags=re.MULTILINE)
    classes = {type(get_loss(name)).__name__ for name in FACTS}

    def reference(cell: re.Match[str]) -> str:
        name = cell.group(1)
        shown = f"{{py:class}}`~sklearnloss.losses.{name}`"
        return f"| {shown} |" if name in classes else cell.group(0)

    return re.sub(r"\| `(\w+)` \|", reference, text)


def link_class(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let the reference of a loss lead to its page, above the parameters."""
    pages = {type(get_loss(each)): each for each in FACTS}
    if what != "class" or obj not in pages:
        return
    place = lines.index(":Parameters:") if ":Parameters:" in lines else len(lines)
    link = f":doc:`Page with formula, curves and examples </losses/{pages[obj]}>`"
    lines[place:place] = [link, ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the generator."""
    app.connect("builder-inited", generate)
    app.connect("source-read", link_tables)
    app.connect("autodoc-process-docstring", link_class, priority=600)  # after numpydoc
    return {"parallel_read_safe": True}
