from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.metrics import hausdorff_distance

from .references import empty_pair, monai_warns, one_hot, pair, same

SPACINGS = [None, 0.5, "anisotropic"]


def sizes(spacing: Any, n_axes: int) -> Any:
    return [0.7, 2.5, 1.3][:n_axes] if spacing == "anisotropic" else spacing


@monai_warns
@pytest.mark.parametrize("shape", [(3, 20, 24), (2, 8, 12, 10)])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("percentile", [50, 95, 100])
def test_equals_monai(shape: tuple[int, ...], spacing: Any, percentile: int) -> None:
    metrics = pytest.importorskip("monai.metrics")
    true, pred = pair(shape)
    spacing = sizes(spacing, len(shape) - 1)
    expected = metrics.compute_hausdorff_distance(
        one_hot(pred),
        one_hot(true),
        include_background=True,
        percentile=percentile,
        spacing=spacing,
    )
    found = hausdorff_distance(
        true, pred, percentile=percentile, spacing=spacing, average=None, per_image=True
    )
    same(found, expected)


@monai_warns
def test_equals_monai_with_ignored_pixels() -> None:
    metrics = pytest.importorskip("monai.metrics")
    true, pred = pair((3, 20, 24))
    true[:, 5:11, 4:15] = 255
    expected = metrics.HausdorffDistanceMetric(
        include_background=True, percentile=95, ignore_index=255, reduction="none"
    )(one_hot(pred), one_hot(true))
    found = hausdorff_distance(true, pred, ignore_index=255, average=None, per_image=True)
    same(found, expected)


def test_equals_all_pairs_of_a_signal() -> None:
    true, pred = pair((4, 50), n_classes=2)
    rims = [[i for i in range(50) if m[i] and not (0 < i < 49 and m[i - 1] and m[i + 1])]
            for m in (true[0], pred[0])]  # fmt: skip
    gaps = np.abs(np.subtract.outer(*rims)) * 0.3
    expected = max(np.percentile(gaps.min(axis), 95) for axis in (0, 1))
    found = hausdorff_distance(true[:1], pred[:1], labels=[1], spacing=0.3)
    assert found == pytest.approx(expected)


def test_two_pixels_are_as_far_apart_as_they_are() -> None:
    true, pred = np.zeros((2, 1, 10, 10), int)
    true[0, 2, 3] = pred[0, 5, 7] = 1
    assert hausdorff_distance(true, pred, labels=[1]) == 5.0
    assert hausdorff_distance(true, pred, labels=[1], spacing=(4, 3)) == pytest.approx(
        np.hypot(12, 12)
    )
    assert hausdorff_distance(true, true, labels=[1]) == 0.0


def test_the_percentile_forgives_a_stray_pixel() -> None:
    true = np.zeros((1, 40, 40), int)
    true[0, 10:30, 10:30] = 1
    pred = true.copy()
    pred[0, 0, 0] = 1
    assert hausdorff_distance(true, pred, labels=[1]) == 0.0
    stray = hausdorff_distance(true, pred, labels=[1], percentile=100)
    assert stray == pytest.approx(np.hypot(10, 10))


def test_empty_masks_have_a_distance_by_choice() -> None:
    true, pred = empty_pair()

    def distances(**params: Any) -> list[float]:
        found = hausdorff_distance(true, pred, labels=[1], per_image=True, **params)
        return list(np.asarray(found))

    assert distances() == [0.0, 5.0, 0.0]  # the diagonal of 3 x 4 pixels
    assert distances(spacing=2) == [0.0, 10.0, 0.0]
    assert distances(one_empty=np.inf, both_empty=7) == [7.0, np.inf, 0.0]
    assert distances(one_empty=373.13)[1] == 373.13
    swapped = hausdorff_distance(pred, true, labels=[1], per_image=True)
    np.testing.assert_array_equal(swapped, [0.0, 5.0, 0.0])


