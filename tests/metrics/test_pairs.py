"""Masks as metrics take them: lists, masked arrays, and what is not a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sklearnloss.metrics import (
    boundary_iou_score,
    dice_score,
    expected_calibration_error,
    hausdorff_distance,
    iou_score,
    surface_dice_score,
)

from .references import pair

ALL: Any = [
    dice_score,
    iou_score,
    boundary_iou_score,
    surface_dice_score,
    hausdorff_distance,
]
SIZES = [(9, 8), (7, 14), (12, 5)]


def unlike() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return true and predicted masks of three sizes."""
    masks = [pair((1, *size)) for size in SIZES]
    return [true[0] for true, _ in masks], [pred[0] for _, pred in masks]


@pytest.mark.parametrize("score", ALL)
def test_lists_of_masks_score_as_arrays_of_them(score: Any) -> None:
    true, pred = pair((3, 12, 10))
    for average in ("macro", None):
        expected = score(true, pred, average=average)
        for t, p in (
            (list(true), list(pred)),
            (list(true), pred),
            (true, list(pred)),
            (list(true[:, None]), list(pred[:, None])),
            ([mask.ravel() for mask in true], list(pred)),
        ):
            np.testing.assert_array_equal(score(t, p, average=average), expected)


@pytest.mark.parametrize("score", ALL)
def test_masks_of_unlike_sizes_are_scored_image_by_image(score: Any) -> None:
    true, pred = unlike()
    params: Any = {"labels": [0, 1, 2], "average": None, "per_image": True}
    each = [score(t[None], p[None], **params)[0] for t, p in zip(true, pred, strict=True)]
    np.testing.assert_array_equal(score(true, pred, **params), each)
    ragged = np.empty(3, object)
    ragged[:] = pred
    np.testing.assert_array_equal(score(true, ragged, **params), each)


def test_overlap_of_unlike_sizes_is_that_of_all_their_pixels() -> None:
    true, pred = unlike()
    t, p = (np.concatenate([mask.ravel() for mask in masks]) for masks in (true, pred))
    assert dice_score(true, pred) == pytest.approx(f1_score(t, p, average="macro"))
    weight = np.repeat([1.0, 2.0, 0.5], [mask.size for mask in true])
    expected = f1_score(t, p, average="macro", sample_weight=weight)
    assert dice_score(true, pred, sample_weight=[1, 2, 0.5]) == pytest.approx(expected)


def test_multilabel_masks_of_unlike_sizes_are_scored_by_channel() -> None:
    true, pred = unlike()
    t, p = ([np.stack([m == 1, m == 2]) for m in masks] for masks in (true, pred))
    found = dice_score(t, p, average=None, multilabel=True)
    np.testing.assert_allclose(found, dice_score(true, pred, labels=[1, 2], average=None))
    with pytest.raises(ValueError, match="have 2 labels, but image 1 has masks of 1"):
        dice_score([t[0], t[1][:1]], [p[0], p[1][:1]], multilabel=True)


def test_calibration_of_unlike_sizes_is_that_of_all_their_pixels() -> None:
    true, _ = unlike()
    prob = [np.random.default_rng(0).dirichlet(np.ones(3), t.shape) for t in true]
    flat = np.concatenate([p.reshape(-1, 3) for p in prob])
    expected = expected_calibration_error(np.concatenate([t.ravel() for t in true]), flat)
    first = [np.moveaxis(p, -1, 0) for p in prob]
    assert expected_calibration_error(true, first) == pytest.approx(expected)
    each: Any = [
        expected_calibration_error(t[None], p[None]) for t, p in zip(true, first, strict=True)
    ]
    found: Any = expected_calibration_error(true, first, per_image=True)
    np.testing.assert_allclose(found, each)
    channels = [p > 0.5 for p in first]
    with pytest.raises(ValueError, match="y_prob has 3 classes, but 2 in image 1"):
        expected_calibration_error(
            [channels[0], channels[1][:2]], [first[0], first[1][:2]], multilabel=True
        )


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize("as_list", [False, True])
def test_masked_pixels_are_ignored_pixels(score: Any, as_list: bool) -> None:
    true, pred = pair((3, 12, 10))
    hidden = np.random.default_rng(0).random(true.shape) < 0.3
    masked = np.ma.MaskedArray(np.where(hidden, np.nan, true), hidden)
    expected = score(np.where(hidden, 255, true), pred, ignore_index=255)
    assert score(list(masked) if as_list else masked, pred) == expected
    both = np.ma.MaskedArray(pred, hidden)
    assert score(masked, both) == expected
    some = np.where((true == 2) & ~hidden, 255, masked.filled(0))  # ignored in both ways
    fewer = score(np.ma.MaskedArray(some, hidden), pred, ignore_index=255)
    assert fewer == score(np.where(hidden, 255, some), pred, ignore_index=255)
    assert expected != score(true, pred)


