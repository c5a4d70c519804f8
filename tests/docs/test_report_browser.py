"""The page that browses reports: its parts with Node, and the whole in a browser."""

from __future__ import annotations

import contextlib
import csv
import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss.tuning._comparison.as_json import as_runs, render_json
from sklearnloss.tuning._comparison.wording import cell, interval, number, probability

from ..command_line import main
from ..tuning.comparisons import made_up
from .chromium import Chromium, find_chromium, started

DOCS = Path(__file__).parent.parent.parent / "docs"
PARTS = DOCS / "_static" / "report_browser"
EXAMPLE = PARTS / "example.json"
PAGE = (DOCS / "report_browser.md").read_text(encoding="utf-8")
NASTY = "<img src=x onerror=\"document.title='run'\"></script><b>&amp;"
SCORES = {
    "dice": [0.7, 0.72, 0.75, 0.71, 0.73],
    "focal": [0.6, 0.66, 0.61, 0.64, 0.6],
    NASTY: [0.5, 0.3, 0.41, 0.55, 0.5],
}

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


def node(expression: str, **given: Any) -> Any:
    """Return the value of an expression with the page's functions and the given values."""
    names = "const { " + ", ".join(given) + " } = given;"
    script = f"""
        const fs = require("fs");
        const given = JSON.parse(fs.readFileSync(0, "utf-8"));
        const reading = require({json.dumps(str(PARTS / "reading.js"))});
        const rows = require({json.dumps(str(PARTS / "rows.js"))});
        {names}
        console.log(JSON.stringify({expression}));
    """
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@functools.cache
def report_text() -> str:
    """Return a small report with images, of which one loss has a name with markup."""
    found = made_up(SCORES, images=True, baseline=0.2)
    found.image_names_ = [f"{NASTY} {k}" for k in range(50)]
    return render_json(found)


def report() -> Any:
    return json.loads(report_text())


# -- the file ------------------------------------------------------------------------


@pytest.mark.slow
def test_the_file_of_the_command_is_complete(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(8):
        mask = np.zeros((16, 16), np.uint8)
        mask[k : k + 6, k : k + 6] = 1
        for kind, pixels in (
            ("images", mask * 99 + rng.integers(0, 60, mask.shape)),
            ("masks", mask),
        ):
            (tmp_path / "cells" / kind).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "cells" / kind / f"{k}.npy", pixels.astype(np.uint8))
    small = "--losses dice,bce --folds 2 --trials 3 --repeats 1 --epochs 2 --width 2 --device cpu"
    output = tmp_path / "results"
    assert main(["compare", str(tmp_path / "cells"), *small.split(), "--output", str(output)]) == 0
    text = (output / "report.json").read_text(encoding="utf-8")
    told = json.loads(text)
    with (output / "losses.csv").open(newline="") as file:
        for row, expected in zip(told["losses"], csv.DictReader(file), strict=True):
            assert row["loss"] == expected["loss"]
            assert row["mean"] == float(expected["mean"])
            assert told["baseline"]["score"] == float(expected["baseline"])
    with (output / "images.csv").open(newline="") as file:
        listed = {row["image"]: row for row in csv.DictReader(file)}
    images = told["images"]
    assert set(images["names"]) == set(listed)
    for label, scores in zip(told["labels"], images["scores"], strict=True):
        for name, score in zip(images["names"], scores, strict=True):
            assert score == pytest.approx(float(listed[name][label]), rel=1e-5)
    assert told["command"].startswith("sklearnloss compare ")
    assert "--losses dice,bce" in told["command"]
    assert told["data"]["description"].startswith("8 images, 1 channel, uint8, 16 x 16 pixels")
    assert len(told["search"]["candidates"]) == 3
    assert any(len(curve) == 2 for curve in told["curves"]["score"])
    assert len(told["examples"]) == 2 * 3
    assert set(told["pictures"]) >= {str(row["image"]) for row in told["examples"]}
    assert any("sklearnloss predict" in line for line in told["usage"])
    if shutil.which("node"):
        assert "problem" not in node("reading.read(text, 'report.json')", text=text)


