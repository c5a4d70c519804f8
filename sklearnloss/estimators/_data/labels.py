"""Labels in the user's form, and the codes that losses are computed on."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d
from torch import Tensor

# The code of ignored pixels, by the dtype of the codes.
IGNORED = {torch.uint8: 255, torch.int32: -100}


def read_labels(y: Any) -> np.ndarray:
    """Validate one class label per image."""
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    if np.ma.is_masked(y):
        raise ValueError("y has masked labels. Leave out images without a label.")
    labels: np.ndarray = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    return labels


def one_label(target: Any, position: int) -> Any:
    """Return the label of an image as a Python object.

    Raises
    ------
    ValueError
        If it is an array of several labels.
    """
    label = np.asarray(target)
    if label.size != 1:
        raise ValueError(
            f"y[{position}] has shape {label.shape}. Expected one class label for each image, "
            f"such as the position of the 1 in a one-hot vector."
        )
    return label.item()


def check_classes(classes: Any) -> None:
    """Raise a ValueError if classes contain NaN or infinity."""
    for label in np.asarray(classes).ravel().tolist():
        if isinstance(label, float) and not math.isfinite(label):
            raise ValueError(f"classes holds {label}, which is not a label: {list(classes)}.")


def read_masks(y: Any, shape: tuple[int, ...], *, multilabel: bool = False) -> np.ndarray:
    """Validate the masks of images with the given shape.

    Parameters
    ----------
    y : array-like
        Masks.
    shape : tuple of int
        (n, *spatial) of the images.
    multilabel : bool, default=False
        Whether there is one mask per label.

    Returns
    -------
    masks : ndarray of shape (n, *spatial) or, multilabel, (n, K, *spatial)
        Of an integer or boolean dtype; a masked array if some pixels are masked.
    """
    masks = as_masks(y)
    if masks.ndim and len(masks) != shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {shape[0]}, "
            f"y has {len(masks)}."
        )
    n, *spatial = shape
    if not multilabel:
        # With a channel axis, or as rows if X has rows with image_shape.
        if masks.shape in [(n, 1, *spatial), (n, *spatial, 1), (n, math.prod(spatial))]:
            masks = masks.reshape(shape)
        expected = f"{shape} or {(n, 1, *spatial)}"
        fits = masks.shape == shape
    else:
        expected = f"({', '.join(map(str, [n, 'K', *spatial]))}), as multilabel=True"
        fits = masks.ndim == len(shape) + 1 and masks.shape[2:] == shape[1:] and masks.shape[1] > 0
    if not fits:
        raise ValueError(
            f"y has shape {masks.shape}, but X holds {n} images of shape {tuple(spatial)}: "
            f"expected masks of shape {expected}."
        )
    hidden = np.ma.getmask(masks)
    masks = masks.filled(0) if isinstance(masks, np.ma.MaskedArray) else masks
    if np.issubdtype(masks.dtype, np.floating):
        masks = _as_whole_numbers(masks)
    if not (np.issubdtype(masks.dtype, np.integer) or masks.dtype == bool):
        raise ValueError(f"y has dtype {masks.dtype}. Expected masks of integers or booleans.")
    return np.ma.MaskedArray(masks, hidden) if hidden.any() else masks


def one_label_per_pixel(mask: np.ndarray, n_axes: int) -> np.ndarray:
    """Return a mask without the redundant channels of a picture.

    Parameters
    ----------
    mask : ndarray
        (*spatial), or with 2 to 4 channels, first or last: gray and opacity, or colors.
    n_axes : int
        The number of spatial axes.

    Raises
    ------
    ValueError
        If the channels differ.
    """
    if mask.ndim != n_axes + 1:
        return mask
    for channels in (mask, np.moveaxis(mask, -1, 0)):
        if len(channels) not in (2, 3, 4):
            continue
        if not is_grey(channels):
            raise ValueError(
                f"y has a mask with {len(channels)} channels that differ. Store the number of the "
                f"class in each pixel, not a color; or set multilabel=True if each channel is the "
                f"mask of a label."
            )
        first: np.ndarray = channels[0]
        return first
    return mask


def is_grey(channels: np.ndarray) -> bool:
    """Return whether channels are equal except for opacity, or one that is opaque everywhere."""
    if (channels[:3] == channels[0]).all():
        return True
    whole = np.issubdtype(channels.dtype, np.unsignedinteger)
    return (
        len(channels) == 2 and whole and bool((channels[1] == np.iinfo(channels.dtype).max).all())
    )


def as_masks(y: Any) -> np.ndarray:
    """Return masks as an array, or as a masked array if some pixels are masked."""
    if isinstance(y, Tensor):
        y = y.detach().cpu()
    if getattr(y, "ndim", 0) == 1 and y.dtype == object:  # an array of arrays, as in a table
        y = list(y)
    if isinstance(y, list | tuple) and any(isinstance(mask, np.ma.MaskedArray) for mask in y):
        y = np.ma.stack(y)
    masks: np.ndarray = y if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    return masks


def _as_whole_numbers(masks: np.ndarray) -> np.ndarray:
    if not np.isfinite(masks).all():
        raise ValueError(
            "Input y contains NaN or infinity. Give pixels to ignore a label of their own, and "
            "pass it as ignore_index; or mask them: np.ma.masked_invalid(y)."
        )
    if (np.abs(masks) >= 2.0**63).any():
        raise ValueError(
            f"y holds {masks[np.abs(masks) >= 2.0**63].flat[0]:.4g}, which is too large for a "
            f"label. If it marks pixels to ignore, mask them: np.ma.masked_values(y, ...)."
        )
    whole = masks.astype(np.int64)
    if not np.array_equal(whole, masks):
        raise ValueError("y holds fractions, but masks hold labels. Threshold or round them first.")
    return whole


def distinct_labels(masks: np.ndarray) -> np.ndarray:
    """Return the sorted distinct labels of unmasked pixels; fast for small integers."""
    if masks.dtype == bool or masks.size == 0 or np.ma.getmask(masks).all():
        return np.unique(np.ma.compressed(masks))
    low, high = int(masks.min()), int(masks.max())
    if high - low > 2**16:
        return np.unique(np.ma.compressed(masks))
    present = np.zeros(high - low + 1, dtype=bool)
    for mask in masks:
        present[np.ma.compressed(mask).astype(np.int64) - low] = True
    return (np.flatnonzero(present) + low).astype(masks.dtype)


def count_labels(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted distinct labels of unmasked pixels, and how often each occurs."""
    mask = np.ma.compressed(mask)
    if mask.dtype.itemsize > 1 or mask.dtype == np.int8:
        labels, counts = np.unique(mask, return_counts=True)
        return labels, counts
    counts = np.bincount(mask.view(np.uint8), minlength=256)  # counting is faster than sorting
    labels = np.flatnonzero(counts)
    return labels.astype(mask.dtype), counts[labels]


