from __future__ import annotations

import base64
import builtins
import io
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from sklearnloss import compare_losses
from sklearnloss.losses import FocalLoss
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.html import render_report
from sklearnloss.tuning._comparison.origin import Origin
from sklearnloss.tuning._comparison.wording import cell

from ...estimators.conftest import Data, segmenter
from ..comparisons import made_up
from .test_results import SCORES

mpl.use("agg")
from matplotlib import pyplot as plt

VOID = {"meta", "img", "wbr"}


class Page(HTMLParser):
    """A page that is read strictly: every tag is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def images(self) -> list[Any]:
        """Return the pictures as arrays."""
        sources = [attrs["src"] or "" for tag, attrs in self.tags if tag == "img"]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        data = [base64.b64decode(source.partition(",")[2], validate=True) for source in sources]
        return [imread(io.BytesIO(each)) for each in data]


@pytest.fixture(scope="module")
def comparison() -> LossComparison:
    return made_up(
        {**SCORES, "<b>ad & co": SCORES["poor"]}, images=True, diverged={"<b>ad & co": [0, 1]}
    )


@pytest.fixture
def page(comparison: LossComparison, tmp_path: Path) -> Page:
    path = comparison.to_html(tmp_path / "new" / "report.html")
    return Page(path.read_text(encoding="utf-8"))


def test_the_report_is_one_file_that_needs_nothing_else(
    comparison: LossComparison, tmp_path: Path
) -> None:
    path = comparison.to_html(str(tmp_path / "report.html"))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    for outside in ("http:", "https:", "//", "<script", "<link", "@import", "url("):
        assert outside not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text), outside
    page = Page(text)
    assert [tag for tag, attrs in page.tags if "href" in attrs] == []


def test_the_report_shows_all_losses_and_verdicts(comparison: LossComparison, page: Page) -> None:
    first = [row[0] for row in page.rows]
    for row in comparison.table_:
        assert row["loss"] in first
    for pair in comparison.pairs_:
        assert pair["verdict"] in first
    assert "<b>ad & co: the <loss> became nan" in page.text
    assert "UNetSegmenter()" in page.text
    assert "loss='fine'" in page.text


def test_screen_readers_hear_the_names_of_rows_and_tables(page: Page) -> None:
    scopes = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    n_tables = sum(tag == "table" for tag, _ in page.tags)
    assert scopes.count("row") > n_tables
    assert None not in scopes
    regions = [attrs for tag, attrs in page.tags if tag == "div" and "tabindex" in attrs]
    assert len(regions) == n_tables
    assert all(attrs["role"] == "region" and attrs["aria-label"] for attrs in regions)


@pytest.mark.parametrize(("baseline", "shown"), [(0.1, True), (0.99, False)])
def test_the_box_has_the_command_to_run_next(baseline: float, shown: bool) -> None:
    command = "sklearnloss predict 'a & b' IMAGES --output predictions"
    found = made_up(SCORES, baseline=baseline)
    text = render_report(found, Origin(predict=command))
    box = text.partition('<div class="headline">')[2].partition("</div>")[0]
    assert (escape(command) in box) == shown


def test_a_single_loss_has_no_probability_of_being_the_best() -> None:
    single = made_up({"dice": SCORES["poor"]})
    for text in (str(single.summary()), render_report(single), single._repr_html_()):
        assert "P(best)" not in text.partition("How it was computed")[0]


def test_markup_in_labels_is_text(page: Page) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not {"b", "loss"} & tags


def test_the_picture_is_in_the_report(page: Page) -> None:
    pictures = page.images()
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.shape[1] > 700
        assert len(np.unique(picture[::4, ::4, 0])) > 10


def test_single_images_are_called_descriptive(comparison: LossComparison, page: Page) -> None:
    assert "Descriptive, no test" in page.text
    (pairs,) = [k for k, row in enumerate(page.rows) if row[0] == "pair"]
    assert page.rows[pairs + 1][0] in ("fine - same", "same - fine")
    (hard,) = [k for k, row in enumerate(page.rows) if row[0] == "hardest images"]
    assert [row[0] for row in page.rows[hard + 1 : hard + 11]] == [
        f"image {row['image']}" for row in comparison.worst_images_
    ]


def test_without_image_scores_there_is_no_section_of_them(tmp_path: Path) -> None:
    page = Page(made_up(SCORES).to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Single images" not in page.text


def test_the_report_is_the_same_each_time(comparison: LossComparison, tmp_path: Path) -> None:
    one, two = (comparison.to_html(tmp_path / name).read_bytes() for name in ("1", "2"))
    assert one == two


def test_no_figure_is_left_open(comparison: LossComparison, tmp_path: Path) -> None:
    before = plt.get_fignums()
    comparison.to_html(tmp_path / "report.html")
    assert plt.get_fignums() == before


@pytest.mark.slow
def test_a_report_of_real_fits_has_their_hardest_images(scenes: Data, tmp_path: Path) -> None:
    X, y = scenes
    found = compare_losses(segmenter(), ["dice", FocalLoss(gamma=3)], X, y, cv=2, random_state=0)
    page = Page(found.to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    scores, differences, *examples, curves = page.images()[:-10]
    assert min(each.shape[1] for each in (scores, differences, curves)) > 700
    assert [picture.shape[:2] for picture in examples] == [(16, 16)] * (2 * 3 * 4)
    small = page.images()[-10:]
    assert [picture.shape[:2] for picture in small] == [(16, 16)] * 10
    worst = X[found.worst_images_[0]["image"]].astype(float)
    shown = small[0]
    inside = (worst > np.quantile(worst, 0.01)) & (worst < np.quantile(worst, 0.99))
    assert np.corrcoef(worst[inside], shown[inside])[0, 1] > 0.99
    assert "loss=FocalLoss(gamma=3)" in page.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "label", ["<td><script>alert(1)</script>", "<td", "$\\bad{$", "$x$ and $y", "\udce9t\udce9.png"]
)
def test_any_label_is_shown_as_it_is(label: str, tmp_path: Path) -> None:
    found = made_up({label: SCORES["fine"], "b": SCORES["poor"]}, images=True)
    found.image_names_ = [label] * 50
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    shown = label.encode("utf-8", "backslashreplace").decode()
    page = Page(text)
    assert page.rows[1][0].strip() == shown
    assert page.rows[1][1] == cell(SCORES["fine"].mean())
    figure = found.plot()[0].figure
    figure.canvas.draw()  # a label that were read as a formula would raise here
    assert any(row[0].strip() == shown for row in Page(found._repr_html_()).rows)


@pytest.mark.slow
def test_files_are_named(tmp_path: Path) -> None:
    found = made_up(SCORES, images=True)
    worst = found.worst_images_[0]["image"]
    found.image_names_ = [f"cell {k}.tif" for k in range(50)]
    page = Page(found.to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert any(row[0].strip() == f"cell {worst}.tif" for row in page.rows)


def test_notebooks_show_table_and_verdicts(comparison: LossComparison) -> None:
    page = Page(comparison._repr_html_())
    assert page.rows[0][:2] == ["loss", "score"]
    assert len(page.rows) == 1 + 4
    assert all(pair["verdict"] in page.text for pair in comparison.pairs_)


def test_without_matplotlib_pictures_are_left_out(
    comparison: LossComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    page = Page(comparison.to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.images() == []
    assert "Pictures are left out: they need pip install 'sklearnloss[plot]'" in page.text
    assert comparison.advice()[0] in page.text