def test_the_example_is_small_and_in_the_current_format() -> None:
    assert EXAMPLE.stat().st_size < 200_000
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert (example["format"], example["version"]) == ("sklearnloss report", 1)
    assert set(example) == set(report())


def test_the_page_describes_every_key_of_the_file() -> None:
    table = PAGE.partition("| key | value |")[2]
    described = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]+)\|", table, re.M))))
    assert described == set(report())


# -- its parts -----------------------------------------------------------------------


@needs_node
def test_numbers_are_written_as_in_the_report() -> None:
    rng = np.random.default_rng(0)
    values = [0.0, 1.0, -1.0, 0.5, -0.5, 12.34567, 1e-9, 0.00995, -0.00994, 0.0005, 0.00049]
    values += (rng.normal(size=200) * 10.0 ** rng.integers(-6, 2, 200)).tolist()
    shares = [0.0, 0.0004, 0.0006, 0.009, 0.0101, 0.5, 0.989, 0.9951, 0.9996, 1.0]
    found = node(
        "[values.map(rows.number), values.map(rows.cell), shares.map(rows.probability), "
        "rows.interval(-0.5, 0.25), rows.interval(null, 1), rows.number(null)]",
        values=values,
        shares=shares,
    )
    assert found == [
        [number(value) for value in values],
        [cell(value) for value in values],
        [probability(share).removeprefix("= ") for share in shares],
        interval(-0.5, 0.25),
        "-",
        "-",
    ]


@needs_node
@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("score", [3, 0, 2, 4, 1]),
        ("-score", [4, 0, 2, 3, 1]),
        ("name", [1, 4, 2, 0, 3]),
        ("-name", [3, 0, 2, 4, 1]),
    ],
)
def test_rows_are_sorted_with_missing_values_last(sort: str, order: list[int]) -> None:
    names = ["cell 10", "a", "cell 9", "d", "cell 1"]
    scores = [0.5, None, 0.5, -1.0, 2.0]
    table = [{"k": k, "name": names[k], "score": scores[k]} for k in range(5)]
    assert node("rows.sortRows(table, sort).map((row) => row.k)", table=table, sort=sort) == order


@needs_node
def test_rows_are_found_by_all_words_of_a_query() -> None:
    names = ["Cell 1.png", "cell 12.png", "tissue 1.tif", "(a+b"]
    expression = "queries.map((q) => rows.filterRows(names, q, (name) => name))"
    queries = ["", "CELL", "1 cell", "(a+", "nothing"]
    assert node(expression, names=names, queries=queries) == [
        names,
        names[:2],
        names[:2],
        ["(a+b"],
        [],
    ]


@needs_node
def test_images_have_their_mean_and_the_gap_between_losses() -> None:
    told = report()
    told["images"]["scores"][0][3] = told["images"]["scores"][1][4] = None
    for row in told["images"]["scores"]:
        row[5] = None
    scores = np.array(told["images"]["scores"], dtype=float)
    found = node("rows.imageRows(told)", told=told)
    for row, own in zip(found, scores.T, strict=True):
        known = own[np.isfinite(own)]
        if len(known) == 0:
            assert row["mean"] is None
            assert row["gap"] is None
        else:
            assert row["mean"] == pytest.approx(known.mean())
            assert row["gap"] == pytest.approx(known.max() - known.min())


@needs_node
def test_a_pair_is_turned_around() -> None:
    told = report()
    pair = next(each for each in told["pairs"] if each["outcome"] == "better")
    one, two, none = node(
        "[rows.pairOf(told, a, b), rows.pairOf(told, b, a), rows.pairOf(told, a, a)]",
        told=told,
        a=pair["a"],
        b=pair["b"],
    )
    assert (one["word"], two["word"], none) == ("better", "worse", None)
    assert (one["low"], one["high"]) == (pair["low"], pair["high"])
    assert (two["low"], two["high"]) == (-pair["high"], -pair["low"])
    assert two["difference"] == -pair["difference"]


