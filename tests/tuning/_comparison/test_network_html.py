from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pytest

from sklearnloss.tuning import NetworkComparison

from ..comparisons import made_up
from .test_html import Page
from .test_network_results import SAME

mpl.use("agg")


@pytest.fixture(scope="module")
def comparison() -> NetworkComparison:
    with_images = {
        "<b>ig & co": made_up(SAME["small"], images=True, diverged={"focal": [0]}),
        "large": made_up(SAME["large"], images=True),
    }
    return NetworkComparison(with_images)


@pytest.fixture(scope="module")
def page(comparison: NetworkComparison, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = comparison.to_html(tmp_path_factory.mktemp("report") / "new" / "report.html")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    for outside in ("http:", "https:", "//", "<script", "<link", "@import", "url("):
        assert outside not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text), outside
    return Page(text)


def test_the_report_has_the_verdict_and_all_tables(
    comparison: NetworkComparison, page: Page
) -> None:
    assert comparison.verdict_ in page.text
    assert comparison.notes_[0] in page.text
    first = [row[0] for row in page.rows]
    for row in comparison.effects_:
        assert row["effect"] in first
    for row in comparison.best_losses_:
        assert row["network"] in first
    for each in comparison.comparisons_.values():
        for pair in each.pairs_:
            assert pair["verdict"] in first
    assert "large: dice" in first
    assert "UNetSegmenter()" in page.text


def test_markup_in_names_is_text(page: Page) -> None:
    assert "b" not in {tag for tag, _ in page.tags}
    assert "<b>ig & co" in page.text


def test_the_report_holds_its_pictures(page: Page) -> None:
    scores, shares = page.images()
    assert scores.shape[1] > 1000
    assert 300 < shares.shape[1] < scores.shape[1]
    assert all(np.ptp(picture) > 0.5 for picture in (scores, shares))
    styles = [str(attrs["style"]) for tag, attrs in page.tags if tag == "img"][:2]
    left, right = (float(style.removeprefix("flex:").split()[0]) for style in styles)
    assert left / right == pytest.approx(scores.shape[1] / shares.shape[1], rel=0.05)


def test_a_notebook_shows_the_verdict(comparison: NetworkComparison) -> None:
    shown = Page(comparison._repr_html_())
    assert comparison.verdict_ in shown.text
    assert ["loss x network"] in [row[:1] for row in shown.rows]


def test_a_loss_that_is_best_for_all_is_marked(page: Page) -> None:
    best = [attrs for tag, attrs in page.tags if tag == "tr" and attrs.get("class") == "best"]
    assert len(best) == 3  # in the table of means, and with each network
