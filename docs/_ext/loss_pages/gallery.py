"""Which examples of the gallery use a loss, and which losses the laboratory knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sklearnloss.losses import get_loss, list_losses

ROOT = Path(__file__).parents[3]
CATALOG = ROOT / "docs" / "_static" / "laboratory" / "catalog.js"
#: What names mean there that are also names of losses, such as the Dice score.
SCORES = {"scoring", "metric", "metrics"}


@cache
def in_laboratory() -> frozenset[str]:
    """Return the names of the losses that the laboratory has."""
    text = CATALOG.read_text(encoding="utf-8").partition("const catalog = {")[2]
    return frozenset(re.findall(r"^    (\w+): loss\(", text, flags=re.MULTILINE))


@cache
def examples() -> dict[Path, set[str]]:
    """Return the names of the losses that each example uses."""
    files = sorted((ROOT / "examples").glob("*/plot_*.py"))
    return {path: used(path.read_text(encoding="utf-8")) for path in files}


def used(code: str) -> set[str]:
    """Return the names of the losses that a script uses, by name or by class."""
    names = set(list_losses())
    classes = {type(get_loss(name)).__name__: name for name in names}
    found = set()
    for word in words(ast.parse(code)):
        found |= {classes[word]} if word in classes else set(re.split(r"[+*]", word)) & names
    return found


def words(node: ast.AST) -> Iterator[str]:
    """Yield names and strings of a script, but not those of scores."""
    if isinstance(node, ast.keyword) and node.arg in SCORES:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from words(child)


def using(name: str, at_most: int = 6) -> list[str]:
    """Return the examples that use a loss, first those that use few others."""
    found = [path for path, losses in examples().items() if name in losses]
    found.sort(key=lambda path: len(examples()[path]))
    return [path.relative_to(ROOT).as_posix() for path in found[:at_most]]
