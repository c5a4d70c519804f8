"""Links of the guides to files of the repository.

On the disk and on a code host, ``[benchmarks](../../benchmarks/README.md)`` leads to the file.
Here it leads to the page that includes the file; files without a page are shown by their path.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).parent.parent.parent

#: Pages that include a file of the repository.
PAGES = {
    "CHANGELOG.md": "reference/changes",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "reference/security",
    "benchmarks": "reference/benchmarks",
    "benchmarks/README.md": "reference/benchmarks",
}


def replace_links(app: Sphinx, doctree: nodes.document) -> None:
    """Replace each link to a file outside of the site."""
    page = app.env.docname
    for node in [*doctree.findall(pending_xref), *doctree.findall(download_reference)]:
        path = outside_path(app, node)
        if path is None:
            continue
        text = node.astext()
        if path in PAGES:
            content = nodes.inline("", text)
            anchor = str(node["reftarget"]).partition("#")[2]
            node.replace_self(make_refnode(app.builder, page, PAGES[path], anchor, content))
        else:
            shown = nodes.inline("", f"{text} (") if text != path else nodes.inline()
            shown += nodes.literal("", path)
            shown += nodes.Text(")" if text != path else "")
            node.replace_self(shown)


def outside_path(app: Sphinx, node: nodes.Element) -> str | None:
    """Return the path of a link's target in the repository, if it is outside of the site."""
    target = str(node.get("reftarget", "")).partition("#")[0]
    if not target or "://" in target or node.get("reftype") not in {None, "doc", "myst"}:
        return None
    folder = posixpath.dirname(app.env.docname)
    included = {page: ROOT / posixpath.dirname(path) for path, page in PAGES.items()}
    bases = [Path(app.srcdir) / folder, Path(app.srcdir)]
    for base in [included[page], *bases] if (page := app.env.docname) in included else bases:
        for name in (target, f"{target}.md"):
            path = (base / name).resolve()
            inside = path.is_relative_to(app.srcdir) or not path.is_relative_to(ROOT)
            if path.exists() and not inside:
                return path.relative_to(ROOT).as_posix()
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the replacement."""
    app.connect("doctree-read", replace_links)
    return {"parallel_read_safe": True}