def test_masked_pixels_do_not_count_in_calibration_either() -> None:
    true, _ = pair((2, 6, 6))
    prob = np.moveaxis(np.random.default_rng(0).dirichlet(np.ones(3), true.shape), -1, 1)
    hidden = np.random.default_rng(1).random(true.shape) < 0.3
    expected = expected_calibration_error(np.where(hidden, 9, true), prob, ignore_index=9)
    masked = np.ma.MaskedArray(true, hidden)
    assert expected_calibration_error(masked, prob) == expected
    assert expected_calibration_error(list(masked), list(prob)) == pytest.approx(expected)


def test_masked_channels_do_not_count() -> None:
    true, pred = pair((2, 2, 6, 6), 2)
    hidden = np.random.default_rng(0).random(true.shape) < 0.3
    found = dice_score(np.ma.MaskedArray(true, hidden), pred, multilabel=True)
    expected = dice_score(np.where(hidden, 9, true), pred, multilabel=True, ignore_index=9)
    assert found == expected != dice_score(true, pred, multilabel=True)


def test_a_prediction_is_needed_where_pixels_count() -> None:
    true, pred = pair((2, 6, 6))
    with pytest.raises(ValueError, match="y_pred has masked pixels where y_true has none"):
        dice_score(true, np.ma.masked_equal(pred, 1))


TRUE, PRED = pair((2, 6, 6), 2)
NAN = np.where(np.arange(6) == 0, np.nan, TRUE)
PATHS = ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("true", "pred", "params", "message"),
    [
        (TRUE, NAN, {}, "y_pred holds NaN or infinity, which are not labels"),
        (NAN, PRED, {}, "y_true holds NaN or infinity.*pass it as ignore_index"),
        (TRUE, PRED * 0.9, {}, r"y_pred holds fractions, such as 0\.9.*threshold probabilities"),
        (TRUE * 0.5, PRED, {}, r"y_true holds fractions, such as 0\.5"),
        (TRUE[:0], PRED[:0], {}, "hold no images. Expected at least one"),
        (TRUE[:, :0], PRED[:, :0], {}, r"has shape \(2, 0, 6\). Expected masks of at least one"),
        (TRUE * 1j, PRED, {}, "y_true has dtype complex128. Expected masks of integers"),
        (TRUE, np.full(TRUE.shape, None), {}, "y_pred holds objects, such as a NoneType"),
        (TRUE, PRED.astype(str), {}, "y_pred holds text and y_true holds numbers.*of one kind"),
        (PATHS, PRED, {}, "read files first, or use a scorer such as dice_scorer"),
        ([Path("a.png")] * 2, PRED, {}, "read files first, or use a scorer such as dice_scorer"),
        (PATHS, PATHS, {}, "read files first, or use a scorer such as dice_scorer"),
        (TRUE * 1e300, PRED, {}, r"y_true holds 1e\+300, which is too large for a label"),
        (
            TRUE,
            PRED,
            {"ignore_index": [1, 2]},
            r"expected one label. To ignore several, pass np",
        ),
        (TRUE, PRED, {"ignore_index": "1"}, "ignore_index='1', but y_true has dtype int64"),
        (TRUE * 255, PRED, {}, "Foreground is 255 in y_true, but 1 in y_pred"),
        (TRUE > 0, PRED * 255, {}, "Foreground is 1 in y_true, but 255 in y_pred"),
        (None, PRED, {}, "y_true is a single NoneType. Expected masks of shape"),
        (TRUE * 0, PRED, {"ignore_index": 0}, "All pixels of y_true are ignored"),
        (TRUE, PRED[:1], {}, "y_true has 2 images, but y_pred has 1"),
        (list(TRUE), [PRED[0], PRED[1, :5]], {}, r"\[1\] of shape \(6, 6\) and y_pred\[1\] of sh"),
        (TRUE, PRED, {"labels": ["1"]}, "but the masks hold numbers. Expected labels of one kind"),
        (TRUE, PRED, {"sample_weight": [0, 0]}, "negative numbers, or only zeros"),
        (TRUE, PRED, {"sample_weight": [1, np.nan]}, "sample_weight holds NaN"),
        (TRUE * 3, PRED, {"multilabel": True}, r"values \[0, 3\].*expected 0 and 1, or 0 and 255"),
        (TRUE, PRED * 0.5, {"multilabel": True}, "y_pred holds fractions"),
    ],
)
def test_what_is_no_mask_is_refused(
    true: Any, pred: Any, params: dict[str, Any], message: str
) -> None:
    for score in (dice_score, hausdorff_distance):
        with pytest.raises(ValueError, match=message):
            score(true, pred, **params)


