"""A check that a number means the same class in all masks that have palettes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .mask_classes import PYTHON, Advice
from .pictures import is_gray_gif, open_picture, palette_of

_MAY_HAVE_PALETTES = {".bmp", ".gif", ".png"}


def check_palettes(paths: Iterable[Path], *, advice: Advice = PYTHON) -> None:
    """Raise a ValueError if one number has different colors in two masks.

    Some programs number the colors of each picture anew: what is 1 in a mask may be 2 in
    the next one. GIF files in gray levels are read as these, and are no matter here.

    Parameters
    ----------
    paths : iterable of Path
        Files of masks; those without a palette may be among them.
    advice : Advice, default=PYTHON
        What to tell the user to do.
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
                    f"{str(other)!r}, but {color} in {str(path)!r}. Write the number of its class "
                    f"to each pixel, as gray levels. If the numbers are classes as they are, "
                    f"{advice.any_classes}."
                )


def _palette(path: Path) -> np.ndarray | None:
    """Return colors of shape (n, 3), None if pixels are not numbers of colors."""
    with open_picture(path) as picture:
        if picture.mode != "P" or is_gray_gif(picture):
            return None
        return palette_of(picture)


def _used(path: Path) -> list[int]:
    with open_picture(path) as picture:
        return [int(number) for number in np.unique(np.asarray(picture))]
