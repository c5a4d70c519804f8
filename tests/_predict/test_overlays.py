"""Outlines on images of any kind."""

from __future__ import annotations

import numpy as np
import pytest

from sklearnloss._predict.overlays import draw_overlay


def colored(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture != picture[..., :1]).any(-1))


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_images_of_16_bits_become_visible(n_channels: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1000, 1100, (n_channels, 30, 30)).astype(np.uint16)
    drawn = draw_overlay(image, np.zeros((30, 30), np.uint8))
    assert drawn.dtype == np.uint8
    assert drawn.min() < 10
    assert drawn.max() > 245
    assert not colored(drawn).any()


def test_pictures_of_8_bits_keep_their_levels() -> None:
    image = np.random.default_rng(0).integers(50, 90, (3, 8, 9)).astype(np.uint8)
    assert (draw_overlay(image, np.zeros((8, 9), int)) == np.moveaxis(image, 0, -1)).all()


def test_touching_objects_have_a_line_between_them() -> None:
    numbers = np.repeat([[1, 1, 1, 1, 2, 2, 2, 2]], 8, 0)
    drawn = draw_overlay(np.zeros((1, 8, 8), np.uint8), numbers, np.array([0, 1, 1]))
    assert colored(drawn)[4].tolist() == [False, False, False, True, True, False, False, False]
    assert len({tuple(c) for c in drawn[colored(drawn)].tolist()}) == 1


def test_of_a_volume_the_slice_with_most_of_the_regions_is_drawn() -> None:
    regions = np.zeros((3, 6, 6), np.uint8)
    regions[2, 1:4, 1:4] = 1
    regions[1, 1, 1] = 1
    image = np.stack([np.full((6, 6), level, np.uint8) for level in (10, 20, 30)])[None]
    drawn = draw_overlay(image, regions)
    assert colored(drawn).sum() == 8
    assert drawn[0, 0].tolist() == [30, 30, 30]


def test_masked_pixels_and_constant_images_are_drawn() -> None:
    image = np.ma.masked_equal(np.array([[[5.0, np.nan], [9.0, 7.0]]]), 9)
    assert draw_overlay(image, np.zeros((2, 2), int)).shape == (2, 2, 3)
    assert draw_overlay(np.full((1, 2, 2), 7, np.int16), np.zeros((2, 2), int)).max() == 0
