"""The masks of single labels, cut out of their images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects

from ._masks import channels_on, check_masks, label_codes, label_names

Array = NDArray[Any]
Box = tuple[slice, ...]


class Region(NamedTuple):
    """Where one label is in one image, truly and by prediction; cut to the box of both."""

    image: int
    label: int
    true: Array
    pred: Array


class Regions:
    """All regions that are not empty in both masks.

    Ignored pixels belong to no label, so masks end where they begin.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n, *spatial)
        Masks, or (n, K, *spatial) if multilabel.

    Attributes
    ----------
    shape : tuple
        (n, n_labels).
    spatial : tuple
        Pixels along each axis of an image.

    Raises
    ------
    ValueError
        If shapes differ, or masks have no spatial axis.
    """

    def __init__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        labels: ArrayLike | None,
        ignore_index: int | None,
        multilabel: bool,
    ) -> None:
        self._true, self._pred = check_masks(y_true, y_pred, multilabel=multilabel)
        self.spatial = self._true.shape[2 if multilabel else 1 :]
        if not self.spatial:
            raise ValueError(
                f"Masks of shape {self._true.shape} have no spatial axis: expected (n, H, W)."
            )
        self._names = label_names(
            self._true,
            self._pred,
            labels=labels,
            ignore_index=ignore_index,
            multilabel=multilabel,
        )
        self._ignore, self._multilabel = ignore_index, multilabel
        self.shape = (len(self._true), len(self._names))

    def __iter__(self) -> Iterator[Region]:
        cut = self._cut_channels if self._multilabel else self._cut_labels
        for i, (true, pred) in enumerate(zip(self._true, self._pred, strict=True)):
            counted = None if self._ignore is None else true != self._ignore
            for label, t, p in cut(true, pred, counted):
                yield Region(i, label, t, p)

    def _cut_channels(
        self, true: Array, pred: Array, counted: Array | None
    ) -> Iterator[tuple[int, Array, Array]]:
        on = [channels_on(masks, counted) for masks in (true, pred)]
        for label, channel in enumerate(self._names):
            t, p = on[0][channel], on[1][channel]
            box = _join(*(_boxes(mask.astype(np.uint8), 1)[0] for mask in (t, p)))
            if box is not None:
                yield label, t[box], p[box]

    def _cut_labels(
        self, true: Array, pred: Array, counted: Array | None
    ) -> Iterator[tuple[int, Array, Array]]:
        ordered, order = np.unique(self._names, return_inverse=True)
        # scipy's boxes are of 1, 2, ...; 0 and what is above n_labels have none.
        t, p = (label_codes(masks, ordered) + 1 for masks in (true, pred))
        if counted is not None:
            t, p = t * counted, p * counted
        t_boxes, p_boxes = _boxes(t, len(ordered)), _boxes(p, len(ordered))
        for label, code in enumerate(order):
            box = _join(t_boxes[code], p_boxes[code])
            if box is not None:
                yield label, t[box] == code + 1, p[box] == code + 1


def _boxes(codes: Array, n: int) -> list[Box | None]:
    """Return the bounding box of each code from 1 to n."""
    boxes: list[Box | None] = find_objects(codes, max_label=n) if n else []
    return boxes


def _join(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return a or b
    return tuple(
        slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in zip(a, b, strict=True)
    )
