"""Masks in color: which colors they hold, and what to do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._files.read import read_image

Colors = dict[tuple[int, ...], int]

_SHOWN = 10


class ColorMask(ValueError):
    """A mask is in color.

    Parameters
    ----------
    colors : dict of tuple of int to int
        The number of pixels of each color.
    """

    def __init__(self, colors: Colors) -> None:
        super().__init__("its mask is in color")
        self.colors = colors


def count_colors(path: Path) -> Colors | None:
    """Return the number of pixels of each color, None if a file has no colors."""
    try:
        pixels = read_image(path)
    except (ValueError, OSError, ImportError):
        return None
    if pixels.axes != "SYX" or len(pixels.values) not in (3, 4):
        return None
    colors, counts = np.unique(pixels.values[:3].reshape(3, -1), axis=1, return_counts=True)
    return dict(zip(map(tuple, colors.T.tolist()), counts.tolist(), strict=True))


def explain_colors(masks: Sequence[ColorMask]) -> str:
    """Return what the colors of masks are, the most frequent first, and how to say their labels."""
    total: Counter[tuple[int, ...]] = Counter()
    for mask in masks:
        total.update(mask.colors)
    n_pixels = sum(total.values())
    shown = [
        f"{','.join(map(str, color))} ({n / n_pixels:.1%})".replace("%", " %")
        for color, n in total.most_common(_SHOWN)
    ]
    more = f" and {len(total) - _SHOWN} more" if len(total) > _SHOWN else ""
    return (
        f"masks in color, with the colors {'; '.join(shown)}{more}. Pass --colors FILE.csv, with a "
        f"line name,r,g,b or r,g,b,label for each color"
    )
