"""The report for other programs: complete, and readable by any JSON parser."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from sklearnloss import compare_losses
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.as_json import as_runs, render_json
from sklearnloss.tuning._comparison.origin import Origin
from sklearnloss.tuning._comparison.png import encode, png_uri

from ...estimators.conftest import Data, classifier, segmenter
from ..comparisons import made_up
from .test_results import SCORES

mpl.use("agg")


def refuse(constant: str) -> None:
    """Fail at NaN and Infinity, which are no JSON."""
    raise AssertionError(constant)


def written(comparison: LossComparison, path: Path) -> Any:
    text = comparison.to_json(path).read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)


def same(value: Any, expected: Any) -> None:
    """Check that JSON says the same as a table; what is not finite is null."""
    if isinstance(expected, dict):
        assert list(value) == list(map(str, expected))
        for key, each in expected.items():
            same(value[str(key)], each)
    elif isinstance(expected, (list, tuple, np.ndarray)):
        assert len(value) == len(expected)
        for one, two in zip(value, expected, strict=True):
            same(one, two)
    elif isinstance(expected, float) and not math.isfinite(expected):
        assert value is None
    else:
        assert value == expected


def test_tables_pairs_and_scores_are_all_there(tmp_path: Path) -> None:
    found = made_up(
        {**SCORES, "bad": SCORES["poor"]}, images=True, diverged={"bad": [0, 1]}, baseline=0.25
    )
    report = written(found, tmp_path / "new" / "report.json")
    assert (report["format"], report["version"]) == ("sklearnloss report", 1)
    same(report["losses"], found.table_)
    same(report["pairs"], found.pairs_)
    same(report["labels"], found.labels_)
    same(report["scores"], found.all_scores_)
    same(report["fits"]["status"], found.fits_.status)
    assert report["baseline"] == {"score": 0.25}
    assert report["rope"] == found.rope_
    assert report["best"] == found.best_
    assert report["advice"] == found.advice()
    assert [row["loss"] for row in report["losses"] if row["mean"] is None] == ["bad"]


def test_every_image_has_its_name_and_its_scores(tmp_path: Path) -> None:
    found = made_up(SCORES, images=True)
    assert found.image_scores_ is not None
    found.image_names_ = [f"cell {k}.tif" for k in range(50)]
    images = written(found, tmp_path / "report.json")["images"]
    assert images["names"] == found.image_names_
    np.testing.assert_allclose(images["scores"], found.image_scores_, rtol=1e-5)
    assert written(made_up(SCORES), tmp_path / "2.json")["images"] is None


def test_names_that_are_not_text_are_escaped(tmp_path: Path) -> None:
    label = '</script>"\\\udce9'
    found = made_up({label: SCORES["fine"], "b": SCORES["poor"]}, images=True)
    found.image_names_ = [label] * 50
    report = written(found, tmp_path / "report.json")
    shown = '</script>"\\\\udce9'
    assert label.encode("utf-8", "backslashreplace").decode() == shown
    assert report["labels"][0] == report["losses"][0]["loss"] == shown
    assert report["images"]["names"] == [shown] * 50


def test_it_says_what_the_run_says() -> None:
    origin = Origin(
        data="cells",
        description="24 images.",
        command="sklearnloss compare cells",
        candidates=[{"loss": "fine", "settings": "", "score": ".5", "epochs": "3", "outcome": "-"}],
        score_curves={"fine": [(1, 0.5), (2, 0.75)]},
        not_tried=["mcc"],
        not_compared=["focal"],
        usage=["line"],
        predict="sklearnloss predict",
    )
    report = json.loads(render_json(made_up(SCORES), origin))
    assert report["data"] == {"name": "cells", "description": "24 images."}
    assert report["command"] == "sklearnloss compare cells"
    assert report["predict"] == "sklearnloss predict"
    assert report["usage"] == ["line"]
    assert report["search"] == {
        "candidates": list(origin.candidates),
        "not_tried": ["mcc"],
        "not_compared": ["focal"],
    }
    curves = dict(zip(report["labels"], report["curves"]["score"], strict=True))
    assert curves.pop("fine") == [[1, 0.5], [2, 0.75]]
    assert all(curve == [] for curve in curves.values())


@pytest.mark.slow
def test_masks_of_real_fits_and_their_pictures_can_be_drawn_again(
    scenes: Data, tmp_path: Path
) -> None:
    X, y = scenes
    found = compare_losses(segmenter(), ["dice", "focal"], X, y, cv=2, random_state=0)
    report = written(found, tmp_path / "report.json")
    assert len(report["examples"]) == len(found.examples_) == 6
    for row, expected in zip(report["examples"], found.examples_, strict=True):
        for key in ("truth", "prediction"):
            np.testing.assert_array_equal(unfold(row[key], row["shape"]), expected[key])
        pixels = 255 * decoded(report["pictures"][str(row["image"])])
        np.testing.assert_allclose(pixels, expected["picture"], atol=0.5)
    classes = report["classes"]
    for k, label in enumerate(report["labels"]):
        counts = found.confusion_[label]
        assert classes["counts"][k] == counts.tolist()
        dice = 2 * counts.diagonal() / (counts.sum(0) + counts.sum(1))
        np.testing.assert_allclose(classes["scores"]["Dice"][k], dice)
        losses = [loss for _, loss in report["curves"]["training_loss"][k]]
        assert len(losses) == segmenter().max_epochs
    assert classes["sizes"] == found.confusion_["dice"].sum(1).tolist()


@pytest.mark.slow
def test_mistakes_of_a_classifier_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 8, 8)).astype(np.float32), np.array(["cat", "dog"] * 12)
    found = compare_losses(classifier(), ["cross_entropy", "focal"], X, y, cv=2, random_state=0)
    report = written(found, tmp_path / "report.json")
    assert report["examples"]
    assert {row["kind"] for row in report["examples"]} == {"mistake"}
    assert all({row["truth"], row["prediction"]} == {"cat", "dog"} for row in report["examples"])
    counts = np.array(report["classes"]["counts"])
    recall = counts.diagonal(axis1=1, axis2=2) / counts.sum(2)
    np.testing.assert_allclose(report["classes"]["scores"]["recall"], recall)
    assert report["classes"]["unit"] == "images"


def unfold(runs: list[int], shape: list[int]) -> Any:
    codes, lengths = np.array(runs).reshape(-1, 2).T
    return np.repeat(codes, lengths).reshape(shape)


def decoded(uri: str) -> Any:
    head, _, text = uri.partition(",")
    assert head == "data:image/png;base64"
    return imread(io.BytesIO(base64.b64decode(text, validate=True)))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 3, 4), (160, 160)])
def test_runs_have_every_pixel(shape: tuple[int, ...]) -> None:
    codes = np.random.default_rng(0).integers(-1, 3, shape)
    runs = as_runs(codes)
    np.testing.assert_array_equal(unfold(runs, list(shape)), codes)
    assert np.diff(runs[::2]).all()  # neighbors differ


def test_no_pixels_are_no_runs() -> None:
    assert as_runs(np.zeros((0, 3), dtype=int)) == []


@pytest.mark.parametrize("shape", [(7, 5), (5, 7, 3), (1, 1)])
def test_another_reader_sees_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    seen = imread(io.BytesIO(encode(pixels)))
    np.testing.assert_allclose(255 * seen, pixels, atol=1e-4)


def test_a_signal_is_a_strip() -> None:
    signal = np.arange(9, dtype=np.uint8)[None] * 28
    seen = 255 * decoded(png_uri(signal))
    assert seen.shape == (24, 9)
    np.testing.assert_allclose(seen, np.repeat(signal, 24, axis=0), atol=1e-4)
