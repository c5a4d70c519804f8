"""Saves labels and probabilities as images, completely or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .._utils.temporary_file import replacing
from .dtypes import smallest_dtype
from .formats import suffix
from .output import FilePath, import_tifffile, tiff_options
from .row_writer import open_writer

__all__ = ["open_writer", "smallest_dtype", "write_labels", "write_probabilities"]

_TIFF, _NIFTI = (".tif", ".tiff", ".ome.tif", ".ome.tiff"), (".nii", ".nii.gz")


def write_labels(
    path: FilePath,
    labels: np.ndarray,
    like: FilePath | None = None,
    *,
    multilabel: bool = False,
    nodata: int | None = None,
) -> None:
    """Write a mask, with the smallest dtype that holds its labels.

    Parameters
    ----------
    path : str, bytes or path
        Ends in .png, .tif, .tiff, .nii, .nii.gz or .npy. It is replaced once everything is
        on the disk.
    labels : ndarray of int or bool, of shape (*spatial), or (K, *spatial) if multilabel
        The label of each pixel. PNG holds two-dimensional masks with labels up to 65535.
    like : str, bytes, path or None, default=None
        The image that the mask is of. If both are TIFF, the mask gets its georeference; if
        both are NIfTI, its position in space, from the qform, the sform and the zooms.
    multilabel : bool, default=False
        Whether the first axis are labels, which may overlap.
    nodata : int or None, default=None
        The label of pixels without data, which GeoTIFF declares as such.

    Raises
    ------
    ValueError
        If the kind of file cannot hold the labels, or ``like`` is of another size.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from sklearnloss._files.read import read_mask
    >>> from sklearnloss._files.write import write_labels
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_labels(f"{folder}/mask.npy", np.array([[0, 300], [1, 2]]))
    ...     print(read_mask(f"{folder}/mask.npy").dtype)
    uint16
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biu":
        raise ValueError(f"labels are of dtype {labels.dtype}. Expected integers.")
    if labels.size:
        labels = labels.astype(smallest_dtype(int(labels.max()), int(labels.min())))
    elif labels.dtype == bool:
        labels = labels.astype(np.uint8)
    _write(path, labels, like, channels=multilabel, nodata=nodata)


def write_probabilities(path: FilePath, p: np.ndarray, like: FilePath | None = None) -> None:
    """Write the probabilities of each class as 32-bit real numbers.

    Parameters
    ----------
    path : str, bytes or path
        Ends in .tif, .tiff, .nii, .nii.gz or .npy; see :func:`write_labels`.
    p : ndarray of shape (n_classes, *spatial)
        The probabilities. TIFF files get the axes CYX or CZYX, NIfTI files have the classes
        along the fourth axis.
    like : str, bytes, path or None, default=None
        See :func:`write_labels`.
    """
    _write(path, np.asarray(p, np.float32), like, channels=True, nodata=None)


def _write(
    path: FilePath, values: np.ndarray, like: FilePath | None, *, channels: bool, nodata: int | None
) -> None:
    n_axes = values.ndim - channels
    if n_axes not in (2, 3):
        raise ValueError(
            f"values of shape {values.shape} are no mask. Expected an image or a volume"
            f"{', after one axis of classes' if channels else ''}."
        )
    axes = ("C" if channels else "") + "ZYX"[-n_axes:]
    kind = suffix(path)
    source = None if like is None else Path(os.fsdecode(like))
    if kind == ".png":
        _check_png(path, values)
    elif kind not in (*_TIFF, *_NIFTI, ".npy"):
        raise ValueError(
            f"{quoted(path)} is of a kind that masks are not written in. Expected a name that "
            f"ends in .png, .tif, .tiff, .nii, .nii.gz or .npy."
        )
    with replacing(path) as (_, file):
        if kind == ".png":
            write_png(file, values)
        elif kind == ".npy":
            np.save(file, values, allow_pickle=False)
        elif kind in _TIFF:
            import_tifffile(path).imwrite(
                file,
                values,
                compression="zlib",
                **tiff_options(path, values.shape, axes, source, nodata),
            )
        else:
            _write_nifti(path, file, values, axes, source)


def _check_png(path: FilePath, values: np.ndarray) -> None:
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        what = f"of shape {values.shape}" if values.ndim != 2 else f"of {values.dtype} numbers"
        raise ValueError(
            f"{quoted(path)} cannot hold values {what}: PNG holds two-dimensional masks with "
            f"labels from 0 to 65535. Write .tif or .npy."
        )


def write_png(file: IO[bytes], values: np.ndarray) -> None:
    """Write gray levels or colors as a PNG file."""
    import_optional("PIL.Image", "Writing .png", "images").fromarray(values).save(file, "PNG")


def _write_nifti(
    path: FilePath, file: IO[bytes], values: np.ndarray, axes: str, like: Path | None
) -> None:
    """Write a volume in the order of voxels of its source."""
    nibabel = import_optional("nibabel", f"Writing {quoted(path)}", "medical")
    if values.dtype.kind == "u" and values.dtype.itemsize == 8:
        raise ValueError(f"{quoted(path)} cannot hold labels beyond 2**32. Write .npy.")
    header = _source_header(values.shape[axes[0] == "C" :], like)
    if "Z" not in axes and (axes[0] == "C" or header is not None):
        values = values[..., None]
    if axes[0] == "C":
        values = np.moveaxis(values, 0, -1)
    is_second = header is not None and header.sizeof_hdr == 540
    image_class = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
    affine = np.eye(4) if header is None else None  # that of the header
    image = image_class(values, affine, header, dtype=values.dtype)
    image.header.set_slope_inter(1, 0)
    opened: Any = contextlib.nullcontext(file)
    if suffix(path) == ".nii.gz":
        # Without the name and time of writing: the same labels make the same file.
        opened = gzip.GzipFile("", "wb", 6, file, mtime=0)
    with opened as stream:
        image.to_stream(stream)


def _source_header(size: tuple[int, ...], like: Path | None) -> Any:
    """Return the header of a NIfTI file, without what describes its numbers."""
    if like is None or suffix(like) not in _NIFTI:
        return None
    from .nifti import read_header

    header = read_header(like)
    found = tuple(header.get_data_shape()[:3])
    if found[:2] + tuple(n for n in found[2:] if n > 1) != tuple(size):
        raise ValueError(
            f"{quoted(like)} has {' x '.join(map(str, found))} voxels, but the values are of shape "
            f"{size}. Its position in space does not fit to them."
        )
    header["cal_min"] = header["cal_max"] = 0
    header["descrip"] = header["aux_file"] = b""
    header.set_intent("none")
    return header
