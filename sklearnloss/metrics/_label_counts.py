"""Counts per label and image, collected until all images are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._pairs import Pair

Array = NDArray[Any]


class LabelTable:
    """Values by image and label.

    Parameters
    ----------
    labels : array-like or None
        The labels, in order; None is all labels that occur, sorted.
    n_values : int
        Number of values per image and label.
    fill : float
        Value of a label that an image lacks.
    """

    def __init__(self, labels: ArrayLike | None, *, n_values: int, fill: float = 0.0) -> None:
        self.asked = None if labels is None else np.asarray(labels).ravel().tolist()
        self._n_values = n_values
        self._fill = fill
        self._rows: list[Mapping[Hashable, Any]] = []

    def add(self, row: Mapping[Hashable, Any]) -> None:
        """Add the values of an image by label."""
        self._rows.append(row)

    def collect(self, weight: Array) -> Array:
        """Return all values, of shape (n_values, n, n_labels).

        Labels that occur only in images of weight 0 are left out.
        """
        names = self._names(weight)
        columns: dict[Any, list[int]] = {name: [] for name in names}
        for column, name in enumerate(names):
            columns[name].append(column)
        values = np.full((self._n_values, len(self._rows), len(names)), self._fill)
        for number, row in enumerate(self._rows):
            for name, of_label in row.items():
                for column in columns.get(name, ()):
                    values[:, number, column] = of_label
        return values

    def _names(self, weight: Array) -> list[Any]:
        if self.asked is not None:
            return self.asked
        rows = (row for row, w in zip(self._rows, weight.tolist(), strict=True) if w > 0)
        return sorted(set().union(*rows))


def check_asked(asked: list[Any] | None, pair: Pair, *, multilabel: bool) -> None:
    """Raise a ValueError for labels that these masks cannot have.

    Parameters
    ----------
    asked : list or None
        The labels to score.
    pair : Pair
        The masks of an image.
    multilabel : bool
        Whether they have a channel per label.
    """
    if asked is None:
        return
    n_labels = len(pair.true)
    if multilabel and not set(asked) <= set(range(n_labels)):
        raise ValueError(
            f"labels={asked}: expected channels of multilabel masks from 0 to {n_labels - 1}."
        )
    in_text = pair.true.dtype.kind in "US"
    if not multilabel and any(isinstance(label, str | bytes) != in_text for label in asked):
        raise ValueError(
            f"labels={asked}, but the masks hold {'text' if in_text else 'numbers'}. Expected "
            f"labels of one kind."
        )
