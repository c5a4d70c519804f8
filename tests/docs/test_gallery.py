"""The examples and their order."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/plot_*.py"))


def test_the_examples_to_begin_with_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    order = importlib.import_module("gallery_order")
    names = {path.name for path in EXAMPLES}
    assert set(order.FIRST) <= names
    ordered = sorted(names, key=order.FirstExamplesFirst("examples"))
    assert ordered == [*order.FIRST, *sorted(names - set(order.FIRST))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_title_a_sentence_and_a_picture(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring
    title, line, empty, *rest = docstring.splitlines()
    assert set(line) == {"="}
    assert len(line) >= len(title)
    assert empty == ""
    assert "".join(rest)
    assert "plt.show()" in source