def test_nan_leaves_images_out() -> None:
    true, pred = empty_pair()
    kept = hausdorff_distance(true, pred, labels=[1], both_empty=np.nan)
    assert kept == 2.5
    assert hausdorff_distance(true, pred, labels=[1], both_empty=np.nan, one_empty=np.nan) == 0.0
    assert np.isnan(hausdorff_distance(true[:1], pred[:1], labels=[1], both_empty=np.nan))
    # Label 2 occurs nowhere and leaves the mean over the labels too.
    assert hausdorff_distance(true, pred, labels=[1, 2], both_empty=np.nan) == 2.5


def test_a_missed_mask_is_worse_than_any_found() -> None:
    true, pred = np.zeros((2, 1, 5, 6), int)
    true[0, 0, 0] = 1
    missed = hausdorff_distance(true, pred, labels=[1])
    pred[0, -1, -1] = 1
    assert hausdorff_distance(true, pred, labels=[1]) < missed


def test_images_are_averaged_by_weight_and_labels_equally() -> None:
    true, pred = pair((3, 20, 24))
    each = np.asarray(hausdorff_distance(true, pred, average=None, per_image=True))
    weight = np.array([1.0, 0.0, 3.0])
    by_label = np.average(each, axis=0, weights=weight)
    found = hausdorff_distance(true, pred, average=None, sample_weight=weight)
    np.testing.assert_allclose(found, by_label)
    assert hausdorff_distance(true, pred, sample_weight=weight) == pytest.approx(by_label.mean())
    np.testing.assert_allclose(hausdorff_distance(true, pred, per_image=True), each.mean(1))


def test_each_image_may_have_its_spacing() -> None:
    true, pred = pair((3, 20, 24))
    spacing = np.array([[1, 1], [0.5, 2], [3, 3]])
    found = np.asarray(hausdorff_distance(true, pred, spacing=spacing, per_image=True))
    alone: Any = [
        hausdorff_distance(t[None], p[None], spacing=s)
        for t, p, s in zip(true, pred, spacing, strict=True)
    ]
    np.testing.assert_allclose(found, alone)


def test_multilabel_masks_are_scored_by_channel() -> None:
    true, pred = pair((3, 20, 24))
    expected = hausdorff_distance(true, pred, average=None)
    channels = [one_hot(masks).numpy() for masks in (true, pred)]
    found = hausdorff_distance(*channels, average=None, multilabel=True)
    np.testing.assert_allclose(found, expected)
    found = hausdorff_distance(*channels, average=None, multilabel=True, labels=[2, 0])
    np.testing.assert_allclose(found, np.asarray(expected)[[2, 0]])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"percentile": 101}, "percentile=101: expected a number from 0 to 100"),
        ({"average": "micro"}, "average='micro': expected 'macro' or None"),
        ({"one_empty": "diag"}, "one_empty='diag': expected a number or 'diagonal'"),
        ({"spacing": (1, 2, 3)}, r"spacing has shape \(3,\), expected a number, 2 numbers"),
        ({"spacing": 0}, "spacing=0: expected positive numbers"),
        ({"sample_weight": [1, 1], "per_image": True}, "with per_image=True there is no mean"),
        ({"sample_weight": [1]}, r"shape \(1,\), expected \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hausdorff_distance(*np.zeros((2, 2, 4, 5), int), **params)


def test_labels_of_images_without_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\) have no spatial axis"):
        hausdorff_distance([0, 1, 0], [0, 1, 1])


def test_an_image_of_which_nothing_counts_has_the_distance_of_empty_masks() -> None:
    ignored = np.full((2, 4, 4), 255)
    found = hausdorff_distance(ignored, ignored * 0, ignore_index=255, per_image=True)
    np.testing.assert_array_equal(found, 0)
    with pytest.raises(ValueError, match="All pixels of y_true are ignored"):
        hausdorff_distance(ignored, ignored * 0, ignore_index=255)
