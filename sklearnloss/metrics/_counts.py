"""Pixel counts by label, on which overlap scores are computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


class PixelCounts(NamedTuple):
    """True positives, predicted and true pixels of each label, shape (n_labels,)."""

    labels: Array
    tp: Array
    predicted: Array
    true: Array


def count_pixels(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
    ignore_index: int | None,
    multilabel: bool,
) -> PixelCounts:
    """Count pixels over all images, weighted by image.

    Raises
    ------
    ValueError
        If shapes differ or weights do not fit.
    """
    true, pred = check_masks(y_true, y_pred)
    weight = _check_weight(sample_weight, len(true))
    if multilabel:
        return _count_channels(true, pred, labels, weight, ignore_index)
    names = np.unique(np.asarray(labels)) if labels is not None else _present(true, pred)
    if labels is None and ignore_index is not None:
        names = names[names != ignore_index]
    counts = np.zeros((3, len(names)))
    for t, p, w in zip(true, pred, weight, strict=True):
        if ignore_index is not None:
            keep = t != ignore_index
            t, p = t[keep], p[keep]
        t_codes, p_codes = _codes(t.ravel(), names), _codes(p.ravel(), names)
        counts[0] += w * _bincount(t_codes[t_codes == p_codes], len(names))
        counts[1] += w * _bincount(p_codes, len(names))
        counts[2] += w * _bincount(t_codes, len(names))
    if labels is not None:  # in the order asked for
        asked = np.asarray(labels)
        order = np.searchsorted(names, asked)
        return PixelCounts(asked, *counts[:, order])
    return PixelCounts(names, *counts)


def check_masks(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Return two arrays of one shape; a channel axis of length 1 is dropped."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.shape != pred.shape:
        if true.ndim == pred.ndim + 1 and true.shape[1:2] == (1,):
            true = true[:, 0]
        elif pred.ndim == true.ndim + 1 and pred.shape[1:2] == (1,):
            pred = pred[:, 0]
    if true.shape != pred.shape or true.ndim == 0:
        raise ValueError(
            f"y_true of shape {true.shape} and y_pred of shape {pred.shape} differ: expected "
            f"masks of one shape (n, H, W)."
        )
    return true, pred


def _check_weight(sample_weight: ArrayLike | None, n: int) -> Array:
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape}, expected ({n},): one per image.")
    return weight


def _count_channels(
    true: Array, pred: Array, labels: ArrayLike | None, weight: Array, ignore_index: int | None
) -> PixelCounts:
    if true.ndim < 2:
        raise ValueError(f"multilabel masks have shape (n, K, ...), got {true.shape}.")
    keep = np.ones(true.shape, bool) if ignore_index is None else true != ignore_index
    t, p = (true == 1) & keep, (pred == 1) & keep
    axes = tuple(range(2, true.ndim))
    w = weight[:, None]
    counts = [(w * x.sum(axes)).sum(0) for x in (t & p, p, t)]
    names = np.arange(true.shape[1])
    if labels is not None:
        names = np.asarray(labels)
        counts = [c[names] for c in counts]
    return PixelCounts(names, *counts)


def _present(true: Array, pred: Array) -> Array:
    return np.union1d(*[_unique(masks) for masks in (true, pred)])


def _unique(masks: Array) -> Array:
    if masks.dtype == np.uint8:  # counting beats sorting
        return np.flatnonzero(np.bincount(masks.ravel(), minlength=256)).astype(np.uint8)
    return np.unique(masks)


def _codes(values: Array, names: Array) -> Array:
    """Return each value's position in the sorted names, or their number if it is none."""
    if len(names) == 0:
        return np.zeros(values.shape, dtype=np.intp)
    position = np.searchsorted(names, values).clip(max=len(names) - 1)
    return np.where(names[position] == values, position, len(names))


def _bincount(codes: Array, n: int) -> Array:
    return np.bincount(codes, minlength=n + 1)[:n]
