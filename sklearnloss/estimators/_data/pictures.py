"""Pictures that Pillow opens, as arrays of gray levels or colors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .pixels import Pixels

# Modes whose numbers are gray levels or colors as they stand.
_PLAIN = {"1", "L", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def read_picture(path: Path, *, mask: bool) -> Pixels:
    """Read a file with Pillow, as :func:`from_pillow` does a picture."""
    with open_picture(path) as picture:
        return from_pillow(picture, mask=mask)


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[Any]:
    """Open a file with Pillow.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If the picture would be larger than Pillow takes for possible.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs Pillow: pip install 'sklearnloss[images]'"
        ) from error
    try:
        # Not by its name: Pillow 13 maps the file into memory then, and mixes up the rows of
        # a TIFF that it turns.
        with path.open("rb") as file, Image.open(file) as picture:
            yield picture
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{error} If you trust the file, set PIL.Image.MAX_IMAGE_PIXELS = None."
        ) from error


def is_pillow(item: Any) -> bool:
    """Return whether an object is a picture of Pillow's."""
    return any(cls.__module__ == "PIL.Image" for cls in type(item).__mro__)


def from_pillow(picture: Any, *, mask: bool) -> Pixels:
    """Return a picture, turned as its EXIF orientation says.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of any mode.
    mask : bool
        Whether its numbers are labels: then a palette is left alone, but for gray levels in
        a GIF file, which has no other way to write them. Otherwise it becomes gray levels
        or colors, as do CMYK and other ways to write colors.

    Returns
    -------
    pixels : Pixels
        With axes "YX" or "SYX".

    Raises
    ------
    ValueError
        If there are several pictures, or Pillow would change the numbers.
    """
    from PIL import ImageOps

    n_frames = getattr(picture, "n_frames", 1)
    if n_frames > 1 and picture.format != "MPO":  # a phone's, with previews behind
        raise ValueError(
            f"it has {n_frames} pages or frames. Expected one picture: write each to a file of its "
            f"own."
        )
    _check_depth(picture)
    highest = _highest_number(picture)
    if mask and is_gray_gif(picture):
        picture = picture.convert("RGB").getchannel("R")
    picture.load()  # turns a TIFF by itself, which then must not be turned again
    turned = ImageOps.exif_transpose(picture)
    values = np.asarray(_as_labels(turned) if mask else _as_colors(turned))
    if highest is not None:
        if mask:  # Pillow stretched them
            values = np.round(values * (highest / (255 if values.dtype == np.uint8 else 65535)))
        values = values.astype(np.uint8 if highest < 256 else np.uint16)
    return Pixels(np.moveaxis(values, -1, 0), "SYX") if values.ndim > 2 else Pixels(values, "YX")


def _check_depth(picture: Any) -> None:
    """Raise for more than 8 bits per color, of which Pillow keeps 8."""
    tiles = [tile[3] for tile in getattr(picture, "tile", ())]
    arguments = [part for args in tiles for part in (args if isinstance(args, tuple) else (args,))]
    deep = any(
        (isinstance(part, str) and ";16" in part)
        or (picture.format == "PPM" and isinstance(part, int) and part > 255)
        for part in arguments
    )
    if deep and len(picture.getbands()) > 1:
        raise ValueError(
            "it has 16 bits per color, of which Pillow keeps 8. Write it as .npy, or as TIFF, "
            "which is read by tifffile."
        )


def _highest_number(picture: Any) -> int | None:
    """Return the number that stands for white in a gray file of the kind .pgm or .png."""
    if picture.format == "PPM" and picture.mode in ("L", "I") and picture.tile:
        arguments = picture.tile[0][3]
        return int(arguments[1]) if isinstance(arguments, tuple) else 255
    return 65535 if picture.format == "PNG" and picture.mode == "I" else None


def _as_colors(picture: Any) -> Any:
    if picture.mode in ("P", "PA"):
        return _without_palette(picture)
    if picture.mode in _PLAIN:
        return picture
    return picture.convert({"La": "LA", "RGBa": "RGBA"}.get(picture.mode, "RGB"))


def _without_palette(picture: Any) -> Any:
    """Return a picture as what its palette shows: gray, colors, or colors and alpha."""
    if picture.mode == "PA" or "transparency" in picture.info:
        colored = picture.convert("RGBA")
        if colored.getchannel("A").getextrema()[0] < 255:
            return colored
        colored = colored.convert("RGB")
    else:
        colored = picture.convert("RGB")
    return colored.getchannel("R") if _is_gray(palette_of(picture)) else colored


def palette_of(picture: Any) -> np.ndarray:
    """Return the colors of a picture of mode P, of shape (n, 3)."""
    return np.reshape(picture.getpalette("RGB"), (-1, 3))


def is_gray_gif(picture: Any) -> bool:
    """Return whether a picture is of gray levels, which GIF files have in a palette."""
    return picture.format == "GIF" and picture.mode == "P" and _is_gray(palette_of(picture))


def _is_gray(palette: np.ndarray) -> bool:
    return bool((palette == palette[:, :1]).all())


def _as_labels(picture: Any) -> Any:
    """Return a picture whose numbers are those of the file."""
    if picture.mode not in ("P", "PA", *_PLAIN):
        raise ValueError(
            f"it is a mask of the mode {picture.mode}. Write the number of its class to each pixel."
        )
    return picture.getchannel("P") if picture.mode == "PA" else picture
