"""One image or mask from a file."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_TIFF = {".tif", ".tiff"}
# NumPy parses the header of an array as Python does a literal, at which threads of Python
# 3.11 disturb each other: https://github.com/python/cpython/issues/106905
_HEADER = threading.Lock()


def read_file(path: str | os.PathLike[str], channels: Literal["first", "last"]) -> np.ndarray:
    """Read an image or mask: .npy, .npz with one array, or a picture.

    Parameters
    ----------
    path : str or path
        PNG, JPEG, TIFF and the like are read by Pillow, TIFF by tifffile where it
        is installed.
    channels : {"first", "last"}
        Where a colour picture gets its channels. Arrays stay as they are.

    Returns
    -------
    image : ndarray of shape (H, W), or with channels

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind.
    ImportError
        If a picture is to be read and Pillow is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _read_array(path)
    if suffix == ".npz":
        return _only_array(path)
    if suffix not in PICTURES:
        raise ValueError(
            f"{str(path)!r} is of no known kind. Expected .npy, .npz or a picture: "
            f"{', '.join(sorted(PICTURES))}. Read others yourself, in a torch Dataset."
        )
    picture = _read_picture(path, suffix)
    colour = picture.ndim == 3 and picture.shape[-1] in (2, 3, 4)
    return np.moveaxis(picture, -1, 0) if colour and channels == "first" else picture


def _read_array(path: Path) -> np.ndarray:
    with _HEADER:
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # what cannot be mapped, and may say better why it cannot be read
            return np.asarray(np.load(path, allow_pickle=False))
    return np.array(mapped)


def _only_array(path: Path) -> np.ndarray:
    with _HEADER, np.load(path, allow_pickle=False) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(
                f"{str(path)!r} holds {len(arrays.files)} arrays, {arrays.files}. Expected one."
            )
        return np.asarray(arrays[arrays.files[0]])


def _read_picture(path: Path, suffix: str) -> np.ndarray:
    unread = None
    if suffix in _TIFF:
        try:
            import tifffile

            return np.asarray(tifffile.imread(path))
        except ImportError:  # Pillow reads the simpler ones
            pass
        except ValueError as error:  # and some compressions that tifffile needs imagecodecs for
            unread = error
    image: Any = _import_pillow(path)
    with image.open(path) as picture:
        if unread is not None and getattr(picture, "n_frames", 1) > 1:
            raise unread  # Pillow would read the first page only
        return np.asarray(picture)


def _import_pillow(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs Pillow: pip install pillow (and tifffile, for TIFF files "
            f"with more than colours)."
        ) from error
    return Image
