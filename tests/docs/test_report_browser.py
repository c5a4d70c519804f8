"""The page that browses reports, in a browser."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from sklearnloss.tuning._comparison.as_json import render_json
from sklearnloss.tuning._comparison.wording import cell

from ..tuning.comparisons import made_up
from .browser import Browser
from .reports import DOCS, EXAMPLE, NASTY, PAGE, SCORES, report, report_text

pytestmark = pytest.mark.slow


def page_text() -> str:
    """Return the page without the theme: its policy and its block of HTML."""
    policy = re.search(r'Content-Security-Policy": "([^"]+)"', PAGE)
    block = re.search(r"```\{raw\} html\n(.*?)```", PAGE, re.S)
    assert policy
    assert block
    return (
        '<!DOCTYPE html><html lang="en" data-theme="dark"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy[1]}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:image/png;base64,iVBORw0KGgo=">'
        f"<title>page</title></head><body>{block[1]}</body></html>"
    )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the folder of the documentation, and the page."""

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path != "/report_browser.html":
            super().do_GET()
            return
        body = page_text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of the page."""
    handler = functools.partial(Handler, directory=str(DOCS))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/report_browser.html"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    """Return a browser with the page, which asks for nothing from elsewhere."""
    browser.resize(1000, 800)
    browser.open(address)
    yield browser
    own = address.rpartition("/")[0]
    assert [url for url in browser.requests() if not url.startswith((own, "data:"))] == []


OPENED = "!document.querySelector('[data-place=report]').hidden"
MESSAGES = "document.querySelector('[data-place=messages]').innerText"
PANEL = "document.querySelector('#rb-panel').innerText"


def test_every_tab_of_the_example_is_shown(page: Browser) -> None:
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    page.click("[data-place=example]")
    page.wait(OPENED)
    told = {
        "summary": example["advice"][0],
        "losses": cell(example["losses"][0]["mean"]),
        "pairs": example["pairs"][-1]["verdict"],
        "images": example["images"]["names"][0],
        "curves": "epoch",
        "about": example["command"],
    }
    for tab, text in told.items():
        page.click(f"#rb-tab-{tab}")
        assert text in page.run(PANEL), tab
        assert page.run("location.hash") == f"#tab={tab}"
    assert page.run("document.querySelectorAll('table:not(:has(caption))').length") == 0
    page.click("#rb-tab-images")
    painted = """[...document.querySelectorAll('canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size; })"""
    page.wait(f"Math.min(...{painted}) > 5")
    assert len(page.run(painted)) == 3 * 4


def test_images_are_sorted_by_disagreement_from_the_address(page: Browser, address: str) -> None:
    page.open(f"{address}#tab=images&images=-gap")
    page.click("[data-place=example]")
    page.wait(OPENED)
    scores = np.array(json.loads(EXAMPLE.read_text(encoding="utf-8"))["images"]["scores"])
    gaps = scores.max(0) - scores.min(0)
    shown = page.run(
        "[...document.querySelectorAll('#rb-panel table:last-of-type tbody tr')]"
        ".map((row) => row.cells[2].innerText)"
    )
    assert shown == [cell(gap) for gap in sorted(gaps, reverse=True)]
    assert page.run("document.querySelector('th[aria-sort=descending]').innerText.trim()[0]") == "g"


def test_a_dropped_folder_with_markup_in_its_names_is_only_text(
    page: Browser, tmp_path: Path
) -> None:
    (tmp_path / "results" / "more").mkdir(parents=True)
    (tmp_path / "results" / "report.json").write_text(report_text(), encoding="utf-8")
    (tmp_path / "results" / "losses.csv").write_text("loss\n")
    page.drop([tmp_path / "results"], 200, 60)
    page.wait(OPENED)
    assert "Opened results." in page.run(MESSAGES)
    for tab in ("summary", "losses", "pairs", "images", "curves", "about"):
        page.click(f"#rb-tab-{tab}")
        assert page.run("document.querySelectorAll('#rb-panel img, #rb-panel script').length") == 0
        if tab not in ("curves", "summary"):
            assert NASTY in page.run("document.querySelector('#rb-panel').textContent")
    assert page.run("document.title") == "page"


def test_several_runs_are_side_by_side(page: Browser, tmp_path: Path) -> None:
    for k, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        own = made_up({"dice": SCORES["dice"], "own": [0.1 + k, 0.2, 0.3, 0.2, 0.1]}, baseline=0.2)
        told = json.loads(render_json(own))
        told["data"]["name"] = f"cells {k}"
        (tmp_path / name / "report.json").write_text(json.dumps(told))
    page.drop([tmp_path / "one", tmp_path / "two"], 200, 60)
    page.wait(OPENED)
    page.click("#rb-tab-sideBySide")
    assert "The runs are on different data" in page.run(PANEL)
    assert "different metrics" not in page.run(PANEL)
    table = page.run(
        "[...document.querySelector('#rb-panel table').rows].map((row) =>"
        "[...row.cells].map((each) => each.innerText.split(' ')[0]))"
    )
    assert [row[1:] for row in table] == [
        ["one", "two"],
        [".722", ".722"],
        [".180", ".380"],
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("report.json", "{", "ends in the middle"),
        ("report.html", "<html>", "open it in a browser"),
        ("report.json", json.dumps({**report(), "version": 99}), "newer sklearnloss"),
        ("report.json", "\x00\x01", "is not JSON"),
    ],
)
def test_a_bad_file_gives_a_sentence(
    page: Browser, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    page.drop([tmp_path / name], 200, 60)
    page.wait(f"{MESSAGES}.includes({json.dumps(told)})")
    assert page.run(OPENED) is False
    page.click("[data-place=example]")  # it still works
    page.wait(OPENED)


def test_files_that_are_chosen_are_opened(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(report_text(), encoding="utf-8")
    field = page.find_element(By.CSS_SELECTOR, "[data-place=files-input]")
    field.send_keys(str(tmp_path / "mine.json"))
    page.wait(OPENED)
    assert "Opened mine." in page.run(MESSAGES)


def test_the_keyboard_alone_reaches_everything(page: Browser) -> None:
    page.press(Keys.TAB, 3)
    assert page.run("document.activeElement.dataset.place") == "example"
    page.press(Keys.ENTER)
    page.wait(OPENED)
    page.press(Keys.TAB, 2)
    assert page.run("document.activeElement.id") == "rb-tab-summary"
    page.press(Keys.ARROW_RIGHT)
    assert page.run("document.activeElement.id") == "rb-tab-losses"
    page.press(Keys.END)
    page.press(Keys.ARROW_RIGHT)
    assert page.run("document.activeElement.id") == "rb-tab-summary"
    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.TAB, 2)
    page.press(Keys.ENTER)  # the heading of the first column sorts, and keeps the focus
    assert page.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"
    names = page.run(
        "[...document.querySelectorAll('#rb-panel table')[0].tBodies[0].rows]"
        ".map((row) => row.cells[0].innerText)"
    )
    assert names == sorted(names)


def test_a_phone_scrolls_no_page_sideways(page: Browser, address: str) -> None:
    page.resize(390, 844)
    page.open(address)
    page.click("[data-place=example]")
    page.wait(OPENED)
    for tab in ("summary", "losses", "pairs", "images", "curves", "about"):
        page.click(f"#rb-tab-{tab}")
        assert page.run("document.documentElement.scrollWidth") == 390, tab


def test_a_phone_shows_whole_names_and_captions(page: Browser, address: str) -> None:
    page.resize(390, 844)
    page.open(address)
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-pairs")
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    names = page.run(
        "[...document.querySelectorAll('#rb-panel svg text')].map((each) => each.firstChild.data)"
    )
    assert {f"{pair['a']} \u2212 {pair['b']}" for pair in example["pairs"]} <= set(names)
    right = page.run(
        "[...document.querySelectorAll('#rb-panel caption span, #rb-panel svg text')]"
        ".map((each) => each.getBoundingClientRect().right)"
    )
    assert max(right) <= 390


def test_a_legend_explains_the_errors(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-images")
    legend = page.run("document.querySelector('.rb-legend').innerText")
    assert legend.split("\n") == ["nucleus", "border", "background, where it is wrong"]
    assert "Errors: the wrong pixels, in the color of what is true there." in page.run(PANEL)


def test_wrong_pixels_are_painted(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-images")
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    row = next(each for each in example["examples"] if each["loss"] == example["best"])
    truth, predicted = (unpacked(row[key]) for key in ("truth", "prediction"))
    pixels = "each.getContext('2d').getImageData(0, 0, 64, 64).data"
    page.wait(
        f"new Set([...document.querySelectorAll('canvas')].map((each) => {pixels}[0])).size > 1"
    )
    image, _, shown, errors = (
        np.reshape(each, (-1, 4))
        for each in page.run(
            f"[...document.querySelectorAll('canvas')].slice(0, 4).map((each) => [...{pixels}])"
        )
    )
    np.testing.assert_array_equal((shown != image).any(1), predicted > 0)
    painted = (errors != image).any(1)
    assert not np.any(painted & (truth == predicted))
    assert np.mean(painted[truth != predicted]) > 0.95  # white on white does not show


def unpacked(runs: list[int]) -> np.ndarray:
    return np.repeat(runs[::2], runs[1::2])


def test_a_confusion_matrix_has_the_truth_in_its_rows(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-losses")
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    counts = np.array(example["classes"]["counts"][example["labels"].index(example["best"])])
    shares = 100 * counts / counts.sum(1, keepdims=True)
    shown = page.run(
        "[...[...document.querySelectorAll('#rb-panel table')].at(-1).tBodies[0].rows]"
        ".map((row) => [...row.cells].slice(1).map((each) => each.innerText))"
    )
    for texts, own in zip(shown, shares, strict=True):
        for text, share in zip(texts, own, strict=True):
            assert text == ("< 1 %" if share < 1 else f"{share:.0f} %")


def test_dots_are_at_the_scores(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    table = example["scores"][example["scorers"][0]]
    ranked = [example["labels"].index(row["loss"]) for row in example["losses"]]
    scores = np.concatenate([np.ravel(table[k]) for k in ranked])
    places = page.run(
        "[...document.querySelectorAll('#rb-panel circle')].map((each) => each.cx.baseVal.value)"
    )
    slope, start = np.polyfit(scores, places, 1)
    assert slope > 0
    assert places == pytest.approx(start + slope * scores, abs=0.01)
    means = page.run(
        "[...document.querySelectorAll('.rb-mean')].map((each) => each.x1.baseVal.value)"
    )
    expected = [row["mean"] for row in example["losses"]]
    assert means == pytest.approx(start + slope * np.array(expected), abs=0.01)


def test_the_worst_images_come_first(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-images")
    scores = np.array(json.loads(EXAMPLE.read_text(encoding="utf-8"))["images"]["scores"])
    shown = page.run(
        "[...document.querySelectorAll('#rb-panel table:last-of-type tbody tr')]"
        ".map((row) => row.cells[1].innerText)"
    )
    assert shown == [cell(mean) for mean in sorted(scores.mean(0))]


def test_verdicts_are_chosen_by_outcome_and_loss(page: Browser, address: str) -> None:
    page.open(f"{address}#tab=pairs&outcome=better&with=dice")
    page.click("[data-place=example]")
    page.wait(OPENED)
    pairs = json.loads(EXAMPLE.read_text(encoding="utf-8"))["pairs"]
    shown = "[...document.querySelectorAll('.rb-verdict')].map((each) => each.innerText)"
    assert page.run(shown) == [
        pair["verdict"]
        for pair in pairs
        if pair["outcome"] == "better" and "dice" in (pair["a"], pair["b"])
    ]
    page.open(f"{address}#tab=pairs&with=focal")
    page.click("[data-place=example]")
    page.wait(OPENED)
    assert page.run(shown) == [
        pair["verdict"] for pair in pairs if "focal" in (pair["a"], pair["b"])
    ]


def test_curves_rise_with_the_score(page: Browser) -> None:
    page.click("[data-place=example]")
    page.wait(OPENED)
    page.click("#rb-tab-curves")
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    paths = page.run(
        "[...document.querySelector('.rb-charts svg').querySelectorAll('.rb-line')]"
        ".map((each) => each.getAttribute('d'))"
    )
    ranked = [example["labels"].index(row["loss"]) for row in example["losses"]]
    points = np.array([re.findall(r"[ML](\S+) ([\d.]+)", path) for path in paths], dtype=float)
    curves = np.array([example["curves"]["score"][k] for k in ranked])
    for axis, sign in ((0, 1), (1, -1)):
        known, drawn = curves[..., axis].ravel(), points[..., axis].ravel()
        slope, start = np.polyfit(known, drawn, 1)
        assert np.sign(slope) == sign
        assert drawn == pytest.approx(start + slope * known, abs=0.1)
