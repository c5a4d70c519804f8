"""Turns masks whose numbers are objects into classes: object and border."""

from __future__ import annotations

import numpy as np

BORDER = 2


def as_objects(numbers: np.ndarray) -> np.ndarray:
    """Return 1 for each pixel of an object, and 0 for the background.

    Parameters
    ----------
    numbers : ndarray of shape (*spatial)
        The number of the object at each pixel, 0 for the background.

    Returns
    -------
    labels : ndarray of shape (*spatial), uint8
        Pixels that were masked still are.

    Raises
    ------
    ValueError
        If these are no object numbers: if they are negative or fractions.
    """
    plain = np.ma.getdata(numbers)
    check_numbers(plain)
    labels = (plain > 0).astype(np.uint8)
    return _masked_like(numbers, labels)


def with_border(numbers: np.ndarray) -> np.ndarray:
    """Return 0 for the background, 1 for objects, and 2 for borders between objects.

    A border consists of

    - the pixels of an object that touch another object, diagonally or not;
    - the pixels of the background that touch an object, if another object is at most one
      pixel farther away: a gap between two objects of one or two pixels.

    Where an object borders on the background alone, there is no border. Objects that
    touch get a border two pixels wide, one pixel inside each.

    Parameters
    ----------
    numbers : ndarray of shape (*spatial)
        The number of the object at each pixel, 0 for the background. Pixels of one number
        are one object, even if they do not touch.

    Returns
    -------
    labels : ndarray of shape (*spatial), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._files.objects import with_border
    >>> with_border(np.array([[1, 1, 1, 2, 2, 0, 0, 3, 3, 0, 0, 0, 4]]))
    array([[1, 1, 2, 2, 1, 2, 2, 1, 1, 0, 0, 0, 1]], dtype=uint8)
    """
    plain = np.ma.getdata(numbers)
    check_numbers(plain)
    plain = plain.astype(np.int64)
    highest = _extreme(plain, np.maximum)
    lowest = _extreme(np.where(plain > 0, plain, np.iinfo(np.int64).max), np.minimum)
    border = (plain > 0) & (lowest < highest)
    beside_object = (plain == 0) & (highest > 0)
    # Once more, for the objects within two pixels.
    highest, lowest = _extreme(highest, np.maximum), _extreme(lowest, np.minimum)
    labels = (plain > 0).astype(np.uint8)
    labels[border | (beside_object & (lowest < highest))] = BORDER
    return _masked_like(numbers, labels)


def check_numbers(numbers: np.ndarray) -> None:
    """Raise a ValueError unless an array can hold object numbers."""
    if numbers.dtype.kind not in "biuf":
        raise ValueError(f"it has dtype {numbers.dtype}. Expected the numbers of objects.")
    if numbers.dtype.kind == "f" and not (np.isfinite(numbers) & (numbers % 1 == 0)).all():
        raise ValueError("it holds fractions or NaN. Expected the numbers of objects.")
    if numbers.dtype.kind in "if" and numbers.size and numbers.min() < 0:
        raise ValueError(
            f"it holds the number {numbers.min()}. Expected 0 for the background, and numbers "
            f"above 0 for objects."
        )


def _extreme(numbers: np.ndarray, of: np.ufunc) -> np.ndarray:
    """Return the maximum or minimum over each pixel and those that touch it."""
    for axis in range(numbers.ndim):
        values = np.moveaxis(numbers, axis, 0)
        result = values.copy()
        of(result[1:], values[:-1], out=result[1:])
        of(result[:-1], values[1:], out=result[:-1])
        numbers = np.moveaxis(result, 0, axis)
    return numbers


def _masked_like(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.MaskedArray(labels, np.ma.getmaskarray(values))
    return labels
