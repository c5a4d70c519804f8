"""Images and masks as planes of gray levels and codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...metrics import dice_score
from ...metrics._masks import label_codes

Array = NDArray[Any]


class Row(NamedTuple):
    """One image to draw, or one label of it.

    Attributes
    ----------
    picture : ndarray of shape (H, W) or (H, W, 3)
        The image, in [0, 1].
    truth, prediction : ndarray of shape (H, W), int
        0 is background, k the k-th label, one more than the last is ignored. Truth may
        be missing.
    shown : sequence of int
        The codes of labels to show.
    title : str
        The name of the image.
    dice : float
        The Dice coefficient of the labels shown.
    """

    picture: Array
    truth: Array | None
    prediction: Array
    shown: Sequence[int]
    title: str
    dice: float

    @property
    def is_binary(self) -> bool:
        """Whether a single label is shown against everything else."""
        return len(self.shown) == 1


def mask_codes(mask: Array, labels: Array, ignore: int | None) -> Array:
    """Return 0 for background, 1 to K for the sorted labels, K + 1 for ignored pixels."""
    codes = (label_codes(np.ma.getdata(mask), labels).astype(int) + 1) % (len(labels) + 1)
    return np.where(_is_ignored(mask, ignore), len(labels) + 1, codes)


def channel_codes(masks: Array, channel: int, ignore: int | None) -> Array:
    """Return the codes of one channel of multilabel masks (K, H, W), like :func:`mask_codes`."""
    mask = masks[channel]
    codes = np.where(np.ma.getdata(mask) != 0, channel + 1, 0)
    return np.where(_is_ignored(mask, ignore), len(masks) + 1, codes)


def _is_ignored(mask: Array, ignore: int | None) -> Array:
    """Return which pixels are masked or have the ignored label."""
    hidden: Array = np.ma.getmaskarray(mask)
    return hidden if ignore is None else hidden | (np.ma.getdata(mask) == ignore)


def as_picture(image: Array) -> Array:
    """Return an image (C, H, W) as gray levels (H, W) or colors (H, W, 3) in [0, 1].

    Three or four channels are red, green, blue (and something else, which is not
    shown); for other numbers, the mean is shown. Intensities are stretched, except
    for uint8 colors.
    """
    color = len(image) in (3, 4)
    if color and image.dtype == np.uint8:
        return np.moveaxis(image[:3], 0, -1) / 255
    picture = np.moveaxis(image[:3], 0, -1).astype(float) if color else image.mean(0, dtype=float)
    low, high = np.quantile(picture, [0.005, 0.995])
    stretched: Array = ((picture - low) / (high - low if high > low else 1.0)).clip(0, 1)
    return stretched


def without_colour(picture: Array) -> Array:
    """Return the lightness of a picture, so that overlaid colors are not distorted."""
    return picture @ [0.299, 0.587, 0.114] if picture.ndim == 3 else picture


def plane(array: Array, n_axes: int, at: int | None) -> Array:
    """Return a plane of an array with n_axes spatial axes.

    Parameters
    ----------
    array : ndarray of shape (..., *spatial)
        A signal becomes a strip, a volume a slice.
    n_axes : int
        The number of spatial axes.
    at : int or None
        The index of the slice of a volume; None means the middle one.
    """
    if n_axes == 1:
        return array[..., None, :]
    if n_axes == 2:
        return array
    depth = array.shape[-3]
    at = depth // 2 if at is None else at
    if not -depth <= at < depth:
        raise ValueError(f"slice_index={at}, but the volume has {depth} slices.")
    return array[..., at, :, :]


def dice_by_label(
    y_true: Sequence[Array],
    y_pred: Sequence[Array],
    labels: ArrayLike,
    *,
    ignore_index: int | None,
    multilabel: bool,
) -> Array:
    """Return Dice coefficients (n_images, n_labels), nan for labels that occur nowhere."""
    scores = dice_score(
        list(y_true),
        list(y_pred),
        labels=labels,
        average=None,
        per_image=True,
        ignore_index=ignore_index,
        multilabel=multilabel,
        zero_division=np.nan,
    )
    return np.asarray(scores)


def mean_dice(dice: Array) -> float:
    """Return the mean of all values but nan; 1 if there are none, since nothing was missed."""
    known = dice[~np.isnan(dice)]
    return float(known.mean()) if known.size else 1.0