@needs_node
def test_folds_are_named_by_repeat_and_seed() -> None:
    scores = {"a": np.arange(20).reshape(10, 2) / 20}
    told = json.loads(render_json(made_up(scores)))
    names = node("rows.foldRows(told, 'score').map((row) => rows.foldName(row, told))", told=told)
    assert names[:3] == [
        "repeat 1, fold 1, seed 1",
        "repeat 1, fold 1, seed 2",
        "repeat 1, fold 2, seed 1",
    ]
    assert names[-1] == "repeat 2, fold 5, seed 2"


@needs_node
def test_runs_become_the_mask_again_unless_they_are_damaged() -> None:
    codes = np.random.default_rng(0).integers(-1, 3, (5, 7))
    runs = as_runs(codes)
    damaged = [runs[:-2], [*runs, 1, 1], runs[:-1], [1, -35], "x", [1.5, 35], [1, "35"]]
    found = node(
        "[runs, ...damaged].map((each) => { const got = reading.decodeRuns(each, shape); "
        "return got && [...got]; })",
        runs=runs,
        damaged=damaged,
        shape=list(codes.shape),
    )
    assert found[0] == codes.ravel().tolist()
    assert found[1:] == [None] * len(damaged)
    assert (
        node("[[1e5, 1e5], [-5, -7], [0, 5], null].map((s) => reading.decodeRuns([0, 35], s))")
        == [None] * 4
    )


@needs_node
def test_only_pictures_inside_of_the_file_are_shown() -> None:
    good = "data:image/png;base64,iVBORw0KGgo="
    pictures = {
        "0": good,
        "1": "https://example.org/x.png",
        "2": "data:image/svg+xml;base64,AAAA",
        "3": "javascript:alert(1)",
        "4": 7,
    }
    found = node(
        "[0, 1, 2, 3, 4, 5, 'constructor'].map((k) => reading.pictureOf({ pictures }, k))",
        pictures=pictures,
    )
    assert found == [good, *[None] * 6]


@needs_node
def test_the_state_survives_in_the_address() -> None:
    state = {"tab": "images", "find": "a & b=#%", "images": "-loss:dice+bce", "image": "3"}
    assert node("reading.readHash(reading.writeHash(state))", state=state) == state
    assert node("[reading.readHash('#what-it-shows'), reading.writeHash({ a: '' })]") == [{}, ""]


@needs_node
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it is empty"),
        ("hello", "it is not JSON"),
        (report_text()[:5000], "it ends in the middle"),
        ("{}", "is not a report of sklearnloss"),
        ("[1, 2]", "is not a report of sklearnloss"),
        ("null", "is not a report of sklearnloss"),
        ('{"question": {}, "finished": 1}', "is not a report of sklearnloss"),
        (json.dumps({**report(), "version": 2}), "by a newer sklearnloss (0."),
        (json.dumps({**report(), "version": "1"}), "no version of its format"),
        (json.dumps({**report(), "labels": ["dice"]}), 'its part "losses"'),
        (json.dumps({**report(), "labels": ["dice"] * 3}), 'its part "labels"'),
        (json.dumps({**report(), "scores": {"score": [[[1]]]}}), 'its part "scores"'),
        (json.dumps({**report(), "pairs": [{"a": 1}]}), 'its part "pairs"'),
        (json.dumps({**report(), "images": {"names": []}}), 'its part "images"'),
    ],
)
def test_a_sentence_says_what_is_wrong_with_a_file(text: str, part: str) -> None:
    found = node("reading.read(text, 'some.json')", text=text)
    assert list(found) == ["problem"]
    assert found["problem"].startswith("some.json ")
    assert part in found["problem"]
    assert found["problem"].endswith(".")


@needs_node
@pytest.mark.parametrize("key", sorted(set(report()) - {"learned", "predict", "tuned_scores"}))
def test_no_part_may_be_missing(key: str) -> None:
    told = {name: value for name, value in report().items() if name != key}
    assert "problem" in node("reading.read(text, 'report.json')", text=json.dumps(told))


