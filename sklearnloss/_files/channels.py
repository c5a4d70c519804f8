"""Which axis of an image in a file holds its channels."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .pixels import Pixels, are_slices


def with_known_axes(
    pixels: Pixels,
    *,
    n_axes: int | None = None,
    channels: Literal["first", "last"] | None = None,
) -> tuple[Pixels, int | None]:
    """Return an image whose pages are slices or channels, and its channel axis, if any.

    Parameters
    ----------
    pixels : Pixels
        The image.
    n_axes : int or None
        The number of spatial axes, if known.
    channels : {"first", "last"} or None
        The position of the channel axis, for files that do not say it.

    Returns
    -------
    pixels : Pixels
        Without the axis Q.
    axis : int or None

    Raises
    ------
    ValueError
        If the axes are not known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._files.channels import with_known_axes
    >>> from sklearnloss._files.pixels import Pixels
    >>> pixels, axis = with_known_axes(Pixels(np.zeros((5, 8, 8)), "QYX"), n_axes=3)
    >>> pixels.axes, axis
    ('ZYX', None)
    """
    values, axes = pixels.values, pixels.axes
    if axes is None:
        return pixels, _axis_of_array(values.shape, n_axes, channels)
    if pixels.is_pages:
        if axes == "QYX" and channels == "last" and n_axes != 3:  # an array (H, W, C)
            pixels = pixels._replace(values=np.moveaxis(values, -1, 0), axes="CYX")
        else:
            known = axes.replace("Q", "Z") if are_slices(pixels, n_axes) else "CYX"
            pixels = pixels._replace(axes=known)
    return pixels, 0 if str(pixels.axes)[0] in "CS" else None


def _axis_of_array(
    shape: tuple[int, ...], n_axes: int | None, channels: Literal["first", "last"] | None
) -> int | None:
    if len(shape) == n_axes or len(shape) < 3:
        return None
    if channels is None:
        raise ValueError(
            f"its shape {shape} does not say which axes are rows and columns, which the reader "
            f"needs to know. Pass channels='first' or 'last', or save it as TIFF."
        )
    return 0 if channels == "first" else len(shape) - 1


def spatial_axes(ndim: int, channels: int | None) -> list[int]:
    """Return all axes but that of the channels."""
    return [axis for axis in range(ndim) if axis != channels]


def without_alpha(pixels: Pixels, axis: int | None) -> Pixels:
    """Return an image without opacity: with one channel, three, or no channel axis.

    Raises
    ------
    ValueError
        If it is neither gray nor in color.
    """
    if axis is None:
        return pixels
    n = pixels.values.shape[axis]
    has_alpha = n in (2, 4) and str(pixels.axes).startswith("S")
    if n not in (1, 3) and not has_alpha:
        raise ValueError(
            f"it has {n} channels. Expected gray levels, or red, green and blue, to convert with "
            f"color= or colors=."
        )
    return pixels._replace(values=pixels.values[: n - 1]) if has_alpha else pixels
