"""The kinds of files, by their suffixes, and what reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import dicom, zarr_arrays
from .arrays import read_npy, read_npz
from .nifti import read_nifti
from .pictures import read_picture
from .pixels import Pixels
from .tiff import is_tiff, read_tiff

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class Kind(NamedTuple):
    """A kind of files.

    Attributes
    ----------
    suffixes : tuple of str
        How names of such files end, in lower case.
    read : callable
        Returns the ``Pixels`` of a path; ``mask=True`` keeps the numbers in the file.
    extra : str or None
        What to install for it: ``pip install 'sklearnloss[extra]'``.
    """

    suffixes: tuple[str, ...]
    read: Callable[..., Pixels]
    extra: str | None


def _read_picture_or_tiff(path: Path, *, mask: bool) -> Pixels:
    """Read a picture by its content, whatever its name."""
    return (read_tiff if is_tiff(path) else read_picture)(path, mask=mask)


KINDS = (
    Kind((".npy",), read_npy, None),
    Kind((".npz",), read_npz, None),
    Kind((".nii.gz", ".nii"), read_nifti, "medical"),
    Kind(dicom.DICOM, dicom.read_dicom, "medical"),
    Kind((".ome.zarr", ".zarr"), zarr_arrays.read_zarr, "zarr"),
    Kind((".ome.tif", ".ome.tiff", *sorted(PICTURES)), _read_picture_or_tiff, "images"),
)
SUFFIXES = frozenset(suffix for kind in KINDS for suffix in kind.suffixes)


def suffix(path: str | bytes | os.PathLike[str]) -> str:
    """Return the known suffix of a path, which may have two parts; else the last one.

    Examples
    --------
    >>> from sklearnloss._files.formats import suffix
    >>> suffix("a.NII.gz"), suffix("a.b.png"), suffix("notes.txt"), suffix("README")
    ('.nii.gz', '.png', '.txt', '')
    """
    name = Path(os.fsdecode(path)).name.lower()
    found = [each for each in SUFFIXES if name.endswith(each) and name != each]
    return max(found, key=len, default=Path(name).suffix)


def stem(path: str | bytes | os.PathLike[str]) -> str:
    """Return the name of a file or folder without its known suffix.

    Examples
    --------
    >>> from sklearnloss._files.formats import stem
    >>> stem("scans/a.nii.gz"), stem("a.ome.tif"), stem("a.b.png"), stem("1.2.840")
    ('a', 'a', 'a.b', '1.2.840')
    """
    name = Path(os.fsdecode(path)).name
    end = suffix(path)
    return name[: len(name) - len(end)] if end in SUFFIXES else name


def kind_of(path: str | bytes | os.PathLike[str]) -> Kind | None:
    """Return the kind of a file or folder, or None if it is unknown."""
    path = Path(os.fsdecode(path))
    end = suffix(path)
    for kind in KINDS:
        if end in kind.suffixes:
            return kind
    if path.is_dir():
        if zarr_arrays.is_zarr(path):
            return _by_reader(zarr_arrays.read_zarr)
        if dicom.dicom_files(path):
            return _by_reader(dicom.read_dicom)
        return None
    return _by_reader(dicom.read_dicom) if path.is_file() and dicom.is_dicom(path) else None


def is_image_folder(path: str | bytes | os.PathLike[str]) -> bool:
    """Return whether a folder is one image: Zarr, or the slices of a DICOM series.

    A folder of DICOM files that are each a series of their own, as radiographs are, is not
    one image but holds several. A folder with some slices of several series is one, and
    reading it raises an error.
    """
    path = Path(os.fsdecode(path))
    return path.is_dir() and (zarr_arrays.is_zarr(path) or dicom.is_series(path))


def _by_reader(read: Callable[..., Pixels]) -> Kind:
    return next(kind for kind in KINDS if kind.read is read)
