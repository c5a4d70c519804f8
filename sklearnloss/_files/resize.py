"""Changes the size of images, masks and predictions; the shape of what they show is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def fitted_size(size: Sequence[int], side: int) -> tuple[int, ...]:
    """Return the size at which the longest side has a given length.

    Examples
    --------
    >>> from sklearnloss._files.resize import fitted_size
    >>> fitted_size((300, 200), 64), fitted_size((1000, 1), 64)
    ((64, 43), (64, 1))
    """
    longest = max(size)
    return tuple(max(1, math.floor(each * side / longest + 0.5)) for each in size)


def resize_linear(values: np.ndarray, axes: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Resize an array by linear interpolation, averaging over pixels where it shrinks.

    Each result is the mean of its neighborhood with the weights of a triangle that is two
    pixels of the smaller array wide, as with Pillow's BILINEAR and torch's
    ``interpolate(mode="bilinear", antialias=True)``.

    Parameters
    ----------
    values : ndarray
        Numbers. Masked pixels of a masked array are left out of the means; a pixel of the
        result is masked where they have more than half of the weight.
    axes : sequence of int
        The axes to resize.
    size : sequence of int
        The new lengths of these axes.

    Returns
    -------
    resized : ndarray
        Of the same dtype, rounded for integers; booleans become float32.
    """
    masked = isinstance(values, np.ma.MaskedArray) and bool(np.ma.is_masked(values))
    dtype = np.dtype(np.float32) if values.dtype == bool else values.dtype
    exact = np.float64 if dtype.itemsize > 2 and dtype != np.float32 else np.float32
    numbers = np.ma.getdata(values).astype(exact)
    if not masked:
        return _in_dtype(_resize_axes(numbers, axes, size), dtype)
    known = ~np.ma.getmaskarray(values)
    weight = _resize_axes(known.astype(exact), axes, size)
    total = _resize_axes(np.where(known, numbers, 0), axes, size)
    hidden = weight < 0.5
    found = np.divide(total, weight, out=np.zeros_like(total), where=~hidden)
    return np.ma.MaskedArray(_in_dtype(found, dtype), hidden)


def resize_nearest(values: np.ndarray, axes: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Resize an array by taking the nearest pixel, so that it holds the same labels.

    Parameters
    ----------
    values : ndarray
        Labels, possibly a masked array.
    axes, size : sequence of int
        As for :func:`resize_linear`.
    """
    for axis, length in zip(axes, size, strict=True):
        before = values.shape[axis]
        if length != before:
            # The pixel that contains the center of the new one.
            nearest = (2 * np.arange(length) + 1) * before // (2 * length)
            values = values.take(nearest, axis)
    return values


def pad(values: np.ndarray, axes: Sequence[int], side: int) -> np.ndarray:
    """Add masked pixels on both sides of axes that are shorter than a side.

    Returns
    -------
    padded : ndarray
        A masked array if something was added or masked.
    """
    widths = [(0, 0)] * values.ndim
    for axis in axes:
        length = values.shape[axis]
        first = _start(length, side)
        widths[axis] = (first, side - first - length)
    if not any(map(any, widths)):
        return values
    hidden = np.pad(np.ma.getmaskarray(values), widths, constant_values=True)
    return np.ma.MaskedArray(np.pad(np.ma.getdata(values), widths), hidden)


def cut(values: np.ndarray, axes: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Remove what :func:`pad` added to an array of a given size along some axes."""
    for axis, length in zip(axes, size, strict=True):
        first = _start(length, values.shape[axis])
        part = [slice(None)] * values.ndim
        part[axis] = slice(first, first + length)
        values = values[tuple(part)]
    return values


def _start(length: int, side: int) -> int:
    """Return where an axis starts in the middle of a longer one."""
    return (side - length) // 2


def _resize_axes(values: np.ndarray, axes: Sequence[int], size: Sequence[int]) -> np.ndarray:
    # The axes that shrink most first: less is left to do.
    order = sorted(zip(axes, size, strict=True), key=lambda each: each[1] / values.shape[each[0]])
    for axis, length in order:
        if length != values.shape[axis]:
            values = _resize_axis(values, axis, length)
    return values


def _resize_axis(values: np.ndarray, axis: int, length: int) -> np.ndarray:
    taps, weights = _triangles(values.shape[axis], length)
    shape = [1] * values.ndim
    shape[axis] = length
    total = np.zeros([length if k == axis else n for k, n in enumerate(values.shape)], values.dtype)
    for tap, weight in zip(taps, weights, strict=True):
        total += values.take(tap, axis) * weight.astype(values.dtype).reshape(shape)
    return total


def _triangles(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels each new pixel is a mean of, and their weights.

    Returns
    -------
    taps : ndarray of int of shape (n_taps, after)
    weights : ndarray of float64 of shape (n_taps, after)
        Their sum is 1 for each new pixel; 0 for taps outside of the array.
    """
    scale = before / after
    width = max(scale, 1.0)
    center = (np.arange(after) + 0.5) * scale
    first = np.floor(center - width + 0.5)
    taps = (first + np.arange(2 * math.ceil(width) + 2)[:, None]).astype(int)
    weights = np.maximum(0, 1 - np.abs(taps + 0.5 - center) / width)
    weights[(taps < 0) | (taps >= before)] = 0
    return taps.clip(0, before - 1), weights / weights.sum(0)


def _in_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.floor(values + 0.5).clip(limits.min, limits.max)
    return values.astype(dtype)