def test_foreground_may_be_255_where_1_is_another_label() -> None:
    true = np.array([[[0, 0, 255, 255]], [[0, 1, 255, 255]]])
    assert dice_score(true, np.array([[[0, 1, 1, 0]]] * 2)) > 0
    assert dice_score(true[:1], true[:1] * 0) > 0  # nothing is found
    assert dice_score(true[:1], true[:1] > 0, ignore_index=255) == 1.0  # it does not count
    assert dice_score(true[:1, None], true[:1, None] > 0, multilabel=True) == 1.0


def test_tensors_with_gradients_are_masks() -> None:
    torch = pytest.importorskip("torch")
    true, pred = pair((2, 6, 6), 2)
    tensor = torch.tensor(pred.astype(float), requires_grad=True)
    for each in (tensor, list(tensor)):
        assert dice_score(true, each) == dice_score(true, pred)


def test_void_pixels_of_multilabel_masks_are_asked_about() -> None:
    true, pred = pair((2, 2, 6, 6), 2)
    true[0, 0, 0] = 255
    with pytest.raises(ValueError, match=r"values \[0, 1, 255\].*Pass ignore_index="):
        dice_score(true, pred, multilabel=True)


def test_probabilities_are_numbers() -> None:
    for prob, message in (
        (np.full((2, 2), 0.5 + 0j), "y_prob has dtype complex128"),
        (np.full((2, 2), None), "y_prob has dtype object"),
    ):
        with pytest.raises(ValueError, match=message):
            expected_calibration_error([0, 1], prob)
    for true, message in (
        ([0, np.nan], "y_true holds NaN"),
        ([0, 0.5], "y_true holds fractions"),
        (np.ma.MaskedArray([0, 2], [False, False]), "label 2, expected one of"),
    ):
        with pytest.raises(ValueError, match=message):
            expected_calibration_error(true, np.full((2, 2), 0.5), labels=[0, 1])
    with pytest.raises(ValueError, match="at least one probability"):
        expected_calibration_error([], np.ones((0, 2)), labels=[0, 1])


def test_labels_may_be_objects_of_one_kind() -> None:
    true, pred = pair((2, 6, 6), 2)
    names = np.array(["off", "on"], dtype=object)
    assert dice_score(names[true], names[pred]) == dice_score(true, pred)
    assert dice_score(true.astype(object), pred) == dice_score(true, pred)


@pytest.mark.parametrize("score", ALL)
def test_labels_that_only_images_of_weight_0_have_do_not_occur(score: Any) -> None:
    true, pred = pair((3, 12, 10), 2)
    true[2, :4] = pred[2, :4] = 7
    found = score(true, pred, sample_weight=[1, 2, 0])
    assert found == pytest.approx(score(true[:2], pred[:2], sample_weight=[1, 2]))


def test_labels_far_apart_are_counted() -> None:
    true, pred = pair((2, 6, 6), 2)
    for far in (10**6, 2**40, -(10**9)):
        assert dice_score(true * far, pred * far) == dice_score(true, pred)
