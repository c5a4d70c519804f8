"""Converts pictures to gray levels or to red, green and blue, and colored masks to labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from .dtypes import smallest_dtype
from .pixels import stacked

Color = tuple[int, int, int]

# Pillow's weights of red, green and blue (ITU-R 601-2), as fractions of 65536.
_LUMA = (19595, 38470, 7471)


def convert_colors(values: np.ndarray, axis: int | None, to: Literal["gray", "rgb"]) -> np.ndarray:
    """Return an image in gray, without a channel axis, or in red, green and blue.

    Parameters
    ----------
    values : ndarray
        Gray levels, or red, green and blue, without opacity. A gray level is masked if one of
        its colors is.
    axis : int or None
        The channel axis, of length 1 or 3; None if there is none.
    to : {"gray", "rgb"}
        What to return.

    Returns
    -------
    converted : ndarray
        Of the same dtype, without the axis; or with it, with a length of 3.
    """
    if axis is not None and values.shape[axis] == 1:
        values, axis = values.squeeze(axis), None
    if to == "gray":
        return values if axis is None else _as_gray(values, axis)
    if axis is not None:
        return values
    return stacked([values] * 3)


def _as_gray(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the weighted mean of red, green and blue, computed as Pillow does for 8 bits."""
    exact = np.uint32 if values.dtype in (np.uint8, np.uint16) else np.float64
    colors = np.moveaxis(np.ma.getdata(values), axis, 0)
    weighted = [color.astype(exact) * exact(w) for color, w in zip(colors, _LUMA, strict=True)]
    total = weighted[0] + weighted[1] + weighted[2]
    if exact is np.uint32:
        mean = (total + 0x8000) >> 16
    else:
        mean = np.rint(total / 65536) if values.dtype.kind in "iu" else total / 65536
    gray: np.ndarray = mean.astype(values.dtype)
    if not isinstance(values, np.ma.MaskedArray):
        return gray
    return np.ma.MaskedArray(gray, np.ma.getmaskarray(values).any(axis))


def colors_to_labels(colors: np.ndarray, table: Mapping[Color, int], *, jpeg: bool) -> np.ndarray:
    """Return the label of each pixel's color.

    Parameters
    ----------
    colors : ndarray of shape (3, *spatial), uint8
        Red, green and blue.
    table : dict of (red, green, blue) to int
        The labels.
    jpeg : bool
        Whether the colors come from a JPEG file, for the error.

    Returns
    -------
    labels : ndarray of shape (*spatial)
        Of a dtype that holds all labels of the table.

    Raises
    ------
    ValueError
        If a color is not in the table; the message names the most frequent one.
    """
    red, green, blue = colors.astype(np.uint32)
    codes = (red << 16) | (green << 8) | blue
    order = sorted(table)
    known = np.array([(red << 16) | (green << 8) | blue for red, green, blue in order], np.uint32)
    labels = np.array([table[color] for color in order])
    position = np.searchsorted(known, codes).clip(max=len(known) - 1)
    unknown = known[position] != codes
    if unknown.any():
        raise ValueError(_unknown(codes[unknown], order, jpeg))
    smallest = smallest_dtype(int(labels.max()), int(labels.min()))
    found: np.ndarray = labels.astype(smallest)[position]
    return found


def _unknown(codes: np.ndarray, known: list[Color], jpeg: bool) -> str:
    found, counts = np.unique(codes, return_counts=True)
    most = int(found[counts.argmax()])
    color = (most >> 16, most >> 8 & 255, most & 255)
    others = f" {len(found) - 1} other colors are missing, too." if len(found) > 1 else ""
    listed = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
    why = (
        " JPEG compression blurs colors: save masks as PNG, from the originals."
        if jpeg
        else " Add it to colors, with the label that it stands for."
    )
    return (
        f"the color {color} of {int(counts.max())} pixels is not in colors, which has {listed}."
        f"{others}{why}"
    )
