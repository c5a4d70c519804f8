"""A check that foreground is not 1 in some masks and 255 in those compared with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


class Foreground:
    """Records the foreground labels of true and predicted masks that have only one.

    Parameters
    ----------
    classes : array-like or None, default=None
        All labels that may be predicted, if they are known.
    """

    def __init__(self, classes: ArrayLike | None = None) -> None:
        self._may_differ = classes is not None and bool(np.isin([1, 255], classes).all())
        self._found: tuple[set[int | None], set[int | None]] = (set(), set())

    def add(self, true: Array, pred: Array, counted: Array | None) -> None:
        """Record the masks of an image, except for ignored pixels."""
        for masks, found in zip((true, pred), self._found, strict=True):
            labels = masks if counted is None else masks[counted]
            if labels.size:
                found.add(_foreground(labels))

    def check(self) -> None:
        """Raise a ValueError if true masks hold 1 and predicted ones 255, or vice versa."""
        true, pred = (found - {0} for found in self._found)
        if (true, pred) in (({1}, {255}), ({255}, {1})) and not self._may_differ:
            raise ValueError(
                f"Foreground is {true.pop()} in y_true, but {pred.pop()} in y_pred. Expected the "
                f"same labels in both: pass y_true > 0 and y_pred > 0, for example."
            )


def _foreground(labels: Array) -> int | None:
    """Return the only label besides 0 if it is 1 or 255, 0 if there is none, else None."""
    if labels.dtype.kind not in "biu" or labels.min() < 0:
        return None
    high = int(labels.max())
    if high < 2 or (high == 255 and ((labels == 0) | (labels == 255)).all()):
        return high
    return None
