"""Pixel counts by image and label, on which overlap scores are computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._masks import channels_on, check_masks, label_codes, label_names

Array = NDArray[Any]


class PixelCounts(NamedTuple):
    """True positives, predicted and true pixels, each of shape (n, n_labels)."""

    tp: Array
    predicted: Array
    true: Array


def count_pixels(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None,
    ignore_index: int | None,
    multilabel: bool,
) -> PixelCounts:
    """Count the pixels of each label in each image.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    true, pred = check_masks(y_true, y_pred, multilabel=multilabel)
    names = label_names(true, pred, labels=labels, ignore_index=ignore_index, multilabel=multilabel)
    if multilabel:
        return _count_channels(true[:, names], pred[:, names], ignore_index)
    ordered, order = np.unique(names, return_inverse=True)
    counts = np.zeros((3, len(true), len(ordered)))
    for i, (t, p) in enumerate(zip(true, pred, strict=True)):
        if ignore_index is not None:
            keep = t != ignore_index
            t, p = t[keep], p[keep]
        t_codes, p_codes = label_codes(t.ravel(), ordered), label_codes(p.ravel(), ordered)
        for row, codes in enumerate((t_codes[t_codes == p_codes], p_codes, t_codes)):
            counts[row, i] = np.bincount(codes, minlength=len(ordered) + 1)[:-1]
    return PixelCounts(*counts[:, :, order])


def _count_channels(true: Array, pred: Array, ignore_index: int | None) -> PixelCounts:
    counted = None if ignore_index is None else true != ignore_index
    t, p = channels_on(true, counted), channels_on(pred, counted)
    axes = tuple(range(2, true.ndim))
    return PixelCounts(*(x.sum(axes).astype(float) for x in (t & p, p, t)))
