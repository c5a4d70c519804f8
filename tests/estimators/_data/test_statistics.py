"""The scaling is learned from the pixels that count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ..conftest import Data, classifier, segmenter

FAR = "Channel 0 of X holds the value -9999, which is far from all others.*np.ma.masked_values"


def by_channel(X: np.ndarray, kept: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of the kept pixels of each channel, in float64."""
    chosen = [
        channel[k] for channel, k in zip(np.moveaxis(X.astype(float), 1, 0), kept, strict=True)
    ]
    return [float(c.mean()) for c in chosen], [float(c.std()) for c in chosen]


def assert_scaling(model: Any, X: np.ndarray, kept: np.ndarray) -> None:
    mean, scale = by_channel(X, kept)
    np.testing.assert_allclose(model.scaling_.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(model.scaling_.scale, scale, rtol=1e-6)


def ways(X: Any, y: np.ndarray, folder: Path) -> list[tuple[Any, Any]]:
    """Return the same data in memory, to be read one by one, and in parts of both."""
    np.save(folder / "y.npy", y)
    paths = []
    for k, mask in enumerate(y):
        paths.append(folder / f"{k}.npy")
        np.save(paths[-1], mask)
    return [(X, y), (X, paths), ([(image, mask) for image, mask in zip(X, y, strict=True)], None)]


def test_ignored_pixels_stay_out_of_the_scaling(scenes: Data, tmp_path: Path) -> None:
    X = np.stack([scenes[0], 3 * scenes[0] + 1], 1)
    y = scenes[1].copy()
    X[:5, :, :4], y[:5, :4] = X.max(), 255
    kept = np.stack([y != 255] * 2)
    for images, masks in ways(X, y, tmp_path):
        assert_scaling(segmenter(ignore_index=255).fit(images, masks), X, kept)
    model = segmenter(classes=[0, 1, 2, 255]).fit(X, y)
    assert_scaling(model, X, np.ones_like(kept))


def test_pixels_that_all_labels_ignore_stay_out_of_the_scaling(
    scenes: Data, tmp_path: Path
) -> None:
    X, y = scenes[0].copy(), np.stack([scenes[1] == 1, scenes[1] > 0], 1).astype(np.uint8)
    y[:, :, :3] = 9
    y[:, 0, 3:6] = 9  # the other label is known there
    X[:, :3] = X.max()
    params: dict[str, Any] = {"ignore_index": 9, "multilabel": True}
    for images, masks in ways(X, y, tmp_path):
        assert_scaling(segmenter(**params).fit(images, masks), X[:, None], (y != 9).any(1)[None])


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
def test_masked_pixels_stay_out_of_the_scaling(kind: Any, scenes: Data, tmp_path: Path) -> None:
    X = np.stack([100 * scenes[0], 50 * scenes[0]], 1).astype(kind)
    hidden = np.random.default_rng(0).random(X.shape) < 0.2  # other pixels in each channel
    masked = np.ma.masked_array(np.where(hidden, 200, X).astype(kind), hidden)
    for images, masks in ways(masked, scenes[1], tmp_path):
        assert_scaling(segmenter().fit(images, masks), X, ~hidden.swapaxes(0, 1))
    labels = np.arange(12) % 3
    assert_scaling(classifier().fit(masked, labels), X, ~hidden.swapaxes(0, 1))
    assert_scaling(classifier().fit(list(masked), labels), X, ~hidden.swapaxes(0, 1))


@pytest.mark.parametrize("as_list", [True, False])
def test_the_scaling_of_large_images_is_that_of_all_pixels(as_list: bool) -> None:
    X = np.random.default_rng(0).normal(5, 2, (2, 3, 700, 800)).astype(np.float32)  # many parts
    X[1] += 1000
    images = list(zip(X, [0, 1], strict=True)) if as_list else X
    found = classifier()._training_images(images, None, reset=True).scaling()
    mean, scale = by_channel(X, np.ones((3, 2, 700, 800), bool))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)


@pytest.mark.parametrize("share", [1, 40, 2000])
def test_a_value_far_from_all_others_is_pointed_out(share: int, binary_scenes: Data) -> None:
    X, y = binary_scenes[0].copy(), binary_scenes[1]
    X.reshape(-1)[:share] = -9999
    for images, masks in ((X, y), (list(zip(X, y, strict=True)), None)):
        with pytest.warns(UserWarning, match=FAR):
            segmenter().fit(images, masks)
    with pytest.warns(UserWarning, match=FAR):
        classifier().fit(torch.from_numpy(X), y.max((1, 2)) * 0 + np.arange(12) % 2)


def test_a_far_value_of_ignored_pixels_is_pointed_out(binary_scenes: Data) -> None:
    X, y = binary_scenes[0].copy(), binary_scenes[1].copy()
    X[:4, :, :5], y[:4, :, :5] = -9999, 255
    with pytest.warns(UserWarning, match=FAR):
        segmenter(ignore_index=255).fit(X, y)


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.normal(size=(4, 64, 64)),
        lambda rng: rng.exponential(size=(4, 64, 64)),
        lambda rng: rng.random((4, 64, 64)) > 0.999,
        lambda rng: (rng.random((4, 64, 64)) > 0.5) * rng.integers(0, 256, (4, 64, 64)),
        lambda rng: rng.standard_cauchy((4, 64, 64)).clip(-1e4, 1e4),
    ],
    ids=["normal", "exponential", "rare ones", "black background", "Cauchy"],
)
def test_usual_images_raise_no_warning(make: Any) -> None:
    X = make(np.random.default_rng(0))
    segmenter(depth=1, width=1).fit(X, np.arange(4)[:, None, None] % 2 * np.ones((4, 64, 64), int))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [-9999, 65535, -3.4028235e38, 1e20, -999.9])
def test_the_value_that_is_pointed_out_is_the_one_to_mask(
    scenes: Data, value: float, dtype: Any
) -> None:
    X = scenes[0].astype(dtype)
    X[:, :2, :2] = value
    with pytest.warns(UserWarning, match="far from all others") as warned:
        segmenter().fit(X, scenes[1])
    advice = str(warned[0].message).partition("masked_values(X, ")[2].partition(")")[0]
    assert np.ma.masked_values(X, float(advice)).mask.sum() == 12 * 4


def test_a_channel_without_a_pixel_that_counts_is_refused(scenes: Data) -> None:
    X, y = np.stack([scenes[0]] * 2, 1), scenes[1]
    hidden = np.ma.masked_array(X, np.zeros(X.shape, bool))
    hidden[:, 1] = np.ma.masked
    for images in (hidden, list(zip(hidden, y, strict=True))):
        with pytest.raises(
            ValueError, match=r"Channel 1 of X has no pixels to use: all are masked"
        ):
            segmenter().fit(images, None if isinstance(images, list) else y)
