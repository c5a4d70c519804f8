from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.metrics import surface_dice_score

from .references import empty_pair, monai_warns, one_hot, pair, same


@monai_warns
@pytest.mark.parametrize("shape", [(3, 20, 24), (2, 8, 12, 10)])
@pytest.mark.parametrize("spacing", [None, 0.5, "anisotropic"])
@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.3])
def test_equals_monai(shape: tuple[int, ...], spacing: Any, tolerance: float) -> None:
    metrics = pytest.importorskip("monai.metrics")
    true, pred = pair(shape)
    spacing = [0.7, 2.5, 1.3][: len(shape) - 1] if spacing == "anisotropic" else spacing
    expected = metrics.compute_surface_dice(
        one_hot(pred),
        one_hot(true),
        class_thresholds=[tolerance] * 3,
        include_background=True,
        spacing=spacing,
    )
    found = surface_dice_score(
        true, pred, tolerance=tolerance, spacing=spacing, average=None, per_image=True
    )
    same(found, expected)


@monai_warns
def test_equals_monai_with_ignored_pixels_and_a_tolerance_per_label() -> None:
    metrics = pytest.importorskip("monai.metrics")
    true, pred = pair((3, 20, 24))
    true[:, 5:11, 4:15] = 255
    expected = metrics.compute_surface_dice(
        one_hot(pred),
        one_hot(true),
        class_thresholds=[0, 1, 2],
        include_background=True,
        ignore_index=255,
    )
    found = surface_dice_score(
        true, pred, tolerance=[0, 1, 2], ignore_index=255, average=None, per_image=True
    )
    same(found, expected)


def test_a_shifted_square_is_within_its_shift() -> None:
    true, pred = np.zeros((2, 1, 12, 12), int)
    true[0, 2:6, 2:6] = pred[0, 2:6, 4:8] = 1
    # Of the 12 pixels of each outline, 4 are common: rows 2 and 5 in columns 4 and 5.
    assert surface_dice_score(true, pred, labels=[1], tolerance=0) == pytest.approx(8 / 24)
    # Within 1 are, besides, one in each of those rows, and two of columns 5 and 4.
    near = surface_dice_score(true, pred, labels=[1], tolerance=1)
    assert near == pytest.approx(16 / 24)
    assert surface_dice_score(true, pred, labels=[1], tolerance=2) == 1.0


def test_spacing_and_tolerance_have_one_unit() -> None:
    true, pred = pair((3, 20, 24))
    pixels = surface_dice_score(true, pred, tolerance=2)
    assert surface_dice_score(true, pred, tolerance=2e-3, spacing=1e-3) == pixels
    assert surface_dice_score(true, pred, tolerance=5, spacing=2.5) == pixels


def test_rounding_does_not_miss_the_tolerance() -> None:
    true, pred = np.eye(10, dtype=int)[[[1], [4]]]  # one pixel each, 3 apart
    assert 3 * 0.1 > 0.3
    assert surface_dice_score(true, pred, labels=[1], tolerance=0.3, spacing=0.1) == 1.0
    assert surface_dice_score(true, pred, labels=[1], tolerance=0.29, spacing=0.1) == 0.0


def test_empty_masks_are_perfect_and_missed_ones_worst() -> None:
    true, pred = empty_pair()
    score = surface_dice_score
    found = score(true, pred, labels=[1], per_image=True)
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(score(pred, true, labels=[1], per_image=True), [1.0, 0.0, 1.0])
    assert score(true, pred, labels=[1]) == pytest.approx(2 / 3)
    assert score(true, pred, labels=[1], zero_division=0.0) == pytest.approx(1 / 3)
    assert score(true, pred, labels=[1], zero_division=np.nan) == 0.5
    assert np.isnan(score(true[:1], pred[:1], labels=[1], zero_division=np.nan))


def test_micro_pools_the_contours_of_an_image() -> None:
    true, pred = np.zeros((2, 1, 9, 9), int)
    true[0, 0, :3] = pred[0, 0, :3] = 1  # 3 edge pixels, all found
    true[0, 8, 8] = 2  # one, missed
    expected = {"micro": 6 / 7, "macro": 0.5}
    for average, value in expected.items():
        found = surface_dice_score(true, pred, labels=[1, 2], average=average)  # type: ignore[arg-type]
        assert found == pytest.approx(value)


def test_images_are_averaged_by_weight() -> None:
    true, pred = pair((3, 20, 24))
    each = np.asarray(surface_dice_score(true, pred, tolerance=0.5, per_image=True))
    assert len(set(each)) == 3
    weight = np.array([1.0, 0.0, 3.0])
    found = surface_dice_score(true, pred, tolerance=0.5, sample_weight=weight)
    assert found == pytest.approx(np.average(each, weights=weight))


def test_multilabel_masks_are_scored_by_channel() -> None:
    true, pred = pair((3, 20, 24))
    expected = surface_dice_score(true, pred, average=None, tolerance=0.5)
    channels = [255 * one_hot(masks).numpy() for masks in (true, pred)]
    found = surface_dice_score(*channels, average=None, tolerance=0.5, multilabel=True)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tolerance": -1}, "tolerance=-1: expected numbers >= 0"),
        ({"tolerance": [1, 2, 3]}, r"tolerance has shape \(3,\), expected a number or one for"),
        ({"average": "weighted"}, "average='weighted': expected 'macro', 'micro' or None"),
    ],
)
def test_what_does_not_fit_is_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        surface_dice_score(*np.zeros((2, 2, 4, 5), int), **params)
