"""What docstrings need to become pages.

``(n, *spatial)`` reads well in ``help``; reStructuredText takes its asterisk for the beginning
of emphasis. What is inherited from scikit-learn refers to the glossary and the user guide of
its own site.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from sphinx.application import Sphinx

PARAMETER = re.compile(r"\*\*?\w+ :")  # numpydoc escapes it
TERM = re.compile(r":term:`([^`<]+?)(?: <[^`]*>)?`")
ROUTING = re.compile(r"get_metadata_routing|set_\w+_request")


def prepare(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape each asterisk before a word, but not in literals and examples; unlink terms."""
    for number, line in enumerate(lines):
        if ":term:" in line:
            lines[number] = TERM.sub(r"``\1``", line)
        if PARAMETER.match(line.lstrip()) or line.lstrip().startswith((">>>", "...")):
            continue
        if "*" in line:
            parts = re.split(r"(``.*?``)", line)
            lines[number] = "".join(
                part
                if part.startswith("``")
                else re.sub(r"(?<![*\\\w])(\*\*?)(?=\w)", escaped, part)
                for part in parts
            )


def escaped(asterisks: re.Match[str]) -> str:
    """Return asterisks with a backslash each."""
    return asterisks.group(1).replace("*", "\\*")


def real_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, returned: str
) -> tuple[str, str] | None:
    """Show the parameters of a class's constructor, also where a base class has ``__new__``."""
    if what != "class" or arguments != "(*args, **kwargs)":
        return None
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(obj).parameters.values()
    ]
    return str(inspect.Signature(parameters)), returned


def skip_routing(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool:
    """Leave scikit-learn's methods for metadata routing out of the reference."""
    return bool(skip) or ROUTING.fullmatch(name) is not None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both, before numpydoc sees the docstrings."""
    app.connect("autodoc-process-docstring", prepare, priority=400)
    app.connect("autodoc-process-signature", real_signature)
    app.connect("autodoc-skip-member", skip_routing)
    return {"parallel_read_safe": True}
