"""Where the tiles of a large image lie, and how their scores are blended, without torch."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

# Sizes above which images are tiled by default, and the sides of tiles, by number of axes.
WHOLE_PIXELS = 2**22
_SIDES = {1: 2**20, 2: 1024, 3: 128}


class Tiles(NamedTuple):
    """Where tiles lie along one axis, and their weights.

    Attributes
    ----------
    starts : list of int
        First pixel of each tile.
    weights : ndarray of shape (n_tiles, side), float32
        Weights decrease toward the tile's ends where another tile overlaps it, and
        sum to 1 at every pixel.
    """

    starts: list[int]
    weights: np.ndarray


class Arrays(Protocol):
    """The operations on scores that depend on the library of their arrays."""

    def zeros(self, scores: Any, shape: tuple[int, ...]) -> Any:
        """Return zeros of the dtype, and on the device, of some scores."""

    def weights(self, weights: np.ndarray, scores: Any) -> Any:
        """Return weights, float32, as an array that the scores can be multiplied by."""

    def copy(self, scores: Any) -> Any:
        """Return a copy."""


class NumpyArrays:
    """Scores in NumPy arrays."""

    def zeros(self, scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return zeros of the dtype of some scores."""
        return np.zeros(shape, scores.dtype)

    def weights(self, weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the weights themselves."""
        return weights

    def copy(self, scores: np.ndarray) -> np.ndarray:
        """Return a copy."""
        return scores.copy()


def tile_shape(
    tile: int | tuple[int, ...] | None, spatial: tuple[int, ...], multiple: int
) -> tuple[int, ...] | None:
    """Return the shape of the tiles, None for an image that is predicted whole.

    Parameters
    ----------
    tile : int, tuple of int or None
        Largest side or sides in pixels; None decides by the image's size.
    spatial : tuple of int
        The image's shape.
    multiple : int
        The factor by which the network reduces the resolution. Tiles are rounded up
        to it, so that they and the whole image are sampled at the same points.
    """
    n_axes = len(spatial)
    if tile is None:
        if math.prod(spatial) <= WHOLE_PIXELS:
            return None
        tile = _SIDES[n_axes]
    sides = check_tile(tile, n_axes)
    whole = tuple(_round_up(length, multiple) for length in spatial)
    shape = tuple(_fitted(s, w, multiple) for s, w in zip(sides, whole, strict=True))
    return None if shape == whole else shape


def check_tile(tile: Any, n_axes: int) -> tuple[int, ...]:
    """Return the largest side of tiles along each axis.

    Raises
    ------
    ValueError
        If it is not a positive number, or one for each axis.
    """
    sides = tuple(tile) if isinstance(tile, (tuple, list)) else (tile,) * n_axes
    whole_numbers = all(isinstance(side, numbers.Integral) for side in sides)
    if len(sides) != n_axes or not whole_numbers or min(sides) < 1:
        raise ValueError(
            f"tile={tile!r}: expected a positive number of pixels, or {n_axes} of them, one for "
            f"each axis of the images."
        )
    return sides


def blended_bands(
    score: Callable[[Any], Any],
    image: Any,
    shape: tuple[int, ...],
    multiple: int,
    arrays: Arrays,
) -> Iterator[tuple[int, Any]]:
    """Score an image tile by tile, and yield blended scores in bands along the first axis.

    Only one band of scores, as high as a tile, is in memory.

    Parameters
    ----------
    score : callable
        Maps (1, C, *spatial) to scores (1, n_channels, *spatial).
    image : array of shape (C, *spatial), or anything with its shape and slices
        The image.
    shape : tuple of int
        Shape of the tiles.
    multiple : int
        Tiles start at multiples of this.
    arrays : Arrays
        For the library of the scores.

    Yields
    ------
    start : int
        First row of the band.
    band : array of shape (n_channels, rows, *rest)
        Scores that later tiles do not change.
    """
    spatial = image.shape[1:]
    first, *others = (
        place_tiles(length, side, multiple) for length, side in zip(spatial, shape, strict=True)
    )
    kept: Any = None  # the sum so far, for unfinished rows
    for row, weight, end in zip(
        first.starts, first.weights, [*first.starts[1:], spatial[0]], strict=True
    ):
        high = min(shape[0], spatial[0] - row)
        band: Any = None
        for places in itertools.product(*(zip(*axis, strict=True) for axis in others)):
            window = [slice(row, row + high), *(slice(s, s + len(w)) for s, w in places)]
            scores = score(image[(slice(None), *window)][None])[0]
            for axis, w in enumerate([weight, *(w for _, w in places)], start=1):
                w = arrays.weights(w[: scores.shape[axis]], scores)
                scores = scores * w.reshape(-1, *[1] * (scores.ndim - 1 - axis))
            if band is None:
                band = arrays.zeros(scores, (len(scores), high, *spatial[1:]))
            band[(slice(None), slice(None), *window[1:])] += scores
        if kept is not None:
            band[:, : kept.shape[1]] += kept
        yield row, band[:, : end - row]
        kept = arrays.copy(band[:, end - row :])


def place_tiles(length: int, side: int, multiple: int) -> Tiles:
    """Spread tiles evenly over an axis, each overlapping the next.

    Parameters
    ----------
    length : int
        Pixels of the image.
    side : int
        Pixels of a tile, a multiple of ``multiple``.
    multiple : int
        Tiles start at multiples of this.
    """
    whole = _round_up(length, multiple)
    count = _count(whole, side, multiple)
    last = (whole - side) // multiple
    starts = [round(k * last / max(1, count - 1)) * multiple for k in range(count)]
    to_end = np.arange(side, dtype=np.float64) + 0.5
    ramp = np.minimum(to_end, to_end[::-1]) / max(1, _overlap(side))
    window = np.square(np.sin(np.minimum(ramp, 1) * math.pi / 2))
    total = np.zeros(whole)
    for start in starts:
        total[start : start + side] += window
    weights = np.stack([window / total[start : start + side] for start in starts])
    return Tiles(starts, weights.astype(np.float32))


def _fitted(side: int, whole: int, multiple: int) -> int:
    """Return the smallest side that needs no more tiles than this one, to reduce overlap."""
    side = min(_round_up(side, multiple), whole)
    count = _count(whole, side, multiple)
    while side > multiple and _count(whole, side - multiple, multiple) == count:
        side -= multiple
    return side


def _count(whole: int, side: int, multiple: int) -> int:
    """Return how many tiles an axis needs."""
    step = max(multiple, (side - _overlap(side)) // multiple * multiple)
    return 1 + math.ceil((whole - side) / step)


def _overlap(side: int) -> int:
    """Return the minimum number of pixels that tiles share.

    An eighth is enough for large tiles. In small ones, the errors near the ends reach
    further in, by the receptive field of the network.
    """
    return max(side // 8, min(side // 4, 32))


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
