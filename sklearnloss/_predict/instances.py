"""Objects in masks: connected regions with numbers, and their measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def number_instances(
    labels: Array,
    classes: Sequence[Any],
    *,
    border: Any = None,
    min_size: int = 0,
    spacing: Sequence[float] | None = None,
) -> tuple[Array, list[Any]]:
    """Number the objects in a mask.

    An object is a connected region of one class. Pixels that only touch at a corner (in
    volumes, at an edge or a corner) are connected.

    Parameters
    ----------
    labels : ndarray of shape (*spatial)
        A label per pixel.
    classes : sequence
        The labels of objects, without the background.
    border : label, default=None
        The label of borders between objects. Each of its pixels is added to the nearest
        object among those that its region touches; regions that touch none are background.
    min_size : int, default=0
        Objects with fewer pixels are left out.
    spacing : sequence of float, default=None
        Size of a pixel along each axis, which determines what is nearest.

    Returns
    -------
    numbers : ndarray of shape (*spatial), int32
        0 is the background; objects are 1, 2, ..., class by class, and within a class in the
        order of their first pixels.
    kinds : list
        The label of each object.

    Examples
    --------
    >>> from sklearnloss._predict.instances import number_instances
    >>> numbers, kinds = number_instances(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [2, 2, 0]]),
    ...                                   [1, 2])
    >>> numbers
    array([[1, 0, 1],
           [0, 1, 0],
           [0, 0, 0],
           [2, 2, 0]], dtype=int32)
    >>> kinds
    [1, 2]
    """
    from scipy import ndimage

    everywhere = np.ones((3,) * labels.ndim, bool)
    numbers = np.zeros(labels.shape, np.int32)
    kinds: list[Any] = []
    for label in classes:
        if border is not None and label == border:
            continue
        found, n_found = ndimage.label(labels == label, everywhere, output=np.int32)
        numbers[found > 0] = found[found > 0] + len(kinds)
        kinds += [label] * n_found
    if border is not None:
        _grow(numbers, labels == border, spacing)
    return _without_small(numbers, kinds, min_size)


def _grow(numbers: Array, border: Array, spacing: Sequence[float] | None) -> None:
    """Add border pixels to the nearest object that is connected to them."""
    from scipy import ndimage

    everywhere = np.ones((3,) * numbers.ndim, bool)
    regions, _ = ndimage.label((numbers > 0) | border, everywhere, output=np.int32)
    for region, box in enumerate(ndimage.find_objects(regions), start=1):
        inside = regions[box] == region
        known, to_fill = numbers[box], inside & border[box]
        objects = np.where(inside, known, 0)
        if not to_fill.any() or not objects.any():
            continue
        nearest = ndimage.distance_transform_edt(
            objects == 0, sampling=spacing, return_distances=False, return_indices=True
        )
        known[to_fill] = objects[tuple(nearest)][to_fill]


def _without_small(numbers: Array, kinds: list[Any], min_size: int) -> tuple[Array, list[Any]]:
    if min_size <= 1 or not kinds:
        return numbers, kinds
    kept = np.bincount(numbers.ravel(), minlength=len(kinds) + 1) >= min_size
    kept[0] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return renumbered[numbers], [kind for kind, keep in zip(kinds, kept[1:], strict=True) if keep]


def number_channels(
    masks: Array, classes: Sequence[Any], *, min_size: int = 0
) -> tuple[Array, list[Any]]:
    """Number the objects of labels that may overlap; numbers continue from label to label.

    Parameters
    ----------
    masks : ndarray of shape (K, *spatial)
        Where each label is; 0 is elsewhere.
    classes : sequence of length K
        The labels.
    min_size : int, default=0
        Objects with fewer pixels are left out.

    Returns
    -------
    numbers : ndarray of shape (K, *spatial), int32
    kinds : list
        The label of each object.
    """
    channels: list[Array] = []
    kinds: list[Any] = []
    for mask, label in zip(masks, classes, strict=True):
        numbers, found = number_instances(mask != 0, [True], min_size=min_size)
        channels.append(np.where(numbers > 0, numbers + len(kinds), 0).astype(np.int32))
        kinds += [label] * len(found)
    return np.stack(channels), kinds


class Measurements:
    """Size, position and intensity of objects, from bands of their image.

    Parameters
    ----------
    kinds : list
        The label of each object.
    n_axes : int
        Number of spatial axes.
    spacing : sequence of float, default=None
        Size of a pixel along each axis.
    """

    def __init__(
        self, kinds: Sequence[Any], n_axes: int, spacing: Sequence[float] | None = None
    ) -> None:
        n = len(kinds) + 1
        self.kinds = kinds
        self.spacing = spacing
        self.pixels = np.zeros(n, np.int64)
        self.sums = np.zeros((n, n_axes))
        self.low = np.full((n, n_axes), np.iinfo(np.int64).max)
        self.high = np.zeros((n, n_axes), np.int64)
        self.intensity: Array | None = None
        self.measured: Array | None = None

    def add(self, start: int, numbers: Array, image: Any) -> None:
        """Add a band of rows.

        Parameters
        ----------
        start : int
            The first row.
        numbers : ndarray of shape (rows, ...)
            The number of the object at each pixel; 0 is the background.
        image : ndarray of shape (C, rows, ...)
            The image, possibly a masked array; masked pixels have no intensity.
        """
        where = np.nonzero(numbers)
        which, n = numbers[where], len(self.pixels)
        self.pixels += np.bincount(which, minlength=n)
        for axis, position in enumerate(where):
            position = position + (start if axis == 0 else 0)
            self.sums[:, axis] += np.bincount(which, position, minlength=n)
            np.minimum.at(self.low[:, axis], which, position)
            np.maximum.at(self.high[:, axis], which, position + 1)
        if self.intensity is None or self.measured is None:
            self.intensity, self.measured = np.zeros((2, len(image), n))
        for channel, values in enumerate(image):
            seen = ~np.ma.getmaskarray(values)[where]
            known = np.ma.getdata(values)[where][seen].astype(float)
            self.intensity[channel] += np.bincount(which[seen], known, minlength=n)
            self.measured[channel] += np.bincount(which[seen], minlength=n)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per object.

        Positions are pixels from 0; the bounding box ends before its ``max``. The area, in
        volumes the volume, is in the units of the file, None if these are not known.
        """
        names = ("z", "y", "x")[-self.sums.shape[1] :]
        unit = None if self.spacing is None else math.prod(self.spacing)
        return [self._row(k, names, unit) for k in range(1, len(self.pixels))]

    def _row(self, k: int, names: Sequence[str], unit: float | None) -> dict[str, Any]:
        pixels = int(self.pixels[k])
        row: dict[str, Any] = {"number": k, "class": self.kinds[k - 1], "area_pixels": pixels}
        row["area"] = None if unit is None else pixels * unit
        for axis, name in enumerate(names):
            row[f"centroid_{name}"] = float(self.sums[k, axis] / pixels)
        for axis, name in enumerate(names):
            row[f"min_{name}"] = int(self.low[k, axis])
            row[f"max_{name}"] = int(self.high[k, axis])
        assert self.intensity is not None
        assert self.measured is not None
        for channel, (total, n) in enumerate(
            zip(self.intensity[:, k], self.measured[:, k], strict=True)
        ):
            row[f"mean_{channel}"] = float(total / n) if n else None
        return row
