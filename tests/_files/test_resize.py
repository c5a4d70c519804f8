"""Resizing against torch and Pillow, padding, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklearnloss._files.resize import fitted_size, pad, resize_linear, resize_nearest

SIZES = [
    ((37, 53), (64, 64)),
    ((100, 81), (13, 7)),
    ((5, 5), (5, 9)),
    ((300, 40), (64, 9)),
    ((1, 7), (4, 3)),
    ((9, 1), (2, 1)),
]


# Torch repeats the first row of an image one pixel wide.
@pytest.mark.parametrize(("before", "after"), SIZES[:-1])
def test_images_are_resized_as_torch_does(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, *before)).astype(np.uint8)
    tensor = torch.tensor(image)[None].float()
    expected = F.interpolate(tensor, after, mode="bilinear", antialias=True)[0].numpy()
    floats = resize_linear(image.astype(np.float32), (1, 2), after)
    np.testing.assert_allclose(floats, expected, rtol=1e-4, atol=1e-3)
    assert floats.dtype == np.float32
    rounded = resize_linear(image, (1, 2), after)
    assert rounded.dtype == np.uint8
    np.testing.assert_allclose(rounded, expected, atol=0.501)


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_images_are_resized_as_pillow_does(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    image = np.random.default_rng(0).integers(0, 256, before).astype(np.uint8)
    expected = pillow.fromarray(image).resize(after[::-1], pillow.Resampling.BILINEAR)
    found = resize_linear(image, (0, 1), after)
    np.testing.assert_allclose(found.astype(int), np.asarray(expected).astype(int), atol=1)


def test_volumes_are_resized_along_all_axes_as_torch_does() -> None:
    volume = np.random.default_rng(0).normal(size=(5, 6, 7))
    expected = F.interpolate(
        torch.tensor(volume)[None, None], (10, 9, 14), mode="trilinear", align_corners=False
    )
    found = resize_linear(volume, (0, 1, 2), (10, 9, 14))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected[0, 0].numpy(), atol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float16", "float64"])
def test_a_constant_image_stays_constant_at_the_ends_of_its_range(dtype: str) -> None:
    limits = np.iinfo(dtype) if dtype[0] in "ui" else np.finfo(dtype)
    ends = [0, 1, limits.max // 2] if dtype == "float64" else [limits.min, limits.max]
    for value in ends:
        image = np.full((5, 7), value, dtype)
        resized = resize_linear(image, (0, 1), (3, 11))
        assert resized.dtype == image.dtype
        np.testing.assert_allclose(resized, value, rtol=1e-3)


def test_booleans_become_fractions() -> None:
    resized = resize_linear(np.array([[True, True, False, False]]), (0, 1), (1, 2))
    assert resized.dtype == np.float32
    assert 0.5 < resized[0, 0] <= 1


def test_masked_pixels_are_left_out_of_means() -> None:
    rng = np.random.default_rng(0)
    image = np.ma.MaskedArray(rng.integers(0, 200, (12, 10)), rng.random((12, 10)) < 0.4)
    found: Any = resize_linear(image.astype(np.float64), (0, 1), (5, 4))
    # The same by hand: triangles that are two new pixels wide, one row and column at a time.
    weights = []
    for before, after in ((12, 5), (10, 4)):
        scale = before / after
        centers = (np.arange(after)[:, None] + 0.5) * scale
        triangle = np.maximum(0, 1 - abs(np.arange(before) + 0.5 - centers) / scale)
        weights.append(triangle / triangle.sum(1, keepdims=True))
    known = (~image.mask).astype(float)
    total = weights[0] @ (known * image.data) @ weights[1].T
    share = weights[0] @ known @ weights[1].T
    np.testing.assert_array_equal(found.mask, share < 0.5)
    np.testing.assert_allclose(found.compressed(), (total / share)[share >= 0.5])


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_labels_are_resized_as_torch_takes_the_nearest(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    labels = np.random.default_rng(0).integers(0, 9, before)
    tensor = torch.tensor(labels)[None, None].float()
    expected = F.interpolate(tensor, after, mode="nearest-exact")[0, 0].numpy()
    np.testing.assert_array_equal(resize_nearest(labels, (0, 1), after), expected)


def test_the_longest_side_gets_the_size_and_none_vanishes() -> None:
    assert fitted_size((300, 200), 64) == (64, 43)
    assert fitted_size((2, 1000), 100) == (1, 100)
    assert fitted_size((5, 10, 20), 10) == (3, 5, 10)


def test_padding_is_masked_on_both_sides() -> None:
    padded: Any = pad(np.ones((2, 1, 4)), (1, 2), 4)
    np.testing.assert_array_equal(padded.mask[0].all(1), [True, False, True, True])
    image = np.ones((4, 4))
    assert pad(image, (0, 1), 4) is image