@needs_node
def test_the_report_is_chosen_among_the_files_of_a_folder() -> None:
    def choose(*paths: str, size: int = 10) -> tuple[list[str], list[str]]:
        files = [{"path": path, "size": size} for path in paths]
        found = node("reading.choose(files)", files=files)
        return [each["path"] for each in found["reports"]], found["problems"]

    whole = ["r/settings.json", "r/report.json", "r/report.html", "r/best_model.safetensors"]
    assert choose(*whole) == (["r/report.json"], [])
    assert choose("all/a/report.json", "all/b/report.json")[0] == [
        "all/a/report.json",
        "all/b/report.json",
    ]
    assert choose("renamed.json") == (["renamed.json"], [])
    for paths, told in [
        (["report.html"], "open it in a browser"),
        (["cat.png"], "cat.png is not a report"),
        (["r/settings.json", "r/losses.csv"], "not finished, or an older version"),
        (["pictures/cat.png"], "There is no report.json in the folder pictures"),
    ]:
        reports, problems = choose(*paths)
        assert reports == []
        assert told in problems[0]
    reports, problems = choose("r/report.json", size=2**30)
    assert reports == []
    assert problems == ["r/report.json has 1024 MB. This page reads reports of up to 64 MB."]


@needs_node
def test_runs_of_the_same_folder_have_different_names() -> None:
    taken = ["results", "results (2)"]
    paths = ["a/results/report.json", "x/report.json", "y.json"]
    found = node("paths.map((path) => reading.runName(path, taken))", paths=paths, taken=taken)
    assert found == ["results (3)", "x", "y"]


# -- the whole page ------------------------------------------------------------------


