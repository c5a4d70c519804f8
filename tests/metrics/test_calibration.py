from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from sklearnloss.metrics import expected_calibration_error as ece

from .references import blobs, one_hot, same


def softmax(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 probabilities (n, n_classes, *spatial)."""
    scores = np.exp(1.5 * np.random.default_rng(seed).normal(size=shape))
    p: np.ndarray = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    return p


def from_curve(right: np.ndarray, sure: np.ndarray, n_bins: int) -> float:
    """ECE by scikit-learn's curve, which leaves empty bins out."""
    share, mean = calibration_curve(right, sure, n_bins=n_bins)
    count = np.histogram(sure, n_bins, (0, 1))[0]
    return float(np.average(abs(share - mean), weights=count[count > 0]))


@pytest.mark.parametrize("n_bins", [1, 10, 15])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_equals_scikit_learns_calibration_curve(n_classes: int, n_bins: int) -> None:
    p = softmax(0, (500, n_classes))
    y = np.random.default_rng(1).integers(0, n_classes, 500)
    right, sure = p.argmax(1) == y, p.max(1)
    assert ece(y, p, n_bins=n_bins) == pytest.approx(from_curve(right, sure, n_bins))
    by_class = [from_curve(y == k, p[:, k], n_bins) for k in range(n_classes)]
    np.testing.assert_allclose(ece(y, p, n_bins=n_bins, average=None), by_class)
    assert ece(y, p, n_bins=n_bins, average="macro") == pytest.approx(np.mean(by_class))


@pytest.mark.parametrize(("norm", "reduction"), [("l1", "expected"), ("max", "maximum")])
def test_classwise_error_of_images_equals_monai(norm: Any, reduction: str) -> None:
    metrics = pytest.importorskip("monai.metrics")
    y, p = blobs(0, (4, 12, 16)), softmax(1, (4, 3, 12, 16))
    expected = metrics.CalibrationErrorMetric(
        num_bins=15, calibration_reduction=reduction, metric_reduction="none"
    )(torch.from_numpy(p), one_hot(y))
    same(ece(y, p, average=None, norm=norm, per_image=True), expected)


def test_masks_are_scored_by_pixel() -> None:
    y, p = blobs(0, (4, 12, 16)), softmax(1, (4, 3, 12, 16))
    pixels = np.moveaxis(p, 1, -1).reshape(-1, 3)
    for average in ("top_label", "macro", None):
        params: Any = {"average": average}
        np.testing.assert_allclose(ece(y, p, **params), ece(y.ravel(), pixels, **params))
        each: Any = [ece(a[None], b[None], **params) for a, b in zip(y, p, strict=True)]
        np.testing.assert_allclose(ece(y, p, per_image=True, **params), each)
    assert ece(y.reshape(4, -1), p) == ece(y[..., None], p) == ece(y[:, None], p) == ece(y, p)


def test_gaps_are_combined_by_norm() -> None:
    # Three predictions at 0.9, two of them right, and one at 0.6, wrong.
    y, p = [1, 1, 0, 0], [0.9, 0.9, 0.9, 0.6]
    gaps = np.array([0.9 - 2 / 3, 0.6])
    assert ece(y, p) == pytest.approx(np.average(gaps, weights=[3, 1]))
    assert ece(y, p, norm="l2") == pytest.approx(np.sqrt(np.average(gaps**2, weights=[3, 1])))
    assert ece(y, p, norm="max") == pytest.approx(0.6)


def test_bins_are_closed_on_the_right() -> None:
    y, p = [0, 1], [0.5, 0.6]
    # Of two bins, 0.5 is in the first: with 0.4 for class 0, apart from 0.6 for class 1.
    np.testing.assert_allclose(ece(y, p, n_bins=2, average=None), [0.05, (0.5 + 0.4) / 2])
    # Zero and one have bins too.
    assert ece([0, 1], [0.0, 1.0]) == 0.0
    assert ece([1, 0], [0.0, 1.0]) == 1.0


def test_two_classes_may_have_one_column() -> None:
    y, p = np.random.default_rng(0).integers(0, 2, 50), softmax(0, (50, 2))
    average: Any
    for average in ("top_label", "macro"):
        expected = ece(y, p, average=average)
        assert ece(y, p[:, 1], average=average) == pytest.approx(expected)
    masks, q = blobs(0, (4, 9, 9), 2), softmax(0, (4, 2, 9, 9))
    assert ece(masks, q[:, 1]) == ece(masks[:, None], q[:, 1:]) == pytest.approx(ece(masks, q))


@pytest.mark.parametrize("dtype", [bool, np.uint8, "U5", object])
def test_labels_are_of_any_kind(dtype: Any) -> None:
    y, p = np.random.default_rng(0).integers(0, 2, 50), softmax(0, (50, 2))
    assert ece(y.astype(dtype), p) == ece(y, p)


def test_labels_name_the_columns_in_their_order() -> None:
    y, p = np.random.default_rng(0).integers(0, 3, 50), softmax(0, (50, 3))
    names = np.array(["cat", "ant", "bee"])
    assert ece(names[y], p, labels=names) == ece(y, p)
    # A label may be absent, if it is named.
    some = y != 1
    expected = ece(y[some], p[some], labels=[0, 1, 2], average=None)
    np.testing.assert_allclose(ece(names[y[some]], p[some], labels=names, average=None), expected)
    assert np.asarray(expected)[1] == pytest.approx(
        from_curve(np.zeros(some.sum()), p[some, 1], 15)
    )


def test_a_weight_of_2_is_the_image_twice() -> None:
    weight = np.array([1, 0, 2, 3])
    again = np.repeat(np.arange(4), weight)
    for y, p in (
        (blobs(0, (4, 12, 16)), softmax(1, (4, 3, 12, 16))),
        (np.array([0, 1, 2, 1]), softmax(1, (4, 3))),
    ):
        found = ece(y, p, sample_weight=weight, labels=[0, 1, 2])
        assert found == pytest.approx(ece(y[again], p[again], labels=[0, 1, 2]))


def test_ignored_pixels_do_not_count() -> None:
    y, p = blobs(0, (4, 12, 16)), softmax(1, (4, 3, 12, 16))
    y[:, :5] = 255
    for average in ("top_label", None):
        found = ece(y, p, ignore_index=255, average=average)
        np.testing.assert_allclose(found, ece(y[:, 5:], p[:, :, 5:], average=average))


def test_no_pixels_have_a_chosen_error() -> None:
    y, p = blobs(0, (2, 6, 6)), softmax(1, (2, 3, 6, 6))
    y[0] = 255
    params: Any = {"ignore_index": 255, "labels": [0, 1, 2], "per_image": True}
    assert np.isnan(ece(y, p, **params)).tolist() == [True, False]
    assert np.asarray(ece(y, p, zero_division=0.5, **params))[0] == 0.5


def test_multilabel_channels_are_binary() -> None:
    y = np.stack([blobs(seed, (4, 9, 9), 2) for seed in (0, 1)], axis=1)
    p = softmax(2, (8, 2, 9, 9))[:, 1].reshape(4, 2, 9, 9)
    by_channel = [np.asarray(ece(y[:, k], p[:, k], average=None))[1] for k in (0, 1)]
    np.testing.assert_allclose(ece(y, p, average=None, multilabel=True), by_channel)
    pooled = ece(np.concatenate([y[:, 0], y[:, 1]]), np.concatenate([p[:, 0], p[:, 1]]))
    assert ece(y, p, multilabel=True) == pytest.approx(pooled)
    assert ece(255 * y, p, multilabel=True) == ece(y, p, multilabel=True)
    y[:, :, :4] = 9
    found = ece(y, p, multilabel=True, ignore_index=9, average=None)
    np.testing.assert_allclose(found, ece(y[:, :, 4:], p[:, :, 4:], multilabel=True, average=None))


P3 = softmax(0, (4, 3))


@pytest.mark.parametrize(
    ("y", "p", "params", "message"),
    [
        ([0, 1, 2, 0], P3 * 5 - 1, {}, r"expected probabilities in \[0, 1\]. Pass what"),
        ([0, 1, 2, 0], P3 * np.nan, {}, "y_prob holds values from nan to nan"),
        ([0, 1, 1, 0], P3, {}, r"y_prob has 3 classes, but y_true holds 2: \[0, 1\]. Pass labels="),
        ([0, 1, 1, 0], P3, {"labels": [0, 1]}, r"but labels has 2: \[0, 1\]"),
        ([0, 1, 7, 0], P3, {"labels": [0, 1, 2]}, r"label 7, expected one of labels=\[0, 1, 2\]"),
        ([0, 1, 2], P3, {}, r"y_prob has shape \(4, 3\), but y_true has shape \(3,\)"),
        ([0, 1, 2, 0], P3, {"multilabel": True}, r"expected \(n, K, \*spatial\) for both"),
        ([0, 1, 2, 0], P3, {"norm": "l3"}, "norm='l3': expected 'l1', 'l2' or 'max'"),
        ([0, 1, 2, 0], P3, {"n_bins": 0}, "n_bins=0: expected a whole number >= 1"),
        ([0, 1, 2, 0], P3, {"average": "micro"}, "average='micro': expected 'top_label', 'macro'"),
    ],
)
def test_what_does_not_fit_is_named(y: Any, p: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ece(y, p, **params)
