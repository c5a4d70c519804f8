"""The channel axis of images, determined from the file, the mask and the user's options."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files.pixels import Pixels, arrange
from .._utils.guides import MY_DATA
from ..estimators._data.arrays import Channels

Array = NDArray[Any]

# An axis of at most this length holds channels, if the others are longer.
_FEW_CHANNELS = 4


def without_mask(pixels: Pixels, channels: Channels | None) -> Array:
    """Return an image with channels first, or without a channel axis."""
    if pixels.axes is None:
        axis = channel_axis(pixels.values.shape, channels)
        return pixels.values if axis is None else np.moveaxis(pixels.values, axis, 0)
    if pixels.is_pages and channels is None:
        raise ValueError(
            f"{pixels.values.shape[-3]} pages, which may be channels or slices of a volume: pass "
            f"--channels first, or write axes='ZYX' into the file with tifffile; see {MY_DATA}"
        )
    image = arrange(pixels, "first", n_axes=None if channels is None else 2)
    last = pixels.axes == "QYX" and channels == "last"
    return np.moveaxis(image, -1, 0) if last else image


def with_mask(pixels: Pixels, mask: tuple[int, ...], channels: Channels | None) -> Array:
    """Return an image with channels first, or without a channel axis, matched to its mask."""
    if pixels.axes is None or pixels.is_pages:
        return fit_to_mask(pixels.values, mask, channels)
    image = arrange(pixels, "first")
    spatial = image.shape if image.ndim == 2 else image.shape[1:]
    if spatial != mask:
        raise ValueError(_mismatch(image.shape, mask))
    return image


def channel_axis(shape: tuple[int, ...], channels: Channels | None) -> int | None:
    """Return the channel axis of an array that has no mask.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image.
    channels : {"first", "last"} or None
        The user's choice.

    Returns
    -------
    axis : int or None
        0, the last axis, or None if there are no channels.

    Raises
    ------
    ValueError
        If it is ambiguous.

    Examples
    --------
    >>> from sklearnloss._compare_command._image_axes import channel_axis
    >>> channel_axis((64, 64), None), channel_axis((3, 64, 64), None)
    (None, 0)
    >>> channel_axis((64, 64, 3), None), channel_axis((16, 16, 13), "last")
    (2, 2)
    """
    if len(shape) < 3:
        return None
    few = [axis for axis in (0, len(shape) - 1) if shape[axis] <= _FEW_CHANNELS]
    if channels is not None:
        return 0 if channels == "first" else len(shape) - 1
    if len(few) == 1 and min(np.delete(shape, few[0])) > _FEW_CHANNELS:
        return few[0]
    raise ValueError(
        f"its shape {shape} does not show whether the channels come first or last: pass "
        f"--channels first, or --channels last. A volume needs a channel axis, too; see {MY_DATA}"
    )


def fit_to_mask(image: Array, mask: tuple[int, ...], channels: Channels | None = None) -> Array:
    """Return an image with channels first, or without a channel axis, given its mask's shape.

    Parameters
    ----------
    image : ndarray
        An image with unknown axes.
    mask : tuple of int
        The shape of its mask.
    channels : {"first", "last"} or None
        The channel axis, if it is known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._compare_command._image_axes import fit_to_mask
    >>> fit_to_mask(np.zeros((8, 9, 3)), (8, 9)).shape
    (3, 8, 9)
    >>> fit_to_mask(np.zeros((5, 8, 9)), (5, 8, 9)).shape  # a volume
    (1, 5, 8, 9)
    """
    if image.shape == mask:
        return image[None] if image.ndim > 2 else image
    has_channels = image.ndim == len(mask) + 1
    first = has_channels and image.shape[1:] == mask and channels != "last"
    last = has_channels and image.shape[:-1] == mask and channels != "first"
    if first and last:
        raise ValueError(
            f"its shape {image.shape} and its mask's shape {mask} do not show whether the channels "
            f"come first or last: pass --channels first, or --channels last; see {MY_DATA}"
        )
    if first:
        return image
    if last:
        return np.moveaxis(image, -1, 0)
    said = has_channels and mask in (image.shape[1:], image.shape[:-1])
    hint = f", which does not fit --channels {channels}" if said else ""
    raise ValueError(f"{_mismatch(image.shape, mask)}{hint}")


def _mismatch(image: tuple[int, ...], mask: tuple[int, ...]) -> str:
    """Return a message that the shapes of an image and its mask do not match."""
    text = f"the image has shape {image}, its mask has shape {mask}"
    if image == mask:
        return f"{text}, but in the file the image's first axis holds channels, not slices"
    if len(mask) == 2 and image[-2:] == mask[::-1]:
        return f"{text}: one of them is rotated, despite its EXIF orientation"
    return text