def page_text() -> str:
    """Return the page without the theme: its policy and its block of HTML."""
    policy = re.search(r'Content-Security-Policy": "([^"]+)"', PAGE)
    block = re.search(r"```\{raw\} html\n(.*?)```", PAGE, re.S)
    assert policy
    assert block
    return (
        '<!DOCTYPE html><html lang="en" data-theme="dark"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy[1]}">'
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Return a browser."""
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium")
    with started(program) as browser:
        browser.resize(1000, 800)
        yield browser


@pytest.fixture
def page(chromium: Chromium, address: str) -> Iterator[Chromium]:
    """Return a browser with the page, which complains of nothing until the end."""
    chromium.open(address)
    yield chromium
    assert chromium.complaints() == []
    own = address.rpartition("/")[0]
    assert [url for url in chromium.requests() if not url.startswith((own, "data:"))] == []


OPENED = "!document.querySelector('[data-place=report]').hidden"
MESSAGES = "document.querySelector('[data-place=messages]').innerText"
PANEL = "document.querySelector('#rb-panel').innerText"


def click(page: Chromium, selector: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).click()")


@pytest.mark.slow
def test_every_tab_of_the_example_is_shown(page: Chromium) -> None:
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    click(page, "[data-place=example]")
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
        click(page, f"#rb-tab-{tab}")
        assert text in page.run(PANEL), tab
        assert page.run("location.hash") == f"#tab={tab}"
    assert page.run("document.querySelectorAll('table:not(:has(caption))').length") == 0
    click(page, "#rb-tab-images")
    painted = """[...document.querySelectorAll('canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size; })"""
    page.wait(f"Math.min(...{painted}) > 5")
    assert len(page.run(painted)) == 3 * 4


@pytest.mark.slow
def test_images_are_sorted_by_disagreement_from_the_address(page: Chromium, address: str) -> None:
    page.open(f"{address}#tab=images&images=-gap")
    click(page, "[data-place=example]")
    page.wait(OPENED)
    scores = np.array(json.loads(EXAMPLE.read_text(encoding="utf-8"))["images"]["scores"])
    gaps = scores.max(0) - scores.min(0)
    shown = page.run(
        "[...document.querySelectorAll('#rb-panel table:last-of-type tbody tr')]"
        ".map((row) => row.cells[2].innerText)"
    )
    assert shown == [cell(gap) for gap in sorted(gaps, reverse=True)]
    assert page.run("document.querySelector('th[aria-sort=descending]').innerText.trim()[0]") == "g"


@pytest.mark.slow
def test_a_dropped_folder_with_markup_in_its_names_is_only_text(
    page: Chromium, tmp_path: Path
) -> None:
    (tmp_path / "results" / "more").mkdir(parents=True)
    (tmp_path / "results" / "report.json").write_text(report_text(), encoding="utf-8")
    (tmp_path / "results" / "losses.csv").write_text("loss\n")
    page.drop([tmp_path / "results"], 200, 60)
    page.wait(OPENED)
    assert "Opened results." in page.run(MESSAGES)
    for tab in ("summary", "losses", "pairs", "images", "curves", "about"):
        click(page, f"#rb-tab-{tab}")
        assert page.run("document.querySelectorAll('#rb-panel img, #rb-panel script').length") == 0
        if tab not in ("curves", "summary"):
            assert NASTY in page.run("document.querySelector('#rb-panel').textContent")
    assert page.run("document.title") == "page"


@pytest.mark.slow
def test_several_runs_are_side_by_side(page: Chromium, tmp_path: Path) -> None:
    for k, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        own = made_up({"dice": SCORES["dice"], "own": [0.1 + k, 0.2, 0.3, 0.2, 0.1]}, baseline=0.2)
        (tmp_path / name / "report.json").write_text(render_json(own))
    page.drop([tmp_path / "one", tmp_path / "two"], 200, 60)
    page.wait(OPENED)
    click(page, "#rb-tab-sideBySide")
    table = page.run(
        "[...document.querySelector('#rb-panel table').rows].map((row) =>"
        "[...row.cells].map((each) => each.innerText.split(' ')[0]))"
    )
    assert [row[1:] for row in table] == [
        ["one", "two"],
        [".722", ".722"],
        [".180", ".380"],
    ]


@pytest.mark.slow
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
    page: Chromium, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    page.drop([tmp_path / name], 200, 60)
    page.wait(f"{MESSAGES}.includes({json.dumps(told)})")
    assert page.run(OPENED) is False
    click(page, "[data-place=example]")  # it still works
    page.wait(OPENED)


@pytest.mark.slow
def test_files_that_are_chosen_are_opened(page: Chromium, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(report_text(), encoding="utf-8")
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    found = page.call("DOM.querySelector", nodeId=root, selector="[data-place=files-input]")
    page.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(tmp_path / "mine.json")])
    page.wait(OPENED)
    assert "Opened mine." in page.run(MESSAGES)


@pytest.mark.slow
def test_the_keyboard_alone_reaches_everything(page: Chromium) -> None:
    for _ in range(3):
        page.press("Tab")
    assert page.run("document.activeElement.dataset.place") == "example"
    page.press("Enter")
    page.wait(OPENED)
    for _ in range(2):
        page.press("Tab")
    assert page.run("document.activeElement.id") == "rb-tab-summary"
    page.press("ArrowRight")
    assert page.run("document.activeElement.id") == "rb-tab-losses"
    page.press("End")
    page.press("ArrowRight")
    assert page.run("document.activeElement.id") == "rb-tab-summary"
    page.press("ArrowRight")
    for _ in range(2):
        page.press("Tab")
    page.press("Enter")  # the heading of the first column sorts, and keeps the focus
    assert page.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"
    names = page.run(
        "[...document.querySelectorAll('#rb-panel table')[0].tBodies[0].rows]"
        ".map((row) => row.cells[0].innerText)"
    )
    assert names == sorted(names)


@pytest.mark.slow
def test_a_phone_scrolls_no_page_sideways(page: Chromium) -> None:
    page.resize(390, 800)
    with contextlib.ExitStack() as stack:
        stack.callback(page.resize, 1000, 800)
        click(page, "[data-place=example]")
        page.wait(OPENED)
        for tab in ("summary", "losses", "pairs", "images", "curves", "about"):
            click(page, f"#rb-tab-{tab}")
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), tab


def test_the_page_says_that_files_stay() -> None:
    assert "sends nothing" in PAGE
