"""Where tiles lie, and how they are blended."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sklearnloss._predict.tiles import NumpyArrays, blended_bands, place_tiles, tile_shape


@pytest.mark.parametrize(
    ("length", "side", "multiple"),
    [
        (100, 32, 4),
        (64, 64, 16),
        (65, 64, 16),
        (1000, 48, 16),
        (97, 16, 16),
        (33, 32, 1),
        (5, 1, 1),
    ],
)
def test_weights_of_tiles_are_positive_and_sum_to_one(
    length: int, side: int, multiple: int
) -> None:
    starts, weights = place_tiles(length, side, multiple)
    total = np.zeros(max(length, starts[-1] + side))
    for start, weight in zip(starts, weights, strict=True):
        assert start % multiple == 0
        assert (weight > 0).all()
        total[start : start + side] += weight
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "side", "multiple", "overlap"),
    [(1000, 64, 16, 16), (513, 128, 16, 32), (3000, 256, 16, 32), (9000, 1024, 16, 128)],
)
def test_a_part_of_a_tile_overlaps_the_next(
    length: int, side: int, multiple: int, overlap: int
) -> None:
    starts, _ = place_tiles(length, side, multiple)
    assert all(b - a <= side - overlap for a, b in itertools.pairwise(starts))


def test_tiles_as_small_as_may_be_are_side_by_side() -> None:
    assert place_tiles(97, 16, 16).starts == [0, 16, 32, 48, 64, 80, 96]


def test_an_image_has_tiles_if_it_is_large_or_larger_than_asked() -> None:
    assert tile_shape(None, (2048, 2048), 16) is None
    assert tile_shape(None, (2049, 2048), 16) == (752, 752)
    assert tile_shape(None, (8000, 1000), 16) == (1008, 1008)
    assert tile_shape(None, (200, 200, 200), 16) == (128, 128, 128)
    assert tile_shape(64, (64, 60), 16) is None
    assert tile_shape(60, (65, 60), 16) == (48, 64)
    assert tile_shape((32, 48), (100, 100), 4) == (32, 44)


@pytest.mark.parametrize("multiple", [1, 16])
@pytest.mark.parametrize("length", [1024, 2049, 5000])
def test_tiles_are_no_larger_than_their_number_asks_for(length: int, multiple: int) -> None:
    (side,) = tile_shape(512, (length,), multiple) or ()
    n_tiles = len(place_tiles(length, 512, multiple).starts)
    assert side <= 512
    assert len(place_tiles(length, side, multiple).starts) == n_tiles
    assert len(place_tiles(length, side - multiple, multiple).starts) > n_tiles


@pytest.mark.parametrize("spatial", [(50,), (50, 33), (20, 17, 9)])
def test_blending_in_bands_leaves_a_pixelwise_model_s_scores_alone(
    spatial: tuple[int, ...],
) -> None:
    image = np.random.default_rng(0).normal(size=(2, *spatial)).astype(np.float32)
    shape = (16, 8, 8)[: len(spatial)]
    bands = list(blended_bands(lambda x: 3 * x, image, shape, 4, NumpyArrays()))
    assert [start for start, _ in bands] == place_tiles(spatial[0], 16, 4).starts
    blended = np.concatenate([band for _, band in bands], axis=1)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, 3 * image, rtol=1e-5, atol=1e-6)
