"""The functions of the page that browses reports, with Node."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sklearnloss.tuning._comparison.as_json import as_runs, render_json
from sklearnloss.tuning._comparison.wording import cell, interval, number, probability

from ..tuning.comparisons import made_up
from .reports import needs_node, node, report, report_text

pytestmark = needs_node


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


def test_the_state_survives_in_the_address() -> None:
    state = {"tab": "images", "find": "a & b=#%", "images": "-loss:dice+bce", "image": "3"}
    assert node("reading.readHash(reading.writeHash(state))", state=state) == state
    assert node("[reading.readHash('#what-it-shows'), reading.writeHash({ a: '' })]") == [{}, ""]


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


@pytest.mark.parametrize("key", sorted(set(report()) - {"learned", "predict", "tuned_scores"}))
def test_no_part_may_be_missing(key: str) -> None:
    told = {name: value for name, value in report().items() if name != key}
    assert "problem" in node("reading.read(text, 'report.json')", text=json.dumps(told))


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


def test_runs_of_the_same_folder_have_different_names() -> None:
    taken = ["results", "results (2)"]
    paths = ["a/results/report.json", "x/report.json", "y.json"]
    found = node("paths.map((path) => reading.runName(path, taken))", paths=paths, taken=taken)
    assert found == ["results (3)", "x", "y"]
