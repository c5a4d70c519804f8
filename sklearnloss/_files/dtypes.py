"""Integers for labels."""

from __future__ import annotations

import numpy as np


def smallest_dtype(max_label: int, min_label: int = 0) -> np.dtype:
    """Return the smallest dtype of integers that holds all labels, unsigned if possible.

    Parameters
    ----------
    max_label, min_label : int
        The largest and the smallest label.

    Returns
    -------
    dtype : dtype
        Signed only if a label is negative.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> from sklearnloss._files.dtypes import smallest_dtype
    >>> smallest_dtype(255), smallest_dtype(256), smallest_dtype(1, -1)
    (dtype('uint8'), dtype('uint16'), dtype('int8'))
    """
    for bits in (8, 16, 32, 64):
        dtype = np.dtype(f"{'int' if min_label < 0 else 'uint'}{bits}")
        if np.iinfo(dtype).min <= min_label and max_label <= np.iinfo(dtype).max:
            return dtype
    raise ValueError(f"labels from {min_label} to {max_label} do not fit into integers.")


def as_integers(values: np.ndarray) -> np.ndarray:
    """Return the labels of a mask whose file stores them as real numbers.

    Raises
    ------
    ValueError
        If some are not whole numbers.
    """
    if values.dtype.kind != "f" or values.size == 0:
        return values
    broken = values[~(np.isfinite(values) & (values == np.round(values)))]
    if broken.size:
        raise ValueError(
            f"it is a mask that holds {float(broken[0]):.6g}. Expected whole numbers: the number "
            f"of the class of each pixel."
        )
    dtype = smallest_dtype(int(values.max()), int(values.min()))
    return values.astype(dtype)
