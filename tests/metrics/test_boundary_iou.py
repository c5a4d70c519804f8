from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from sklearnloss.metrics import boundary_iou_score, iou_score

from .references import empty_pair, one_hot, pair


def rims(masks: np.ndarray, label: int, d: int) -> np.ndarray:
    """The paper's own way: erode d times by a square of 3 pixels, zeros beyond the image."""
    square = np.ones((3,) * (masks.ndim - 1))
    return np.stack([m & ~binary_erosion(m, square, iterations=d) for m in masks == label])


@pytest.mark.parametrize("shape", [(3, 90), (3, 30, 40), (2, 12, 14, 16)])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_equals_eroded_masks(shape: tuple[int, ...], width: int) -> None:
    true, pred = pair(shape)
    expected = []
    for label in range(3):
        t, p = rims(true, label, width), rims(pred, label, width)
        expected.append((t & p).sum() / (t | p).sum())
    true, pred = true[:, None], pred[:, None]
    found = boundary_iou_score(true, pred, width=width, average=None)
    np.testing.assert_allclose(found, expected)
    assert boundary_iou_score(true, pred, width=width) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(("shape", "pixels"), [((10, 10), 1), ((90, 120), 3), ((60, 60), 2)])
def test_the_default_width_is_two_percent_of_the_diagonal(
    shape: tuple[int, int], pixels: int
) -> None:
    true, pred = pair((1, *shape))
    found = boundary_iou_score(true, pred, average=None)
    np.testing.assert_allclose(found, boundary_iou_score(true, pred, width=pixels, average=None))


def test_a_wide_rim_is_the_whole_mask() -> None:
    true, pred = pair((3, 30, 40))
    assert boundary_iou_score(true, pred, width=1000) == pytest.approx(iou_score(true, pred))


def test_the_same_error_costs_objects_of_any_size_alike() -> None:
    scores = []
    for size in (20, 60):
        true, pred = np.zeros((2, 1, 80, 80), int)
        true[0, 5 : 5 + size, 5 : 5 + size] = 1
        pred[0, 6 : 6 + size, 5 : 5 + size] = 1
        scores.append([f(true, pred, labels=[1]) for f in (boundary_iou_score, iou_score)])
    (small, small_iou), (large, large_iou) = scores
    assert large - small < 0.02 < large_iou - small_iou


def test_width_and_spacing_have_one_unit() -> None:
    true, pred = pair((2, 30, 40))
    pixels = boundary_iou_score(true, pred, width=3)
    assert boundary_iou_score(true, pred, width=1.5, spacing=0.5) == pixels
    assert boundary_iou_score(true, pred, spacing=0.5) == boundary_iou_score(true, pred)


def test_thick_slices_have_a_rim_of_their_own() -> None:
    true, pred = pair((2, 8, 20, 20))
    rim = [m & ~binary_erosion(m, np.ones((3, 5, 5))) for m in (*(true == 1), *(pred == 1))]
    t, p = np.stack(rim[:2]), np.stack(rim[2:])
    found = boundary_iou_score(true, pred, labels=[1], width=2, spacing=(5, 1, 1))
    assert found == pytest.approx((t & p).sum() / (t | p).sum())


def test_ignored_pixels_belong_to_no_mask() -> None:
    true, pred = pair((2, 30, 40))
    true[:, 10:20, 10:30] = 255
    expected = boundary_iou_score(true, np.where(true == 255, 255, pred), labels=[0, 1, 2])
    assert boundary_iou_score(true, pred, ignore_index=255) == expected
    assert boundary_iou_score(true, pred, labels=[0, 1, 2]) != expected


def test_empty_masks_are_perfect_and_missed_ones_worst() -> None:
    true, pred = empty_pair()
    found = boundary_iou_score(true, pred, labels=[1], per_image=True)
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0])
    assert boundary_iou_score(true, pred, labels=[1]) == 0.5  # of pooled pixels
    assert boundary_iou_score(true[:1], pred[:1], labels=[1], zero_division=0.0) == 0.0


def test_weights_are_per_image() -> None:
    true, pred = pair((3, 30, 40))
    found = boundary_iou_score(true, pred, sample_weight=[1, 0, 2])
    assert found == boundary_iou_score(true[[0, 2, 2]], pred[[0, 2, 2]])


def test_multilabel_masks_are_scored_by_channel() -> None:
    true, pred = pair((3, 30, 40))
    channels = [one_hot(masks).numpy() for masks in (true, pred)]
    found = boundary_iou_score(*channels, average=None, multilabel=True, ignore_index=9)
    np.testing.assert_allclose(found, boundary_iou_score(true, pred, average=None))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 0}, "width=0: expected a number > 0"),
        ({"width": np.inf}, "width=inf: expected a number > 0"),
        ({"average": "none"}, "average='none': expected 'macro', 'micro' or None"),
    ],
)
def test_what_does_not_fit_is_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        boundary_iou_score(*np.zeros((2, 2, 4, 5), int), **params)
