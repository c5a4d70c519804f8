"""What fits keep of their held-out images, and what comparisons make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import ResNetClassifier, UNetSegmenter, compare_losses
from sklearnloss.metrics import dice_score, iou_score
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.confusion import dice, iou, join_rare, recall
from sklearnloss.tuning._comparison.held_out import SIDE, shrink, worst_median_best
from sklearnloss.tuning._comparison.html_examples import blend
from sklearnloss.tuning._comparison.image_scores import score_images

Array = np.ndarray[Any, Any]
SMALL: dict[str, Any] = {
    "width": 2,
    "depth": 1,
    "max_epochs": 1,
    "device": "cpu",
    "random_state": 0,
}


class Known(UNetSegmenter):
    """Predicts the masks that it is given."""

    answers: Array

    def predict(self, X: Any, threshold: Any = None) -> Array:
        return self.answers


def scenes(labels: list[int], size: int = 12, n: int = 8) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    y = np.array(labels)[rng.integers(0, len(labels), (n, size // 4, size // 4))]
    y = y.repeat(4, 1).repeat(4, 2)
    return (y + rng.normal(0, 1, y.shape)).astype(np.float32), y


def known(labels: list[int], **more: Any) -> tuple[Known, Array, Array]:
    """Return a fitted segmenter with predictions of which some pixels are wrong."""
    X, y = scenes(labels)
    model = Known(classes=labels, **SMALL, **more).fit(X, y)
    rng = np.random.default_rng(1)
    model.answers = np.where(rng.random(y.shape) < 0.3, rng.choice(labels, y.shape), y)
    return model, X, y


@pytest.mark.parametrize("labels", [[0, 1], [0, 255], [3, 5, 7]])
def test_pixels_are_counted_by_true_and_predicted_label(labels: list[int]) -> None:
    model, X, y = known(labels)
    scores, kept = score_images(model, X, y)
    assert kept is not None
    counts = dense(kept["confusion"])
    expected = confusion_matrix(y.ravel(), model.answers.ravel(), labels=labels)
    np.testing.assert_array_equal(counts, expected)
    assert kept["confusion"]["labels"] == list(map(str, labels))
    np.testing.assert_allclose(scores, iou_score(y, model.answers, per_image=True), rtol=1e-6)
    np.testing.assert_allclose(dice(counts), dice_score(y, model.answers, average=None))
    np.testing.assert_allclose(iou(counts), iou_score(y, model.answers, average=None))


def test_ignored_and_masked_pixels_are_not_counted() -> None:
    model, X, y = known([0, 1], ignore_index=9)
    y = y.copy()
    y[:, :5] = 9
    _, kept = score_images(model, X, y)
    assert kept is not None
    expected = confusion_matrix(y[:, 5:].ravel(), model.answers[:, 5:].ravel())
    np.testing.assert_array_equal(dense(kept["confusion"]), expected)
    model.set_params(ignore_index=None)
    _, kept = score_images(model, X, np.ma.masked_equal(y, 9))
    assert kept is not None
    np.testing.assert_array_equal(dense(kept["confusion"]), expected)


def test_labels_that_may_overlap_are_counted_each() -> None:
    X, y = scenes([0, 1])
    masks = np.stack([y, np.roll(y, 2, 1)], 1)
    model = Known(multilabel=True, **SMALL).fit(X, masks)
    model.answers = np.roll(masks, 1, 2)
    _, kept = score_images(model, X, masks)
    assert kept is not None
    flat = [each.swapaxes(0, 1).reshape(2, -1).T for each in (masks, model.answers)]
    np.testing.assert_array_equal(dense(kept["confusion"]), multilabel_confusion_matrix(*flat))


def test_ignored_pixels_of_labels_that_may_overlap_are_not_counted() -> None:
    X, y = scenes([0, 1])
    masks = np.stack([y, np.roll(y, 2, 1)], 1)
    model = Known(multilabel=True, ignore_index=9, **SMALL).fit(X, masks)
    model.answers = np.roll(masks, 1, 2)
    ignored = masks.copy()
    ignored[:, 0, :5] = 9
    _, kept = score_images(model, X, ignored)
    assert kept is not None
    assert dense(kept["confusion"]).sum((1, 2)).tolist() == [y[:, 5:].size, y.size]


def dense(confusion: dict[str, Any]) -> Array:
    counts = np.zeros(confusion["shape"], dtype=int)
    for *at, count in confusion["counts"]:
        counts[tuple(at)] = count
    return counts


def test_only_three_small_predictions_are_kept() -> None:
    assert worst_median_best([0.5, np.nan, 0.1, 0.9, 0.7]) == [2, 0, 3]
    assert worst_median_best([0.5]) == [0]
    assert worst_median_best([np.nan]) == []
    assert shrink(np.zeros((3, 500, 161))).shape == (3, 125, 41)
    assert shrink(np.zeros((SIDE, 20))).shape == (SIDE, 20)
    model, X, y = known([0, 1])
    scores, kept = score_images(model, X, y, np.arange(100, 108))
    assert kept is not None
    order = np.argsort(scores, kind="stable")
    assert [each["image"] - 100 for each in kept["examples"]] == [order[0], order[3], order[-1]]
    assert len(json.dumps(kept)) < 2000


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> tuple[LossComparison, Path]:
    X, y = scenes([0, 1, 2])
    path = tmp_path_factory.mktemp("log") / "fits.jsonl"
    return compare_masks(X, y, path), path


def compare_masks(X: Any, y: Any, path: Path | None) -> LossComparison:
    return compare_losses(
        UNetSegmenter(**SMALL, classes=[0, 1, 2]),
        ["dice", "focal"],
        X,
        y,
        cv=2,
        random_state=0,
        storage=path,
    )


def test_the_examples_are_the_lowest_median_and_highest_scores(
    comparison: tuple[LossComparison, Path],
) -> None:
    found, _ = comparison
    _, y = scenes([0, 1, 2])
    assert found.class_names_ == ["0", "1", "2"]
    for k, label in enumerate(["dice", "focal"]):
        assert found.confusion_[label].sum() == y.size
        rows = [row for row in found.examples_ if row["loss"] == label]
        assert [row["kind"] for row in rows] == ["worst", "median", "best"]
        scores = found.image_scores_
        assert scores is not None
        assert rows[0]["score"] == pytest.approx(scores[k].min(), abs=1e-5)
        assert rows[-1]["score"] == pytest.approx(scores[k].max(), abs=1e-5)
        for row in rows:
            np.testing.assert_array_equal(row["truth"], y[row["image"]])
            assert row["picture"].shape == row["prediction"].shape == (12, 12)
            score = iou_score(row["truth"][None], row["prediction"][None])
            assert score == pytest.approx(row["score"], abs=1e-5)
        assert found.fits_.kept is not None
        ((first,), _) = found.fits_.kept[k]
        assert [epoch for epoch, _ in first["curve"]] == [1]


def test_a_log_of_an_older_version_is_resumed_without_these_parts(
    comparison: tuple[LossComparison, Path], tmp_path: Path
) -> None:
    found, path = comparison
    first, *fits = path.read_text().splitlines()
    old = [{k: v for k, v in json.loads(fit).items() if k != "kept"} for fit in fits]
    log = tmp_path / "old.jsonl"
    log.write_text("\n".join([first, *map(json.dumps, old)]) + "\n")
    before = log.read_bytes()
    X, y = scenes([0, 1, 2])
    resumed = compare_masks(X, y, log)
    assert log.read_bytes() == before
    np.testing.assert_array_equal(resumed.scores_, found.scores_)
    assert (resumed.confusion_, resumed.examples_) == ({}, [])
    text = resumed._render_report()
    for part in ("kept no predictions", "kept no counts", "kept no losses"):
        assert part in text


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {"curve": [[1]]},
        {"confusion": {"labels": ["a"], "shape": [1, 1], "counts": [[0, 1, 3]]}},
        {"confusion": {"labels": ["a"], "shape": [2, 2], "counts": []}},
        {"confusion": None, "examples": [{"image": 0}]},
    ],
)
def test_a_damaged_log_is_refused(
    wrong: Any, comparison: tuple[LossComparison, Path], tmp_path: Path
) -> None:
    first, second, *_ = comparison[1].read_text().splitlines()
    log = tmp_path / "damaged.jsonl"
    log.write_text("\n".join([first, json.dumps({**json.loads(second), "kept": wrong})]) + "\n")
    X, y = scenes([0, 1, 2])
    with pytest.raises(ValueError, match="line 2"):
        compare_masks(X, y, log)


def test_a_damaged_prediction_is_left_out(
    comparison: tuple[LossComparison, Path], tmp_path: Path
) -> None:
    log = tmp_path / "damaged.jsonl"
    lines = [json.loads(line) for line in comparison[1].read_text().splitlines()]
    for line in lines[1:]:
        for example in line["kept"]["examples"]:
            example["prediction"] = example["prediction"][:-8]
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    X, y = scenes([0, 1, 2])
    resumed = compare_masks(X, y, log)
    assert resumed.examples_ == []
    assert resumed.confusion_.keys() == {"dice", "focal"}


def test_mistakes_of_a_classifier_are_shown() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 8, 8)).astype(np.float32), np.array(["<a>", "b", "c"] * 8)
    model = ResNetClassifier(width=2, max_epochs=1, device="cpu")
    found = compare_losses(model, ["focal"], X, y, cv=2, random_state=0)
    counts = found.confusion_["focal"]
    assert found.class_names_ == ["<a>", "b", "c"]
    assert counts.sum(1).tolist() == [8, 8, 8]
    assert np.trace(counts) / 24 == pytest.approx(found.scores_.mean())
    assert recall(counts).mean() == pytest.approx(found.scores_.mean())
    assert found.examples_
    for row in found.examples_:
        assert row["truth"] == y[row["image"]] != row["prediction"]
    text = found._render_report()
    assert "&lt;a&gt; instead of" in text or "instead of &lt;a&gt;" in text
    assert "<a>" not in text


def test_a_pipeline_that_changes_images_has_no_pictures_of_them() -> None:
    X, y = scenes([0, 1])
    model = make_pipeline(FunctionTransformer(_flipped_size), UNetSegmenter(**SMALL))
    found = compare_losses(model, ["dice"], X, y[:, :8, :8], cv=2, random_state=0)
    assert found.confusion_["dice"].sum() == y[:, :8, :8].size
    assert all(row["picture"] is None for row in found.examples_)
    assert "<h2>Classes</h2>" in found._render_report()


def _flipped_size(X: Array) -> Array:
    return X[:, :8, :8]


def test_without_image_scores_only_curves_are_kept() -> None:
    X, y = scenes([0, 1])
    found = compare_losses(
        UNetSegmenter(**SMALL), ["dice"], X, y, cv=2, random_state=0, per_image=False
    )
    assert found.confusion_ == {}
    text = found._render_report()
    assert "Learning curves" in text
    assert "Predictions" not in text


def test_rare_classes_are_joined() -> None:
    counts = np.diag(np.arange(1, 16))
    counts[0, 14] = 1
    names, joined = join_rare(list("abcdefghijklmno"), counts)
    assert names == [*"efghijklmno", "4 others"]
    assert joined.sum() == counts.sum()
    assert joined[-1, -1] == 1 + 2 + 3 + 4
    assert joined[-1, -2] == 1


def test_colors_are_blended_over_the_picture() -> None:
    overlay = np.array([[[1.0, 0, 0, 0.5], [0, 0, 0, 0]]])
    assert blend(np.array([[0.2, 0.4]]), overlay).tolist() == [[[153, 26, 26], [102, 102, 102]]]
