"""The masks of single labels, cut out of their images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects

from ._counts import masks_on
from ._label_counts import check_asked
from ._masks import distinct, label_codes
from ._pairs import CheckedPairs, Pair
from ._surface import Spacing, check_spacing

Array = NDArray[Any]
Box = tuple[slice, ...]


class Region(NamedTuple):
    """The true and the predicted mask of one label, cut to their common bounding box."""

    label: Any
    true: Array
    pred: Array


class ImageRegions(NamedTuple):
    """The regions of one image, without labels that are absent from both masks.

    Attributes
    ----------
    shape : tuple of int
        Number of pixels along each axis of the image.
    pixel : ndarray of shape (n_axes,)
        Size of a pixel along each axis.
    regions : list of Region
    """

    shape: tuple[int, ...]
    pixel: Array
    regions: list[Region]


def cut_regions(
    pairs: CheckedPairs, *, labels: ArrayLike | None, spacing: Spacing
) -> Iterator[ImageRegions]:
    """Yield the regions of each image.

    Ignored pixels belong to no label, so regions end at them.

    Parameters
    ----------
    pairs : CheckedPairs
        The masks.
    labels : array-like or None
        Which labels to cut out; None is all.
    spacing : float or array-like
        Size of a pixel, see :func:`check_spacing`.

    Raises
    ------
    ValueError
        If masks have no spatial axis, or different numbers of them.
    """
    if pairs.may_be_rows:
        warnings.warn(
            "y_true and y_pred have two axes, and are read as signals (n, L). If each is one mask "
            "(H, W), pass y_true[None] and y_pred[None]. If they are signals, pass y_true[:, None] "
            "and y_pred[:, None] to avoid this warning.",
            UserWarning,
            stacklevel=3,
        )
    asked = None if labels is None else np.unique(np.asarray(labels)).tolist()
    pixels: Array | None = None
    for number, pair in enumerate(pairs):
        shape = pair.pred.shape[1:] if pairs.multilabel else pair.pred.shape
        if pixels is None:
            _check_axes(len(pairs), shape)
            pixels = check_spacing(spacing, len(pairs), len(shape))
        if len(shape) != pixels.shape[1]:
            raise ValueError(
                f"Image {number} has {len(shape)} axes, but earlier ones have {pixels.shape[1]}. "
                f"Expected masks with the same number of axes."
            )
        check_asked(asked, pair, multilabel=pairs.multilabel)
        cut = _cut_channels if pairs.multilabel else _cut_labels
        yield ImageRegions(shape, pixels[number], list(cut(pair, asked)))


def _check_axes(n: int, shape: tuple[int, ...]) -> None:
    if not shape:
        raise ValueError(f"Masks of shape {(n,)} have no spatial axis: expected (n, H, W).")


def _cut_channels(pair: Pair, asked: list[Any] | None) -> Iterator[Region]:
    true, pred = (masks_on(masks, pair.counted) for masks in (pair.true, pair.pred))
    for channel in range(len(true)) if asked is None else asked:
        t, p = true[channel], pred[channel]
        box = _join(*(_boxes(mask.astype(np.uint8), 1)[0] for mask in (t, p)))
        if box is not None:
            yield Region(channel, t[box], p[box])


def _cut_labels(pair: Pair, asked: list[Any] | None) -> Iterator[Region]:
    met = np.union1d(distinct(pair.true), distinct(pair.pred))
    names = met if asked is None else met[np.isin(met, asked)]
    # scipy finds boxes of the codes 1, 2, ..., and ignores 0 and codes above the number of names.
    t, p = (label_codes(masks, names) + 1 for masks in (pair.true, pair.pred))
    if pair.counted is not None:
        t, p = t * pair.counted, p * pair.counted
    boxes = zip(_boxes(t, len(names)), _boxes(p, len(names)), strict=True)
    for code, (name, (t_box, p_box)) in enumerate(zip(names.tolist(), boxes, strict=True), 1):
        box = _join(t_box, p_box)
        if box is not None:
            yield Region(name, t[box] == code, p[box] == code)


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
