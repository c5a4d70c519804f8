"""Masks as users give them, checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def check_masks(
    y_true: ArrayLike, y_pred: ArrayLike, *, multilabel: bool = False
) -> tuple[Array, Array]:
    """Return two arrays of one shape; a channel axis of length 1 is dropped.

    True masks may also be rows of pixels, as the segmenter takes them.

    Raises
    ------
    ValueError
        If shapes differ, or have no axis of labels where they need one.
    """
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if not multilabel:
        pred = drop_channel(pred)
        true = unroll(drop_channel(true), pred.shape)
    if true.shape != pred.shape or true.ndim == 0:
        raise ValueError(
            f"y_true of shape {true.shape} and y_pred of shape {pred.shape} differ: expected "
            f"masks of one shape (n, H, W)."
        )
    if multilabel and true.ndim < 2:
        raise ValueError(f"multilabel masks have shape (n, K, ...), got {true.shape}.")
    return true, pred


def drop_channel(masks: Array) -> Array:
    """Return (n, *spatial) for (n, 1, *spatial)."""
    return masks[:, 0] if masks.ndim > 1 and masks.shape[1] == 1 else masks


def unroll(masks: Array, shape: tuple[int, ...]) -> Array:
    """Give rows of pixels, or masks with a last axis of length 1, the shape (n, *spatial)."""
    n, *spatial = shape or (0,)
    fits = masks.shape in [(n, math.prod(spatial)), (n, *spatial, 1)]
    return masks.reshape(shape) if fits and spatial else masks


def check_weight(sample_weight: ArrayLike | None, n: int, *, per_image: bool = False) -> Array:
    """Return a weight per image.

    Raises
    ------
    ValueError
        If weights do not fit, or there is no mean for them to weigh.
    """
    if sample_weight is None:
        return np.ones(n)
    if per_image:
        raise ValueError(
            "sample_weight weighs the mean over images, but per_image=True takes none. "
            "Drop one of the two."
        )
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape}, expected ({n},): one per image.")
    return weight


def label_names(
    true: Array,
    pred: Array,
    *,
    labels: ArrayLike | None,
    ignore_index: int | None,
    multilabel: bool,
) -> Array:
    """Return the labels to score: those asked for, or all that occur where pixels count."""
    if multilabel:
        channels = np.arange(true.shape[1])
        asked = channels if labels is None else np.asarray(labels)
        if not np.isin(asked, channels).all():
            raise ValueError(
                f"labels={asked.tolist()}: expected channels of multilabel masks from 0 to "
                f"{len(channels) - 1}."
            )
        return asked
    if labels is not None:
        return np.asarray(labels)
    if ignore_index is not None:
        keep = true != ignore_index
        true, pred = true[keep], pred[keep]
    return np.union1d(_unique(true), _unique(pred))


def _unique(masks: Array) -> Array:
    if masks.dtype == np.uint8:  # counting beats sorting
        return np.flatnonzero(np.bincount(masks.ravel(), minlength=256)).astype(np.uint8)
    return np.unique(masks)


def label_codes(values: Array, names: Array) -> Array:
    """Return each value's position in the sorted names, or their number if it is none.

    The dtype is small, but has room for one code more.
    """
    if values.dtype == np.uint8 and values.size > 256:  # looking up beats searching
        return label_codes(np.arange(256, dtype=np.uint8), names)[values]
    n = len(names)
    if n == 0:
        return np.zeros(values.shape, dtype=np.uint8)
    position = np.searchsorted(names, values).clip(max=n - 1)
    codes = np.where(names[position] == values, position, n)
    return codes.astype(np.min_scalar_type(n + 1))


def channels_on(channels: Array, counted: Array | None) -> Array:
    """Return where multilabel masks are set and count."""
    on: Array = channels != 0
    return on if counted is None else on & counted
