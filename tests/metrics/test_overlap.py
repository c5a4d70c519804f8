from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from sklearnloss.metrics import dice_score, iou_score

PAIRS = [(dice_score, f1_score), (iou_score, jaccard_score)]


def masks(seed: int, n_classes: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n_classes, (5, 7, 6))


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@pytest.mark.parametrize("average", ["macro", "micro", None])
def test_equals_scikit_learn_on_pixels(ours: Any, reference: Any, average: str | None) -> None:
    t, p = masks(0), masks(1)
    expected = reference(t.ravel(), p.ravel(), average=average)
    np.testing.assert_allclose(ours(t, p, average=average), expected)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_labels_choose_and_order(ours: Any, reference: Any) -> None:
    t, p = masks(0), masks(1)
    expected = reference(t.ravel(), p.ravel(), labels=[3, 1], average=None)
    np.testing.assert_allclose(ours(t, p, labels=[3, 1], average=None), expected)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_weights_are_per_image(ours: Any, reference: Any) -> None:
    t, p = masks(0), masks(1)
    w = np.array([1.0, 0.0, 2.0, 0.5, 3.0])
    expected = reference(
        t.ravel(), p.ravel(), sample_weight=np.repeat(w, t[0].size), average="macro"
    )
    np.testing.assert_allclose(ours(t, p, sample_weight=w), expected)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, float, "U5"])
def test_labels_are_of_any_kind(dtype: Any) -> None:
    t, p = masks(0, 2).astype(dtype), masks(1, 2).astype(dtype)
    expected = f1_score(masks(0, 2).ravel(), masks(1, 2).ravel(), average=None)
    np.testing.assert_allclose(dice_score(t, p, average=None), expected)


def test_ignored_pixels_do_not_count() -> None:
    t, p = masks(0), masks(1)
    t[:, :3] = 255
    expected = f1_score(t[:, 3:].ravel(), p[:, 3:].ravel(), average="macro")
    assert dice_score(t, p, ignore_index=255) == pytest.approx(expected)


def test_an_absent_label_is_perfect_or_left_out() -> None:
    empty = np.zeros((2, 4, 4), int)
    assert dice_score(empty, empty, labels=[1]) == 1.0
    assert dice_score(empty, empty, labels=[1], zero_division=0.0) == 0.0
    assert dice_score(empty, empty, labels=[0, 1], zero_division=0.0) == 0.5
    assert dice_score(empty, empty, labels=[0, 1], zero_division=np.nan) == 1.0
    assert iou_score(empty, empty, average=None).tolist() == [1.0]  # type: ignore[union-attr]
    assert np.isnan(dice_score(empty, empty, labels=[1], zero_division=np.nan))


def test_a_false_alarm_on_an_empty_mask_scores_nothing() -> None:
    empty, full = np.zeros((1, 4, 4), int), np.ones((1, 4, 4), int)
    assert dice_score(empty, full, labels=[1]) == 0.0


def test_multilabel_masks_are_scored_by_channel() -> None:
    t, p = masks(0, 2)[:, None], masks(1, 2)[:, None]
    t, p = np.concatenate([t, t], 1), np.concatenate([p, t], 1)
    one = f1_score(masks(0, 2).ravel(), masks(1, 2).ravel())
    np.testing.assert_allclose(dice_score(t, p, average=None, multilabel=True), [one, 1.0])
    np.testing.assert_allclose(dice_score(t, p, average=None, multilabel=True, labels=[1]), [1.0])
    t[:, :, :3] = 255
    expected = f1_score(masks(0, 2)[:, 3:].ravel(), masks(1, 2)[:, 3:].ravel())
    scores = dice_score(t, p, average=None, multilabel=True, ignore_index=255)
    np.testing.assert_allclose(scores, [expected, 1.0])


def test_multilabel_masks_may_be_of_0_and_255() -> None:
    t, p = (np.stack([masks(seed, 2), masks(seed + 2, 2)], 1) for seed in (0, 1))
    expected = dice_score(t, p, multilabel=True)
    assert dice_score(255 * t, 255 * p, multilabel=True) == expected
    assert dice_score(t > 0, p > 0, multilabel=True) == expected


