"""Checks and conversions of single masks that users pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

_NUMBERS, _TEXTS = "biu", "US"


def whole_labels(values: Array, name: str) -> Array:
    """Return labels as integers, booleans or strings.

    Parameters
    ----------
    values : ndarray
        Floats must be whole numbers; objects must be all numbers or all strings.
    name : str
        Name of the array in errors.

    Raises
    ------
    ValueError
        For NaN, fractions, and dtypes that are not labels.
    """
    if values.dtype.kind == "O":
        values = _from_objects(values, name)
    if values.dtype.kind == "f":
        values = _from_floats(values, name)
    if values.dtype.kind not in _NUMBERS + _TEXTS:
        raise ValueError(
            f"{name} has dtype {values.dtype}. Expected masks of integers, booleans or text."
        )
    return values


def _from_floats(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        what = "Pass what predict returns."
        if name == "y_true":
            what = "Give ignored pixels a label, and pass it as ignore_index."
        raise ValueError(f"{name} holds NaN or infinity, which are not labels. {what}")
    fraction = values != np.rint(values)
    if fraction.any():
        raise ValueError(
            f"{name} holds fractions, such as {values[fraction].flat[0]:.4g}, but masks hold "
            f"labels. Pass what predict returns, or threshold probabilities: proba > 0.5."
        )
    if (np.abs(values) >= 2.0**63).any():
        raise ValueError(
            f"{name} holds {values[np.abs(values) >= 2.0**63].flat[0]:.4g}, which is too large for "
            f"a label. Expected whole numbers of 64 bits."
        )
    return values.astype(np.int64)


def _from_objects(values: Array, name: str) -> Array:
    items = values.ravel().tolist()
    for kind in (str, (bool, int, float, np.generic)):
        if all(isinstance(item, kind) for item in items):
            return np.array(items).reshape(values.shape)
    odd = next(item for item in items if not isinstance(item, str))
    raise ValueError(
        f"{name} holds objects, such as a {type(odd).__name__}. Expected masks of integers, "
        f"booleans or text; read files first."
    )


def check_kinds(true: Array, pred: Array) -> None:
    """Raise a ValueError if one mask holds numbers and the other text."""
    if (true.dtype.kind in _NUMBERS) != (pred.dtype.kind in _NUMBERS):
        text, number = ("y_true", "y_pred") if true.dtype.kind in _TEXTS else ("y_pred", "y_true")
        raise ValueError(
            f"{text} holds text and {number} holds numbers. Expected labels of one kind; if the "
            f"text is file names, read the files first."
        )


def check_channels(on: Array, name: str) -> None:
    """Raise a ValueError unless the values of multilabel masks are 0 and 1, or 0 and 255."""
    if on.dtype == bool or on.size == 0:
        return
    number = on.dtype.kind in _NUMBERS
    if number and on.min() >= 0 and on.max() <= 1:
        return
    if not (number and ((on == 0) | (on == 255)).all()):
        raise ValueError(
            f"{name} holds the values {np.unique(on).tolist()[:10]}, but with multilabel=True each "
            f"mask says where one label is: expected 0 and 1, or 0 and 255. Pass ignore_index= if "
            f"one of them marks ignored pixels."
        )


def drop_channel(masks: Array) -> Array:
    """Return masks (n, 1, *spatial) as (n, *spatial)."""
    return masks[:, 0] if masks.ndim > 1 and masks.shape[1] == 1 else masks


def unroll(masks: Array, shape: tuple[int, ...]) -> Array:
    """Reshape rows of pixels, or masks with a last axis of length 1, to (n, *spatial)."""
    n, *spatial = shape or (0,)
    fits = masks.shape in [(n, math.prod(spatial)), (n, *spatial, 1)]
    return masks.reshape(shape) if fits and spatial else masks


def check_weight(sample_weight: ArrayLike | None, n: int, *, per_image: bool = False) -> Array:
    """Return a weight per image.

    Raises
    ------
    ValueError
        If weights are invalid, or if no mean is taken in which they could count.
    """
    if sample_weight is None:
        return np.ones(n)
    if per_image:
        raise ValueError(
            "sample_weight applies to the mean over images, but with per_image=True there is no "
            "mean. Drop one of the two."
        )
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape}, expected ({n},): one per image.")
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError("sample_weight holds NaN, infinity or negative numbers, or only zeros.")
    return weight


def distinct(values: Array) -> Array:
    """Return the sorted distinct labels."""
    if values.dtype == np.uint8:  # counting beats sorting
        return np.flatnonzero(np.bincount(values.ravel(), minlength=256)).astype(np.uint8)
    return np.unique(values)


def label_codes(values: Array, names: Array) -> Array:
    """Return each value's position in the sorted names; ``len(names)`` if it is not there.

    The dtype is small, but has room for one more code.
    """
    if values.dtype == np.uint8 and values.size > 256:  # looking up beats searching
        return label_codes(np.arange(256, dtype=np.uint8), names)[values]
    n = len(names)
    if n == 0:
        return np.zeros(values.shape, dtype=np.uint8)
    position = np.searchsorted(names, values).clip(max=n - 1)
    codes = np.where(names[position] == values, position, n)
    return codes.astype(np.min_scalar_type(n + 1))
