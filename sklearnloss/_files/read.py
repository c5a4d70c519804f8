"""Reads image and mask files as arrays with known axes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._utils.printable import printable, quoted
from .arrays import open_archive
from .formats import PICTURES, kind_of
from .pixels import Pixels, one_label_per_pixel

__all__ = ["PICTURES", "FileError", "naming", "open_archive", "read_image", "read_mask"]

# First bytes of placeholder files.
_POINTERS = {
    b"version https://git-lfs": "it is a Git LFS pointer: fetch the file with git lfs pull",
    b"/annex/objects/": "it is a git-annex pointer: fetch the file with git annex get",
}


def read_image(path: str | bytes | os.PathLike[str]) -> Pixels:
    """Read an image: an array, a picture, or a scan.

    Parameters
    ----------
    path : str, bytes or path
        PNG, JPEG and the like are read by Pillow, TIFF by tifffile if it is installed.
        Pictures are rotated according to their EXIF orientation; palettes, CMYK and the
        like become gray levels or red, green and blue. NIfTI (.nii, .nii.gz) keeps the
        order of voxels of the file; DICOM is a file, or a folder that directly holds the
        slices of one series; a .zarr folder holds one array or one OME-Zarr image.

    Returns
    -------
    pixels : Pixels
        Without axes for .npy and .npz files, and Zarr arrays that do not name them: their
        layout is the user's choice.

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
        Arrays without axes are returned as they are.
    """
    pixels = _read(path, mask=True)
    if multilabel:
        return pixels.values
    with naming(path):
        return one_label_per_pixel(pixels)


def _read(path: str | bytes | os.PathLike[str], *, mask: bool) -> Pixels:
    path = _as_path(path)
    with naming(path):
        check_no_pipe(path)
        kind = kind_of(path)
        if kind is not None:
            path.stat()  # a missing file is named as such
            return kind.read(path, mask=mask).native()
        if path.is_dir():
            raise ValueError(
                "it is a folder. Expected a file, a .zarr folder, or a folder that directly "
                "holds the .dcm files of a series."
            )
    raise ValueError(
        f"{quoted(path)} is of an unknown kind. Expected .npy, .npz or a picture: "
        f"{', '.join(sorted(PICTURES))}; or .nii, .nii.gz, .dcm or .zarr. Read other kinds "
        f"yourself, in a torch Dataset."
    )


def check_no_pipe(path: Path) -> None:
    """Raise an error for pipes and devices, from which reading may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("it is a pipe or a device. Expected a file.")


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
        self.reason = printable(reason)
        super().__init__(f"{quoted(path)} cannot be read: {self.reason}")


@contextlib.contextmanager
def naming(path: str | bytes | os.PathLike[str]) -> Iterator[None]:
    """Make every error name the file and say what is wrong with it."""
    path = _as_path(path)
    try:
        yield
    except FileNotFoundError as error:
        if path.is_symlink():
            raise FileNotFoundError(
                f"{quoted(path)} is a link to {os.readlink(path)!r}, which is missing. Fetch the "
                f"file first, with git annex get or dvc pull, or leave it out."
            ) from error
        raise
    except (FileError, ImportError, PermissionError):
        raise
    except Exception as error:  # libraries may raise anything for a broken file
        raise FileError(path, _reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, IsADirectoryError):
        return "it is a folder. Expected a file."
    if path.is_file():
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
