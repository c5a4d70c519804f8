"""Where images are in space, by the headers of NIfTI and GeoTIFF files."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.printable import printable
from .formats import suffix
from .read import naming
from .tiff import is_tiff

Place = tuple[np.ndarray, tuple[int, ...]]


def check_same_place(files: Sequence[str | bytes | os.PathLike[str]]) -> None:
    """Raise a ValueError if an image, its channels and its masks are not in the same place.

    Files that do not say where they are, or are of different kinds, are not compared. Half a
    pixel of difference is allowed at any corner, for headers are rounded.

    Parameters
    ----------
    files : sequence of paths
        The files, the image first.

    Examples
    --------
    >>> from sklearnloss._files.place import check_same_place
    >>> check_same_place(["image.png", "mask.png"])
    """
    first, *others = (Path(os.fsdecode(file)) for file in files)
    place = _place_of(first)
    if place is None:
        return
    for other in others:
        found = _place_of(other) if (suffix(other) in _NIFTI) == (suffix(first) in _NIFTI) else None
        distance = 0.0 if found is None else _distance(place, found)
        if distance > 0.5:
            name = printable(f"{other.parent.name}/{other.name}")
            raise ValueError(
                f"by its header, {name!r} is up to {distance:.3g} pixels away from the image: "
                f"resample one onto the other; or, if their pixels do match, copy the header"
            )


_NIFTI = (".nii", ".nii.gz")


def _place_of(path: Path) -> Place | None:
    """Return the matrix from pixels to space, and the size; None if a file does not say it."""
    with naming(path):
        if suffix(path) in _NIFTI:
            return _of_nifti(path)
        if suffix(path) in (".tif", ".tiff") and is_tiff(path):
            return _of_tiff(path)
    return None


def _of_nifti(path: Path) -> Place | None:
    from .nifti import read_header

    header = read_header(path)
    matrix = np.asarray(header.get_best_affine())
    says = header["sform_code"] > 0 or header["qform_code"] > 0
    # The unit matrix is what programs write that have lost the place.
    if not says or (matrix == np.eye(4)).all() or not np.isfinite(matrix).all():
        return None
    size = (*header.get_data_shape()[:3], 1, 1)[:3]
    return matrix[:3], size


def _of_tiff(path: Path) -> Place | None:
    try:
        import tifffile
    except ImportError:
        return None
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages.first
        scale, ties, matrix = (page.tags.get(code) for code in (33550, 33922, 34264))
        size = (page.imagewidth, page.imagelength)
        if matrix is not None:
            found = np.reshape(matrix.value, (4, 4))[:2]
        elif scale is not None and ties is not None and len(ties.value) == 6:
            (dx, dy), (column, row, _, x, y, _) = scale.value[:2], ties.value
            found = np.array([[dx, 0, 0, x - column * dx], [0, -dy, 0, y + row * dy]])
        else:
            return None
    found = found[:, [0, 1, 3]].astype(float)
    return (found, size) if np.isfinite(found).all() else None


def _distance(one: Place, other: Place) -> float:
    """Return how far a pixel is from itself, in pixels, at the worst corner of the first image."""
    matrix, size = one
    corners = np.array(list(itertools.product(*((0, n - 1) for n in size), (1,))), float)
    moved = np.linalg.norm(corners @ (other[0] - matrix).T, axis=1).max()
    steps = np.linalg.norm(matrix[:, :-1], axis=0)
    return float(moved / steps[steps > 0].min()) if steps.any() else 0.0
