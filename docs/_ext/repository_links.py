"""Links of the guides to files of the repository that have no page of their own.

On the disk and on a code host, ``[benchmarks](../../benchmarks/README.md)`` leads to the file.
The site has no such file: it shows the name of the file as code instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent.parent


def show_path(app: Sphinx, doctree: nodes.document) -> None:
    """Replace each link to a file outside of the site by its text and its path."""
    source = Path(app.env.doc2path(app.env.docname)).parent
    for node in [*doctree.findall(pending_xref), *doctree.findall(download_reference)]:
        target = str(node.get("reftarget", "")).partition("#")[0]
        path = (source / target).resolve()
        if not target or not path.is_relative_to(ROOT) or path.is_relative_to(app.srcdir):
            continue
        if path.exists():
            name = str(path.relative_to(ROOT))
            text = node.astext()
            shown = nodes.inline("", "", nodes.Text(f"{text} ("), nodes.literal("", name))
            shown += nodes.Text(")")
            node.replace_self(nodes.literal("", name) if text == name else shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the replacement."""
    app.connect("doctree-read", show_path)
    return {"parallel_read_safe": True}