def code_dtype(classes: np.ndarray) -> torch.dtype:
    """Return the dtype for the codes of classes."""
    return torch.uint8 if len(classes) < 255 else torch.int32


def on_off(labels: np.ndarray, ignore: int | None) -> np.ndarray:
    """Return the two values of multilabel masks: 0, and 1 or 255.

    Parameters
    ----------
    labels : ndarray
        The distinct values of the masks.
    ignore : int or None
        A value that is neither of the two.

    Raises
    ------
    ValueError
        If there are other values.
    """
    on = labels[(labels != 0) & (labels != ignore)]
    if on.tolist() not in ([], [1], [255]):
        raise ValueError(
            f"y holds the values {labels.tolist()[:10]}, but with multilabel=True each mask shows "
            f"where one label is: expected 0 and 1, or 0 and 255. Pass ignore_index= if one of "
            f"them marks pixels to ignore."
        )
    return np.array([0, on[0] if len(on) else 1], dtype=labels.dtype)


def encode(y: np.ndarray, classes: np.ndarray, ignore: int | None = None) -> Tensor:
    """Turn labels into codes 0 to n_classes - 1.

    Parameters
    ----------
    y : ndarray
        Labels. Masked labels get the code of ignored pixels.
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
    tensor = torch.empty(y.shape, dtype=code_dtype(classes))
    codes = tensor.numpy()
    ignored = IGNORED[tensor.dtype]
    for image, code in zip(y, codes, strict=True) if y.ndim > 1 else [(y, codes)]:
        hidden, image = np.ma.getmask(image), np.ma.getdata(image)
        position = np.searchsorted(classes, image).clip(max=len(classes) - 1)
        known = classes[position] == image
        code[...] = position
        if ignore is not None:
            code[image == ignore] = ignored
            known |= image == ignore
        if hidden is not np.ma.nomask:
            code[hidden] = ignored
            known |= hidden
        if not known.all():
            label = image[~known].flat[0]
            raise ValueError(
                f"y contains the label {label!r}, which is not among the classes "
                f"{classes.tolist()}." + ("" if ignore is None else f" ignore_index is {ignore}.")
            )
    return tensor


def in_mask_dtype(labels: np.ndarray, dtypes: Collection[np.dtype[Any]]) -> np.ndarray:
    """Return labels in the dtype of the masks, so that predicted masks have it, too.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        Sorted, of any dtype.
    dtypes : collection of dtype
        The dtypes of the masks.

    Returns
    -------
    labels : ndarray of shape (n_labels,)
        In the dtype of the masks, if they share one and it holds the labels; otherwise
        in the smallest dtype that does.

    Raises
    ------
    ValueError
        If foreground is 1 in one-bit masks and 255 in others.
    """
    if labels.dtype.kind not in "biu" or len(labels) == 0:
        return labels
    kinds = set(dtypes)
    if len(kinds) > 1 and np.dtype(bool) in kinds and 255 in labels:
        raise ValueError(
            f"y has one-bit masks, whose values are 0 and 1, and others, with the labels "
            f"{labels.tolist()[:10]}. Use the same numbers in all of them."
        )
    if len(kinds) == 1:
        as_masks = labels.astype(kinds.pop())
        if as_masks.dtype.kind in "biu" and np.array_equal(as_masks, labels):
            return as_masks
    smallest = np.result_type(*map(np.min_scalar_type, (labels.min(), labels.max())))
    return labels.astype(smallest)
