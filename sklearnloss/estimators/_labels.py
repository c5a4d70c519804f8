"""Labels as users have them, and the codes that losses are computed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch import Tensor

# The code of ignored pixels, by the dtype that holds the codes.
IGNORED = {torch.uint8: 255, torch.int32: -100}


def read_labels(y: Any) -> np.ndarray:
    """Validate one class label per image."""
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    labels: np.ndarray = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    return labels


def read_masks(y: Any, images: Tensor) -> np.ndarray:
    """Validate masks and return them as (n, *spatial) of an integer or boolean dtype."""
    masks: np.ndarray = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    check_consistent_length(images, masks)
    n, _, *spatial = images.shape
    # With a channel axis, or as rows like X with image_shape.
    if masks.shape in [(n, 1, *spatial), (n, *spatial, 1), (n, math.prod(spatial))]:
        masks = masks.reshape(n, *spatial)
    if masks.shape != (n, *spatial):
        raise ValueError(
            f"y has shape {masks.shape}, but X holds {n} images of shape {tuple(spatial)}: "
            f"expected masks of shape {(n, *spatial)} or {(n, 1, *spatial)}."
        )
    if np.issubdtype(masks.dtype, np.floating):
        masks = _as_whole_numbers(masks)
    if not (np.issubdtype(masks.dtype, np.integer) or masks.dtype == bool):
        raise ValueError(f"y has dtype {masks.dtype}. Expected masks of integers or booleans.")
    return masks


def _as_whole_numbers(masks: np.ndarray) -> np.ndarray:
    if not np.isfinite(masks).all():
        raise ValueError("Input y contains NaN or infinity.")
    whole = masks.astype(np.int64)
    if not np.array_equal(whole, masks):
        raise ValueError("y holds fractions, but masks hold labels. Threshold or round them first.")
    return whole


def distinct_labels(masks: np.ndarray) -> np.ndarray:
    """Return the sorted distinct labels, fast for masks of small integers."""
    if masks.dtype == bool or masks.size == 0:
        return np.unique(masks)
    low, high = int(masks.min()), int(masks.max())
    if high - low > 2**16:
        return np.unique(masks)
    present = np.zeros(high - low + 1, dtype=bool)
    for mask in masks:
        present[mask.astype(np.int64).ravel() - low] = True
    return (np.flatnonzero(present) + low).astype(masks.dtype)


def encode(y: np.ndarray, classes: np.ndarray, ignore: int | None = None) -> Tensor:
    """Turn labels into codes 0 to n_classes - 1.

    Parameters
    ----------
    y : ndarray
        Labels.
    classes : ndarray of shape (n_classes,)
        Sorted.
    ignore : int, default=None
        A label that gets the code of ignored pixels.

    Returns
    -------
    codes : Tensor of y's shape, uint8 or int32

    Raises
    ------
    ValueError
        If y holds a label that is neither a class nor ignored.
    """
    codes = np.empty(y.shape, np.uint8 if len(classes) < 255 else np.int32)
    tensor = torch.from_numpy(codes)
    for image, code in zip(y, codes, strict=True) if y.ndim > 1 else [(y, codes)]:
        position = np.searchsorted(classes, image).clip(max=len(classes) - 1)
        known = classes[position] == image
        code[...] = position
        if ignore is not None:
            code[image == ignore] = IGNORED[tensor.dtype]
            known |= image == ignore
        if not known.all():
            label = image[~known].flat[0]
            raise ValueError(
                f"y contains the label {label!r}, which is not among the classes "
                f"{classes.tolist()}." + ("" if ignore is None else f" ignore_index is {ignore}.")
            )
    return tensor
