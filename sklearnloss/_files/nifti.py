"""Reads NIfTI files, .nii and .nii.gz, with nibabel."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .dtypes import as_integers
from .limits import MOST_COMPRESSED, check_memory, check_stored
from .pixels import Pixels

_SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}


def read_nifti(path: Path, *, mask: bool) -> Pixels:
    """Read an image, a volume, or one of these with channels.

    The order of the voxels is that of the file, as nibabel returns it: the first axis of the
    file is the first spatial axis. Nothing is rotated into a standard orientation. A third
    axis of one element makes a two-dimensional image. The fourth axis (and the fifth, if the
    fourth has one element) are the channels. The header's scale is applied. Extensions of
    the header are not read.

    Parameters
    ----------
    path : Path
        The file, compressed or not, whatever its name.
    mask : bool
        Whether its numbers are labels, which become integers.

    Returns
    -------
    pixels : Pixels
        With the axes "YX", "CYX", "ZYX" or "CZYX", or S instead of C for colors. Letters
        stand for the first, second and third spatial axis. The spacing is in the file's
        unit, mostly mm.

    Raises
    ------
    ValueError
        If it is not an image, or damaged.
    ImportError
        If nibabel is not installed.
    """
    header = read_header(path)
    shape = header.get_data_shape()
    size, is_compressed = path.stat().st_size, _is_compressed(path)
    dtype = _checked_dtype(header)
    stored = size if is_compressed else size - int(header.get_data_offset())
    compression = MOST_COMPRESSED if is_compressed else 1
    check_stored(shape, dtype.itemsize, stored, compression=compression)
    check_memory(shape, dtype.itemsize)
    values, axes = with_axes(_numbers(path, header))
    zooms = header.get_zooms()
    spacing: tuple[float, ...] | None = tuple(
        float(size) for size in zooms[: len(axes.strip("CS"))]
    )
    if not all(np.isfinite(size) and size > 0 for size in spacing or ()):
        spacing = None
    return Pixels(as_integers(values) if mask else values, axes, spacing)


def read_header(path: Path) -> Any:
    """Return nibabel's header, without its extensions.

    Raises
    ------
    ValueError
        If the file does not start like a NIfTI file.
    """
    nibabel = import_optional("nibabel", f"Reading {quoted(path)}", "medical")
    with open_nifti(path) as file:
        start = file.read(540)
    for order in ("<", ">"):
        n_bytes = int.from_bytes(start[:4], "little" if order == "<" else "big")
        if n_bytes in _SIZES and len(start) >= n_bytes:
            header = getattr(nibabel, _SIZES[n_bytes])(start[:n_bytes], order, check=False)
            n_axes = int(header["dim"][0])
            if not 1 <= n_axes <= 7 or (header["dim"][1 : n_axes + 1] < 1).any():
                raise ValueError(f"its header has the dimensions {header['dim'].tolist()}.")
            offset = float(header["vox_offset"])
            if not n_bytes <= offset < 2**40:
                raise ValueError(f"its numbers start at {offset:.0f}, says its header.")
            return header
    raise ValueError("it does not start like a NIfTI file (.nii or .nii.gz).")


@contextlib.contextmanager
def open_nifti(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if needed."""
    with path.open("rb") as file:
        if not _is_compressed(path):
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked  # type: ignore[misc]


def with_axes(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return channels first, and the letters of the axes."""
    colors = values.dtype.names
    if colors is not None:
        values = np.stack([values[name] for name in colors])
    first = 1 if colors else 0
    spatial, others = values.shape[first:][:3], values.shape[first:][3:]
    many = [size for size in others if size > 1]
    if len(spatial) < 2 or len(many) > 1 or (many and colors):
        raise ValueError(
            f"it is of shape {values.shape[first:]}. Expected an image or a volume, with channels "
            f"along the fourth axis, if any: save each volume as a separate file."
        )
    if len(spatial) == 3 and spatial[2] == 1:
        spatial = spatial[:2]
    letters = "YX" if len(spatial) == 2 else "ZYX"
    if colors:
        return values.reshape(len(colors), *spatial), f"S{letters}"
    values = values.reshape(*spatial, *many)
    return (np.moveaxis(values, -1, 0), f"C{letters}") if many else (values, letters)


def _numbers(path: Path, header: Any) -> np.ndarray:
    """Return the scaled numbers, as few bytes each as they need."""
    from nibabel.arrayproxy import ArrayProxy

    slope, intercept = header.get_slope_inter()
    is_scaled = (slope, intercept) not in ((None, None), (1, 0))
    with open_nifti(path) as file:
        proxy = ArrayProxy(file, header, mmap=False)
        values = np.asarray(proxy, np.float32) if is_scaled else np.asarray(proxy.get_unscaled())
    return values.astype(np.float64) if values.dtype == np.longdouble else values


def _checked_dtype(header: Any) -> np.dtype:
    dtype: np.dtype = np.dtype(header.get_data_dtype())
    if dtype.kind == "c":
        raise ValueError("it holds complex numbers. Save their magnitudes, for example.")
    if dtype.names is None and dtype.kind not in "biuf":
        raise ValueError(f"it holds values of the type {dtype}. Expected numbers.")
    return dtype


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
