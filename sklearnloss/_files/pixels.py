"""The meaning and order of the axes of an image in a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np


class Pixels(NamedTuple):
    """An image as stored in a file.

    Attributes
    ----------
    values : ndarray
        Of any dtype.
    axes : str or None
        A letter for each axis of ``values``, in order: C for channels or S for the colors
        (and alpha) of each pixel, Z for slices of a volume or Q for pages that may be slices
        or channels, Y for rows, X for columns; for example "YX", "SYX", "CYX" or "CZYX".
        None stands for an array whose axes only the user knows.
    spacing : tuple of float or None
        The distance between the centers of neighboring pixels along each spatial axis, in
        the order of ``axes`` and in the unit of the file; None if the file does not say it.
    nodata : float or None
        The number that the file itself declares to stand for missing data.
    size : tuple of int or None
        The spatial shape in the file, if the image was resized.
    """

    values: np.ndarray
    axes: str | None
    spacing: tuple[float, ...] | None = None
    nodata: float | None = None
    size: tuple[int, ...] | None = None

    def native(self) -> Pixels:
        """Convert the numbers to the machine's native byte order, as torch requires."""
        dtype = self.values.dtype.newbyteorder("=")
        return self._replace(values=self.values.astype(dtype, copy=False))

    @property
    def is_pages(self) -> bool:
        """Whether pages may be slices or channels."""
        return self.axes is not None and "Q" in self.axes


# The meaning of axes by their letters in TIFF and Zarr. Others with more than one element are
# refused.
_MEANING = {"S": "S", "C": "C", "E": "C", "Z": "Z", "Q": "Q", "I": "Q", "Y": "Y", "X": "X"}


def axis_order(shape: Sequence[int], axes: str) -> tuple[list[int], str]:
    """Return which axes of an array are kept, in order, and what they are.

    Parameters
    ----------
    shape : sequence of int
        The shape of the array.
    axes : str
        A letter for each axis.

    Returns
    -------
    order : list of int
        The positions of channels, slices, rows and columns, as far as there are any. Axes
        of one element, except rows and columns, are left out.
    ordered : str
        A letter for each of them, as in :class:`Pixels`.

    Raises
    ------
    ValueError
        If the array is neither an image nor a volume.
    """
    kept = [k for k, letter in enumerate(axes) if letter in "YX" or shape[k] > 1]
    letters = {k: _MEANING.get(axes[k], axes[k]) for k in kept}
    for k, letter in letters.items():
        if letter not in _MEANING:
            what = "points in time" if letter == "T" else f"elements along the axis {letter}"
            raise ValueError(
                f"it holds {shape[k]} {what}. Expected one: save each as a separate file."
            )
    found = "".join(letters.values())
    order = [k for letter in "CSZQYX" for k, other in letters.items() if other == letter]
    ordered = "".join(letters[k] for k in order)
    if not re.fullmatch("[CS]?[ZQ]?YX", ordered):
        sizes = "x".join(str(shape[k]) for k in kept)
        raise ValueError(
            f"it holds the axes {found} with {sizes} elements. Expected an image (Y, X) or a "
            f"volume (Z, Y, X), possibly with channels."
        )
    if "S" in found[: found.index("Y")]:  # one plane per color; some writers save slices so
        ordered = ordered.replace("S", "C")
    return order, ordered


def in_order(values: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """Return an array with channels, slices, rows and columns in this order, and their letters."""
    order, ordered = axis_order(values.shape, axes)
    dropped = tuple(k for k in range(values.ndim) if k not in order)
    return values.transpose(*dropped, *order).reshape([values.shape[k] for k in order]), ordered


def spacing_along(axes: str, sizes: Mapping[str, float]) -> tuple[float, ...] | None:
    """Return the size of a pixel along each spatial axis, or None if one is not known."""
    spacing = tuple(float(sizes.get(letter, 0)) for letter in axes if letter in "ZQYX")
    return spacing if all(np.isfinite(size) and size > 0 for size in spacing) else None


def arrange(
    pixels: Pixels,
    channels: Literal["first", "last"],
    image_shape: tuple[int, ...] | None = None,
    n_axes: int | None = None,
) -> np.ndarray:
    """Return an image in the layout that the estimators expect.

    Parameters
    ----------
    pixels : Pixels
        The image as read.
    channels : {"first", "last"}
        The wanted position of the channel axis.
    image_shape : tuple of int or None
        The image shape given by the user, which determines what pages are.
    n_axes : int or None
        The number of spatial axes of the image, if known; it also determines what pages are.

    Returns
    -------
    image : ndarray of shape (*spatial), (C, *spatial) or (*spatial, C)
        Images with two spatial axes may lack a channel axis, volumes have one. Arrays
        without known axes are returned unchanged.

    Raises
    ------
    ValueError
        If there are pages and it is not known what they are.
    """
    values, axes = pixels.values, pixels.axes
    if axes is None or (pixels.is_pages and image_shape is not None):
        return values
    if axes == "QYX" and channels == "last":  # an array (H, W, C), written without its axes
        return values
    if pixels.is_pages and not are_slices(pixels, n_axes):
        axes = "CYX"
    if axes in ("ZYX", "QYX"):
        values = values[None]
    return np.moveaxis(values, 0, -1) if values.ndim > 2 and channels == "last" else values


def are_slices(pixels: Pixels, n_axes: int | None) -> bool:
    """Return whether pages are slices of a volume, rather than channels."""
    color = pixels.values.ndim > 3
    if n_axes == 3 or (n_axes == 2 and not color):
        return n_axes == 3
    n_pages, *size = pixels.values.shape[-3:]
    remedy = (
        f"If they are channels, set image_shape={(n_pages, *size)}; if slices of a volume, "
        f"image_shape={(1, n_pages, *size)}. Or store it in the file"
    )
    raise ValueError(
        f"it has {n_pages} pages, and does not say whether they are channels or slices of a "
        f"volume. {'Store it in the file' if color else remedy}: tifffile.imwrite(..., "
        f"metadata={{'axes': {('ZYXS' if color else 'CYX')!r}}}){'' if color else ', or ZYX'}."
    )


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays along a new first axis; masked if one of them is."""
    masked = any(isinstance(array, np.ma.MaskedArray) for array in arrays)
    joined: np.ndarray = np.ma.stack(arrays) if masked else np.stack(arrays)
    return joined


def without_channel(mask: np.ndarray) -> np.ndarray:
    """Return a mask without a channel axis of length 1."""
    if mask.ndim > 2 and 1 in (mask.shape[0], mask.shape[-1]):
        return np.squeeze(mask, 0 if mask.shape[0] == 1 else -1)
    return mask


def one_label_per_pixel(pixels: Pixels) -> np.ndarray:
    """Return a mask without channels.

    Raises
    ------
    ValueError
        If it has channels, or colors that are not gray.
    """
    values, axes = pixels.values, pixels.axes
    if axes is None or axes[0] not in "CS":
        return values
    if axes[0] == "C":
        raise ValueError(
            f"it has {len(values)} channels, but a mask has one label per pixel. If they are "
            f"slices, save it with metadata={{'axes': 'ZYX'}}, photometric='minisblack'."
        )
    colors = values[:-1] if len(values) in (2, 4) else values  # alpha is not a label
    if not (colors == values[0]).all():
        raise ValueError("it is a mask in color. Store the number of the class in each pixel.")
    first: np.ndarray = values[0]
    return first
