"""Reads image and mask files as arrays with known axes."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .pictures import read_picture
from .pixels import Pixels, one_label_per_pixel
from .tiff import is_tiff, read_tiff

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# NumPy parses array headers with the parser for Python literals, which is not thread-safe in
# Python 3.11: https://github.com/python/cpython/issues/106905
_HEADER = threading.Lock()
# First bytes of placeholder files.
_POINTERS = {
    b"version https://git-lfs": "it is a Git LFS pointer: fetch the file with git lfs pull",
    b"/annex/objects/": "it is a git-annex pointer: fetch the file with git annex get",
}


def read_image(path: str | bytes | os.PathLike[str]) -> Pixels:
    """Read an image: .npy, .npz with one array, or a picture.

    Parameters
    ----------
    path : str, bytes or path
        PNG, JPEG and the like are read by Pillow, TIFF by tifffile if it is installed.
        Pictures are rotated according to their EXIF orientation; palettes, CMYK and the
        like become gray levels or red, green and blue.

    Returns
    -------
    pixels : Pixels
        Without axes for a .npy or .npz file: its layout is the user's choice.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, or ambiguous.
    ImportError
        If the library for it is not installed.
    """
    return _read(path, mask=False)


def read_mask(path: str | bytes | os.PathLike[str], *, multilabel: bool = False) -> np.ndarray:
    """Read a mask like :func:`read_image` reads an image, but keep the numbers in the file.

    Parameters
    ----------
    path : str, bytes or path
        Palettes are not applied: the index of a color is the label.
    multilabel : bool, default=False
        Whether a file may have one channel per label.

    Returns
    -------
    mask : ndarray of shape (*spatial) or, multilabel, (K, *spatial)
        Arrays in .npy and .npz files are returned as they are.
    """
    pixels = _read(path, mask=True)
    if multilabel:
        return pixels.values
    with naming(path):
        return one_label_per_pixel(pixels)


def _read(path: str | bytes | os.PathLike[str], *, mask: bool) -> Pixels:
    path = _as_path(path)
    suffix = path.suffix.lower()
    with naming(path):
        if suffix in (".npy", ".npz"):
            values = _read_array(path) if suffix == ".npy" else _only_array(path)
            return Pixels(values, None).native()
        if suffix in PICTURES:
            read = read_tiff if is_tiff(path) else read_picture
            return read(path, mask=mask).native()
    raise ValueError(
        f"{str(path)!r} is of an unknown kind. Expected .npy, .npz or a picture: "
        f"{', '.join(sorted(PICTURES))}. Read other kinds yourself, in a torch Dataset."
    )


def _as_path(path: str | bytes | os.PathLike[str]) -> Path:
    return Path(os.fsdecode(path))


class FileError(ValueError):
    """A file cannot be read, or is ambiguous.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{str(path)!r} cannot be read: {reason}")
        self.reason = reason


@contextlib.contextmanager
def naming(path: str | bytes | os.PathLike[str]) -> Iterator[None]:
    """Make every error name the file and say what is wrong with it."""
    path = _as_path(path)
    try:
        yield
    except FileNotFoundError as error:
        if path.is_symlink():
            raise FileNotFoundError(
                f"{str(path)!r} is a link to {os.readlink(path)!r}, which is missing. Fetch the "
                f"file first, with git annex get or dvc pull, or leave it out."
            ) from error
        raise
    except (FileError, ImportError, PermissionError):
        raise
    except Exception as error:  # libraries may raise anything for a broken file
        raise FileError(path, _reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    if path.is_dir():
        return "it is a folder. Expected a file."
    if path.stat().st_size == 0:
        return "it is empty."
    with path.open("rb") as file:
        start = file.read(64)
    for pointer, reason in _POINTERS.items():
        if start.startswith(pointer):
            return f"{reason}."
    if isinstance(error, MemoryError):
        return f"there is not enough memory for it ({error}). Is its header damaged?"
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is not a picture of a known kind, or damaged."
    if "pickle" in str(error):  # NumPy would suggest running its contents
        return "it holds Python objects, not an array of numbers."
    return " ".join(str(error).split()) or type(error).__name__


def _read_array(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("it does not start like a .npy file.")
    with _HEADER:
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # not mappable; reading may give a better error
            return np.asarray(np.load(path, allow_pickle=False))
    return np.array(mapped)


def _only_array(path: Path) -> np.ndarray:
    with _HEADER, open_archive(path) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"it holds {len(arrays.files)} arrays, {arrays.files}. Expected one.")
        return np.asarray(arrays[arrays.files[0]])


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Any]:
    """Open a .npz file; it is closed even if it is damaged."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise ValueError("it does not start like a .npz file.")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays
