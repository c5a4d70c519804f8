"""The subpackages of the package and their imports, drawn as a Mermaid graph.

python docs/draw_subpackages.py           # prints the graph
python docs/draw_subpackages.py --write   # writes it into docs/explanation/architecture.md
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent / "sklearnloss"
START, END = "<!-- subpackages -->\n", "<!-- /subpackages -->\n"

Edges = set[tuple[str, str]]


def subpackage_of(module: str) -> str:
    """Return the subpackage of a module: a package, or its private sub-package."""
    parts = module.split(".")[1:]
    if len(parts) > 2 or (len(parts) == 2 and (ROOT / Path(*parts)).is_dir()):
        return "/".join(parts[:2])
    return parts[0] if parts and (ROOT / parts[0]).is_dir() else ""


def imported(path: Path) -> set[str]:
    """Return the modules of this package that a file imports."""
    package = ("sklearnloss", *path.relative_to(ROOT).with_suffix("").parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(
                [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            )
            names = [f"{base}.{alias.name}" for alias in node.names]
            found |= {name if is_module(name) else base for name in names}
    return found


def is_module(name: str) -> bool:
    """Return whether a dotted name is a module or a package of this one."""
    path = ROOT.parent / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def edges() -> Edges:
    """Return which subpackage imports which; public names of a package are its own subpackage."""
    found = set()
    for path in ROOT.rglob("*.py"):
        if path.name == "__init__.py":
            continue
        module = ".".join(["sklearnloss", *path.relative_to(ROOT).with_suffix("").parts])
        for other in imported(path):
            pair = subpackage_of(module), subpackage_of(other)
            if all(pair) and pair[0] != pair[1] and pair[1] != "_utils":
                found.add(pair)
    return found


def reduced(pairs: Edges) -> Edges:
    """Leave out what follows from other imports, so that the picture stays readable."""
    below: dict[str, set[str]] = {}
    for upper, lower in pairs:
        below.setdefault(upper, set()).add(lower)

    def reachable(subpackage: str) -> set[str]:
        found: set[str] = set()
        left = {subpackage}
        while left:
            left = {low for each in left for low in below.get(each, ())} - found
            found |= left
        return found

    return {
        (upper, lower)
        for upper, lower in pairs
        if not any(lower in reachable(other) for other in below[upper] - {lower})
    }


def graph() -> str:
    """Return the Mermaid text."""
    pairs = reduced(edges())
    subpackages = sorted({subpackage for pair in pairs for subpackage in pair})
    lines = ["```mermaid", "flowchart TD"]
    for package in sorted({subpackage.partition("/")[0] for subpackage in subpackages}):
        inside = [name for name in subpackages if name.partition("/")[0] == package]
        if len(inside) > 1:
            lines += [f"  subgraph {package.strip('_')}_package[{package}]"]
            lines += [f'    {_node(subpackage)}["{subpackage}"]' for subpackage in inside]
            lines += ["  end"]
        else:
            lines += [f'  {_node(inside[0])}["{inside[0]}"]']
    lines += [f"  {_node(upper)} --> {_node(lower)}" for upper, lower in sorted(pairs)]
    return "\n".join([*lines, "```", ""])


def _node(subpackage: str) -> str:
    return subpackage.replace("/_", "_").strip("_")


def main() -> None:
    """Print the graph, or write it."""
    if "--write" not in sys.argv:
        sys.stdout.write(graph())
        return
    page = DOCS / "explanation" / "architecture.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    page.write_text(before + START + graph() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
