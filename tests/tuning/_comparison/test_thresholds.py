"""What remains of a difference with tuned thresholds, recomputed from the probabilities."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import balanced_accuracy_score, get_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import compare_losses
from sklearnloss.estimators._inference.probability_counts import Block, ProbabilityCounts
from sklearnloss.metrics import iou_score, iou_scorer
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.fits import FitTable
from sklearnloss.tuning._comparison.tables import pair_statistics
from sklearnloss.tuning._comparison.thresholds import (
    GRID,
    Tuned,
    add_tuned_columns,
    are_counts,
    score_of_classes,
    threshold_note,
    tune,
)

from ...estimators.conftest import Data, classifier, segmenter
from ..comparisons import made_up

Array = np.ndarray[Any, Any]
SHIFTS = {"a": 0.0, "b": 1.5}
N_SPLITS = 5


def iou(true: Array, above: Array, *, multilabel: bool) -> float:
    labels, predicted = (each if multilabel else each[:, 0] for each in (true, above.astype(int)))
    return float(iou_score(labels, predicted, multilabel=multilabel))


def balanced(true: Array, above: Array, *, multilabel: bool) -> float:
    return float(balanced_accuracy_score(true.ravel(), above.ravel()))


def probabilities(n_labels: int) -> tuple[Array, dict[str, Array]]:
    """Return true labels (split, n, label, pixel) and probabilities of each loss."""
    rng = np.random.default_rng(0)
    true = (rng.random((N_SPLITS, 3, n_labels, 100)) < 0.3).astype(int)
    scores = 1.5 * (2 * true - 1) + 1.5 * rng.normal(size=true.shape)
    scores[:, :, 1:] -= 1  # so that labels need other thresholds
    return true, {name: 1 / (1 + np.exp(-scores - shift)) for name, shift in SHIFTS.items()}


def fit_table(metric: Any, true: Array, proba: dict[str, Array]) -> tuple[FitTable, bool]:
    """Return made-up fits with the scores and counts of these probabilities."""
    multilabel = true.shape[2] > 1
    scores, counts = {}, []
    for name, p in proba.items():
        scores[name] = [metric(true[j], p[j] > 0.5, multilabel=multilabel) for j in range(N_SPLITS)]
        rows = []
        for t, q in zip(true, p, strict=True):
            parts = []
            for one, sure in zip(t, q, strict=True):  # each image is a part
                found = ProbabilityCounts(len(one), GRID)
                both = Block(one[0], np.stack([1 - sure[0], sure[0]]), 1.0)
                found.add(Block(one, sure, 1.0) if multilabel else both, multilabel=multilabel)
                parts.append(found.counts.astype(int).tolist())
            rows.append([{"classes": [0, 1], "counts": parts}])
        counts.append(rows)
    return replace(made_up(scores).fits_, counts=counts), multilabel


def score_of(name: str, *, multilabel: bool) -> Any:
    if name == "balanced_accuracy":
        return score_of_classes(classifier(), {name: get_scorer(name)})
    return score_of_classes(segmenter(multilabel=multilabel), {name: iou_scorer})


@pytest.mark.parametrize(
    ("name", "metric", "n_labels"),
    [
        ("iou", iou, 1),
        pytest.param("iou", iou, 2, marks=pytest.mark.slow),
        pytest.param("balanced_accuracy", balanced, 1, marks=pytest.mark.slow),
    ],
)
def test_each_part_has_the_best_threshold_of_the_other_parts(
    name: str, metric: Any, n_labels: int
) -> None:
    true, proba = probabilities(n_labels)
    fits, multilabel = fit_table(metric, true, proba)
    tuned = tune(fits, score_of(name, multilabel=multilabel))
    assert tuned is not None
    for (k, p), j in product(enumerate(proba.values()), (0, 4)):
        t, q = true[j], p[j]
        above, limits = np.zeros(t.shape, bool), np.zeros((len(t), n_labels))
        for part, label in np.ndindex(limits.shape):
            others = np.arange(len(limits)) != part
            scores = [
                metric(
                    true[j][others][:, [label]], p[j][others][:, [label]] > t, multilabel=multilabel
                )
                for t in GRID
            ]
            equal = np.array(scores) > max(scores) - 1e-9
            limits[part, label] = min(GRID[equal], key=lambda x: abs(x - 0.5))
            above[part, label] = q[part, label] > limits[part, label]
        assert_allclose(tuned.thresholds[k, j, 0], limits.mean(0))
        assert tuned.scores[k, j, 0] == pytest.approx(metric(t, above, multilabel=multilabel))
    assert (tuned.thresholds[1].mean((0, 1)) > tuned.thresholds[0].mean((0, 1))).all()


def made(fits: FitTable, **params: Any) -> LossComparison:
    settings = {label: {"loss": label} for label in fits.labels}
    about = {"metric": "mean IoU", "image metric": "the mean IoU", "estimator": "UNetSegmenter()"}
    return LossComparison(
        fits, settings=settings, rope=0.01, error_score=np.nan, about=about, **params
    )


def test_a_shift_of_the_probabilities_is_the_threshold() -> None:
    fits, _ = fit_table(iou, *probabilities(1))
    comparison = made(fits, score_of=score_of("iou", multilabel=False))
    tuned = comparison.tuned_scores_
    assert tuned is not None
    (pair,) = comparison.pairs_
    assert pair["difference"] > 0.05
    difference = (tuned[0] - tuned[1]).mean()
    assert pair["a"] == "a"
    assert pair["tuned_difference"] == pytest.approx(difference)
    assert pair["tuned_low"] < difference < pair["tuned_high"]
    assert abs(difference) < 0.02
    assert "is the threshold: with the best threshold for each loss" in pair["verdict"]
    assert pair["verdict"] in comparison.summary()
    (first, second) = comparison.table_
    assert first["tuned_mean"] == pytest.approx(tuned[0].mean())
    assert first["threshold"] < second["threshold"]
    plain = made(fits)
    assert plain.tuned_scores_ is None
    assert comparison.pairs_[0]["verdict"].startswith(plain.pairs_[0]["verdict"])
    assert {key for key in pair if "tuned" in key} == {
        f"tuned_{key}" for key in ("difference", "low", "high", "p_holm", "outcome")
    }
    assert not any("tuned" in key for key in plain.pairs_[0])


def test_thresholds_that_lower_the_scores_are_not_mentioned() -> None:
    for gain, mentioned in [(0.0, True), (-0.005, True), (-0.05, False)]:
        comparison = made_up({"a": [0.8, 0.7, 0.8, 0.7, 0.8], "b": [0.6, 0.5, 0.6, 0.5, 0.5]})
        scores = comparison.scores_ + np.array([gain, 0.1])[:, None, None]
        tuned = Tuned(scores, np.full((*scores.shape, 1), 0.4))
        table, pairs = comparison.table_, comparison.pairs_
        tested = partial(pair_statistics, ratio=0.25, rope=0.01)
        add_tuned_columns(table, pairs, tuned, comparison.labels_, tested, 0.01)
        assert ("threshold" in pairs[0]["verdict"]) is mentioned
        assert table[1]["tuned_mean"] - table[1]["mean"] == pytest.approx(0.1)
        assert pairs[0]["tuned_difference"] < pairs[0]["difference"] - 0.05


def test_fits_without_counts_have_no_tuned_score() -> None:
    fits, _ = fit_table(iou, *probabilities(1))
    fits.counts[0][3][0] = None
    comparison = made(fits, score_of=score_of("iou", multilabel=False))
    assert comparison.tuned_scores_ is not None
    assert_array_equal(np.argwhere(np.isnan(comparison.tuned_scores_)), [[0, 3, 0]])
    assert np.isnan(comparison.pairs_[0]["tuned_difference"])
    assert "threshold" not in comparison.pairs_[0]["verdict"]


def test_counts_that_contradict_the_score_are_not_used() -> None:
    fits, _ = fit_table(iou, *probabilities(1))
    fits.scores["score"][0, 0, 0] += 0.01
    assert tune(fits, score_of("iou", multilabel=False)) is None


@pytest.mark.parametrize(
    ("before", "after", "outcomes", "text"),
    [
        (0.12, 0.03, ("better", "better"), "Of a's .120 over b, .090 is the threshold: with"),
        (0.12, -0.03, ("better", "better"), "b is ahead by .030 [.020, .040], a real difference"),
        (0.12, -0.03, ("better", "better"), "Of a's .120 over b, all is the threshold: with"),
        (0.03, 0.12, ("undecided", "better"), "With the best threshold for each loss, chosen on"),
        (
            0.030,
            0.029,
            ("better", "undecided"),
            "[.019, .039], no evidence yet (adjusted p = .20)",
        ),
        (0.030, 0.029, ("better", "better"), ""),
        (0.05, -0.03, ("undecided", "undecided"), ""),
        (0.12, 0.03, ("undecided", "undecided"), "Of a's .120 over b, .090 is the threshold: with"),
        (0.12, 0.03, ("better", "unknown"), ""),
        (0.12, 0.03, ("failed", "better"), ""),
    ],
)
def test_the_note_says_what_remains(
    before: float, after: float, outcomes: tuple[str, str], text: str
) -> None:
    pair = {"a": "a", "b": "b", "difference": before, "outcome": outcomes[0]}
    pair |= {
        "low": before - 0.1,
        "high": before + 0.1,
        "tuned_difference": after,
        "tuned_low": after - 0.01,
        "tuned_high": after + 0.01,
        "tuned_p_holm": 0.2,
    }
    note = threshold_note(pair | {"tuned_outcome": outcomes[1]}, 0.01)
    assert text in note
    assert bool(note) == bool(text)


@pytest.fixture(scope="module")
def binary_scenes(scenes: Data) -> Data:
    return scenes[0], (scenes[1] > 0).astype(np.uint8)


run = partial(compare_losses, losses=["bce", "dice"], random_state=0)


@pytest.fixture(scope="module")
def stored(binary_scenes: Data, tmp_path_factory: Any) -> tuple[LossComparison, Path]:
    path = tmp_path_factory.mktemp("comparison") / "fits.jsonl"
    X, y = binary_scenes
    model = make_pipeline(FunctionTransformer(), segmenter(depth=1, device="cpu"))
    return run(model, X=X, y=y, cv=KFold(3), storage=path), path


def again(path: Path, data: Data) -> LossComparison:
    model = make_pipeline(FunctionTransformer(), segmenter(depth=1, device="cpu"))
    return run(model, X=data[0], y=data[1], cv=KFold(3), storage=path)


@pytest.mark.slow
def test_fits_count_their_held_out_pixels(
    stored: tuple[LossComparison, Path], binary_scenes: Data
) -> None:
    comparison, path = stored
    assert comparison.tuned_scores_ is not None
    assert np.isfinite(comparison.tuned_scores_).all()
    _, *lines = map(json.loads, path.read_text().splitlines())
    for line in lines:
        assert line["threshold_counts"]["classes"] == [0, 1]
        assert np.sum(line["threshold_counts"]["counts"], (1, 2, 3)).tolist() == 4 * [16 * 16]
        assert len(json.dumps(line["threshold_counts"])) < 2000
    resumed = again(path, binary_scenes)
    assert resumed.pairs_ == comparison.pairs_
    assert resumed.tuned_scores_ is not None
    assert_allclose(resumed.tuned_scores_, comparison.tuned_scores_)


@pytest.mark.slow
def test_logs_of_older_versions_are_continued_without_counts(
    stored: tuple[LossComparison, Path], binary_scenes: Data, tmp_path: Path
) -> None:
    lines = [json.loads(line) for line in stored[1].read_text().splitlines()]
    path = tmp_path / "fits.jsonl"
    old = [{key: line[key] for key in line if key != "threshold_counts"} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    comparison = again(path, binary_scenes)
    assert comparison.tuned_scores_ is None
    assert_array_equal(comparison.scores_, stored[0].scores_)
    lines[1]["threshold_counts"]["counts"] = [[1, "a"]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match="line 2 .*no fit of a comparison"):
        again(path, binary_scenes)


@pytest.mark.parametrize(
    "value", [3, {"classes": [0, 1]}, {"classes": 0, "counts": []}, {"classes": [], "counts": [[]]}]
)
def test_damaged_counts_are_noticed(value: Any) -> None:
    assert not are_counts(value)


@pytest.mark.slow
def test_what_has_no_counts_has_no_tuned_scores(scenes: Data, binary_scenes: Data) -> None:
    X, y = scenes
    model = segmenter(depth=1)
    assert run(model, X=X, y=y, cv=KFold(2)).tuned_scores_ is None  # three classes
    X, y = binary_scenes
    alone = [(np.arange(11), np.array([11]))]
    assert run(model, X=X, y=y, cv=alone).tuned_scores_ is None  # a single held-out image
    assert run(model, X=X, y=y, cv=KFold(2), scoring="surface_dice").tuned_scores_ is None


@pytest.mark.slow
def test_two_classes_of_images(digits: Data) -> None:
    X, y = digits
    X, y = X[y < 2][:16], np.array(["zero", "one"])[y[y < 2][:16]]
    comparison = run(
        classifier(max_epochs=2), losses=["cross_entropy", "focal"], X=X, y=y, cv=KFold(2)
    )
    assert comparison.tuned_scores_ is not None
    assert comparison.table_[0]["threshold"] == pytest.approx(0.5, abs=0.2)