def test_a_channel_axis_of_length_1_is_dropped() -> None:
    t, p = masks(0), masks(1)
    assert dice_score(t[:, None], p) == dice_score(t, p[:, None]) == dice_score(t, p)
    assert dice_score(t[:, None], p[:, None]) == dice_score(t, p)


def test_true_masks_may_be_rows_of_pixels() -> None:
    t, p = masks(0), masks(1)
    assert dice_score(t.reshape(5, 42), p) == dice_score(t[..., None], p) == dice_score(t, p)
    with pytest.raises(ValueError, match=r"\(5, 6, 7\) and y_pred of shape \(5, 7, 6\) differ"):
        dice_score(t.reshape(5, 6, 7), p)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, "U5"])
def test_more_labels_than_a_byte_has_values(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    t, p = rng.integers(0, 256 if dtype == np.uint8 else 300, (2, 3, 20, 20)).astype(dtype)
    expected = f1_score(t.ravel(), p.ravel(), average=None)
    np.testing.assert_allclose(dice_score(t, p, average=None), expected)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@pytest.mark.parametrize("average", ["macro", "micro", None])
def test_each_image_has_a_score_on_request(ours: Any, reference: Any, average: str | None) -> None:
    t, p = masks(0), masks(1)
    expected = [reference(a.ravel(), b.ravel(), average=average) for a, b in zip(t, p, strict=True)]
    found = ours(t, p, average=average, per_image=True)
    np.testing.assert_allclose(found, expected)
    assert found.shape == ((5, 4) if average is None else (5,))


def test_absent_labels_of_an_image_are_perfect_or_left_out() -> None:
    t, p = np.array([[[0, 1]], [[0, 0]]]), np.array([[[0, 1]], [[0, 1]]])
    found = iou_score(t, p, labels=[1, 2], average=None, per_image=True)
    np.testing.assert_array_equal(found, [[1, 1], [0, 1]])
    found = iou_score(t, p, labels=[1, 2], zero_division=np.nan, per_image=True)
    np.testing.assert_array_equal(found, [1, 0])


def test_labels_predicted_only_where_pixels_are_ignored_do_not_occur() -> None:
    t, p = np.array([[[0, 1, 255]]]), np.array([[[1, 1, 7]]])
    found = dice_score(t, p, ignore_index=255, average=None)
    np.testing.assert_allclose(found, [0, 2 / 3])


def test_an_image_of_which_nothing_counts_scores_like_an_absent_label() -> None:
    ignored = np.full((2, 4, 4), 255)
    params: Any = {"ignore_index": 255, "per_image": True}
    assert np.all(dice_score(ignored, ignored * 0, **params) == 1.0)
    assert np.all(dice_score(ignored, ignored * 0, zero_division=0.5, **params) == 0.5)


@pytest.mark.parametrize(
    ("t", "p", "params", "message"),
    [
        (masks(0), masks(1)[:, :3], {}, r"\(5, 7, 6\) and y_pred of shape \(5, 3, 6\) differ"),
        (masks(0), masks(1), {"average": "binary"}, "average='binary': expected 'macro'"),
        (masks(0), masks(1), {"sample_weight": [1.0]}, r"shape \(1,\), expected \(5,\)"),
        ([0, 1], [0, 1], {"multilabel": True}, r"multilabel masks have shape \(n, K"),
        (masks(0), masks(1), {"sample_weight": [1.0] * 5, "per_image": True}, "Drop one of the"),
        (
            masks(0, 2),
            masks(1, 2),
            {"multilabel": True, "labels": [1, 7]},
            r"labels=\[1, 7\]: expected channels of multilabel masks from 0 to 6",
        ),
        (masks(0)[:, None], masks(1), {"multilabel": True}, r"\(5, 1, 7, 6\) and y_pred of shape"),
    ],
)
def test_what_does_not_fit_is_named(t: Any, p: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dice_score(t, p, **params)
