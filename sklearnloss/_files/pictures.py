"""Reads pictures with Pillow, as arrays of gray levels or colors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .limits import check_memory
from .pixels import Pixels

# Modes whose numbers directly represent gray levels or colors.
_PLAIN = {"1", "L", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def read_picture(path: Path, *, mask: bool) -> Pixels:
    """Read a file with Pillow; see :func:`from_pillow`."""
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
        If the picture is larger than Pillow considers plausible.
    """
    Image = import_optional("PIL.Image", f"Reading {quoted(path)}", "images")
    try:
        # Not by name: Pillow 13 would then map the file into memory, and mix up the rows of a
        # TIFF that it rotates.
        with path.open("rb") as file, Image.open(file) as picture:
            check_memory((picture.height, picture.width, len(picture.getbands())), 1)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"{error} If you trust the file, set PIL.Image.MAX_IMAGE_PIXELS = None."
        ) from error


def is_pillow(item: Any) -> bool:
    """Return whether an object is a Pillow image."""
    return any(cls.__module__ == "PIL.Image" for cls in type(item).__mro__)


def from_pillow(picture: Any, *, mask: bool) -> Pixels:
    """Return a picture, rotated according to its EXIF orientation.

    Parameters
    ----------
    picture : PIL.Image.Image
        In any mode.
    mask : bool
        Whether its numbers are labels: then palettes are not applied, except for gray levels
        in a GIF file, which cannot store them otherwise. For images, palettes, CMYK and other
        color models become gray levels or colors.

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
    if n_frames > 1 and picture.format != "MPO":  # from a phone, with previews after it
        raise ValueError(
            f"it has {n_frames} pages or frames. Expected one picture: save each as a separate "
            f"file."
        )
    _check_depth(picture)
    highest = _highest_number(picture)
    if mask and is_gray_gif(picture):
        picture = picture.convert("RGB").getchannel("R")
    picture.load()  # rotates a TIFF, which must then not be rotated again
    turned = ImageOps.exif_transpose(picture)
    values = np.asarray(_as_labels(turned) if mask else _as_colors(turned))
    if highest is not None:
        if mask:  # Pillow has stretched them
            values = np.round(values * (highest / (255 if values.dtype == np.uint8 else 65535)))
        values = values.astype(np.uint8 if highest < 256 else np.uint16)
    return Pixels(np.moveaxis(values, -1, 0), "SYX") if values.ndim > 2 else Pixels(values, "YX")


def _check_depth(picture: Any) -> None:
    """Raise an error for more than 8 bits per color, of which Pillow keeps 8."""
    tiles = [tile[3] for tile in getattr(picture, "tile", ())]
    arguments = [part for args in tiles for part in (args if isinstance(args, tuple) else (args,))]
    deep = any(
        (isinstance(part, str) and ";16" in part)
        or (picture.format == "PPM" and isinstance(part, int) and part > 255)
        for part in arguments
    )
    if deep and len(picture.getbands()) > 1:
        raise ValueError(
            "it has 16 bits per color, of which Pillow keeps 8. Save it as .npy, or as TIFF, "
            "which tifffile reads."
        )


def _highest_number(picture: Any) -> int | None:
    """Return the number that stands for white in a gray .pgm or .png file."""
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
    """Apply the palette of a picture: gray, colors, or colors and alpha."""
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
    """Return whether a picture has gray levels, which GIF files store in a palette."""
    return picture.format == "GIF" and picture.mode == "P" and _is_gray(palette_of(picture))


def _is_gray(palette: np.ndarray) -> bool:
    return bool((palette == palette[:, :1]).all())


def _as_labels(picture: Any) -> Any:
    """Return a picture with the numbers stored in the file."""
    if picture.mode not in ("P", "PA", *_PLAIN):
        raise ValueError(
            f"it is a mask of mode {picture.mode}. Store the number of the class in each pixel."
        )
    return picture.getchannel("P") if picture.mode == "PA" else picture
