"""A check that numbers mean the same class in all masks with palettes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..._files.pictures import is_gray_gif, open_picture, palette_of
from .mask_classes import PYTHON, Advice

_MAY_HAVE_PALETTES = {".bmp", ".gif", ".png"}


def check_palettes(paths: Iterable[Path], *, advice: Advice = PYTHON) -> None:
    """Raise a ValueError if one number has different colors in two masks.

    Some programs renumber the colors of each picture: 1 in one mask may be 2 in the
    next. GIF files with gray levels are read as such, so they are not affected.

    Parameters
    ----------
    paths : iterable of Path
        Mask files, with or without a palette.
    advice : Advice, default=PYTHON
        How to phrase the advice.
    """
    palettes = {path: _palette(path) for path in paths if path.suffix.lower() in _MAY_HAVE_PALETTES}
    known = {path: palette for path, palette in palettes.items() if palette is not None}
    if len({palette.tobytes() for palette in known.values()}) < 2:
        return
    first: dict[int, tuple[tuple[int, ...], Path]] = {}
    for path, palette in known.items():
        for number in _used(path):
            color = tuple(palette[number].tolist())
            before, other = first.setdefault(number, (color, path))
            if before != color:
                raise ValueError(
                    f"The masks have palettes that differ: {number} is the color {before} in "
                    f"{str(other)!r}, but {color} in {str(path)!r}. Store the number of the class "
                    f"in each pixel, as gray levels. If the numbers already are classes, "
                    f"{advice.any_classes}."
                )


def _palette(path: Path) -> np.ndarray | None:
    """Return colors of shape (n, 3), None if pixels are not color indices."""
    with open_picture(path) as picture:
        if picture.mode != "P" or is_gray_gif(picture):
            return None
        return palette_of(picture)


def _used(path: Path) -> list[int]:
    with open_picture(path) as picture:
        return [int(number) for number in np.unique(np.asarray(picture))]
