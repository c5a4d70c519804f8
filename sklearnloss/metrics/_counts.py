"""Pixel counts by image and label, from which overlap scores are computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._label_counts import LabelTable, check_asked
from ._pairs import CheckedPairs, Pair

Array = NDArray[Any]

# Labels that span a smaller range are counted without sorting pixels.
_CLOSE = 2**16


class PixelCounts(NamedTuple):
    """True positives, predicted and true pixels, each of shape (n, n_labels)."""

    tp: Array
    predicted: Array
    true: Array


def count_pixels(pairs: CheckedPairs, weight: Array, *, labels: ArrayLike | None) -> PixelCounts:
    """Count the pixels of each label in each image.

    Parameters
    ----------
    pairs : CheckedPairs
        The masks.
    weight : ndarray of shape (n,)
        Weights of the images; labels of images with weight 0 are left out.
    labels : array-like or None
        Which labels to count; None is all labels that occur.
    """
    table = LabelTable(labels, n_values=3)
    count = _count_channels if pairs.multilabel else _count_labels
    for pair in pairs:
        check_asked(table.asked, pair, multilabel=pairs.multilabel)
        table.add(count(pair))
    return PixelCounts(*table.collect(weight))


def _count_channels(pair: Pair) -> dict[Any, Array]:
    t, p = (masks_on(masks, pair.counted) for masks in (pair.true, pair.pred))
    axes = tuple(range(1, t.ndim))
    counts = np.stack([x.sum(axes) for x in (t & p, p, t)])
    return dict(enumerate(counts.T))


def _count_labels(pair: Pair) -> dict[Any, Array]:
    """Return true positives, predicted and true pixels by label."""
    counted = ... if pair.counted is None else pair.counted
    t, p = pair.true[counted].ravel(), pair.pred[counted].ravel()
    if t.size == 0:
        return {}
    names, t_codes, p_codes = _codes(t, p)
    counts = [
        np.bincount(codes, minlength=len(names))
        for codes in (t_codes[t_codes == p_codes], p_codes, t_codes)
    ]
    occurs = np.flatnonzero(counts[1] + counts[2])
    return dict(zip(names[occurs].tolist(), np.stack(counts)[:, occurs].T, strict=True))


def _codes(t: Array, p: Array) -> tuple[Array, Array, Array]:
    """Return sorted labels, and the position of each pixel's label among them."""
    if t.dtype.kind in "biu" and p.dtype.kind in "biu":
        low = min(int(t.min()), int(p.min()))
        high = max(int(t.max()), int(p.max()))
        if high - low < _CLOSE and abs(low) < 2**62:
            return np.arange(low, high + 1), t.astype(np.intp) - low, p.astype(np.intp) - low
    names = np.union1d(t, p)
    return names, np.searchsorted(names, t), np.searchsorted(names, p)


def masks_on(channels: Array, counted: Array | None) -> Array:
    """Return where multilabel masks are set and not ignored."""
    on: Array = channels != 0
    return on if counted is None else on & counted
