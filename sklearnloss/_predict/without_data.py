"""Pixels without data in any channel, such as those outside of the swath of a satellite."""

from __future__ import annotations

from typing import Any

import numpy as np


def where_without_data(image: Any) -> np.ndarray | None:
    """Return where no channel of an image has data.

    Parameters
    ----------
    image : ndarray of shape (C, *spatial)
        A masked array if some pixels are masked.

    Returns
    -------
    hidden : ndarray of bool of shape (*spatial), or None
        None if there are no such pixels.
    """
    if not np.ma.is_masked(image):
        return None
    hidden = np.asarray(np.ma.getmaskarray(image).all(axis=0))
    return hidden if hidden.any() else None


def label_without_data(labels: np.ndarray) -> int | None:
    """Return the highest number of the dtype of labels that is none of them, if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._predict.without_data import label_without_data
    >>> label_without_data(np.uint8([0, 1, 2])), label_without_data(np.uint8([0, 255]))
    (255, 254)
    """
    limits, used = np.iinfo(labels.dtype), set(labels.tolist())
    return next((n for n in range(limits.max, limits.min - 1, -1) if n not in used), None)


def filled(mask: np.ndarray, hidden: np.ndarray | None, label: int | None) -> np.ndarray:
    """Return a mask (..., *spatial) that has a label at hidden pixels, if there are any."""
    if hidden is None or label is None:
        return mask
    return np.where(hidden, mask.dtype.type(label), mask)
