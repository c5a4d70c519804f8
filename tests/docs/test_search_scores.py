"""The order of the results of the site's search."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "_ext" / "search_scores.js"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")


def score(query: str, page: str, title: str, *, found: int = 15) -> float:
    """Return the score of a page that Sphinx itself gives the score ``found``."""
    code = (
        f"globalThis.location = {{search: '?' + new URLSearchParams({{q: {json.dumps(query)}}})}};"
        f"{SCRIPT.read_text(encoding='utf-8')};"
        f"console.log(Scorer.score({json.dumps([page, title, '', None, found, page, 'text'])}))"
    )
    answer = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    return float(answer.stdout)


def test_a_title_with_more_words_of_the_query_comes_first() -> None:
    best = score("mask of new images", "how_to/using_the_best_model", "Masks of new images")
    some = score("mask of new images", "how_to/augmentation", "Images and masks")
    none = score("mask of new images", "how_to/networks", "Your own network")
    assert best > some > none


def test_guides_come_before_other_pages_with_the_same_words() -> None:
    pages = ["how_to/search", "reference/generated/search"]
    guide, other = (score("gamma", page, "Another title") for page in pages)
    assert guide > other


def test_words_in_the_text_only_do_not_outweigh_a_title() -> None:
    text = score("dice loss", "faq", "Questions", found=5)
    assert score("dice loss", "explanation/limits", "Dice", found=15) > text


def test_an_empty_query_changes_nothing() -> None:
    assert score("", "reference/api", "Python") == 15
