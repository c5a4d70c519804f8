"""Writes images that are larger than memory, row by row."""

from __future__ import annotations

import math
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from .._utils.printable import quoted
from .._utils.temporary_file import replacing
from .formats import suffix
from .output import FilePath, import_tifffile, tiff_options

# TIFF files that are larger than this need the variant BigTIFF.
_CLASSIC = 2**32 - 2**25


class RowWriter:
    """A file that gets rows in order, and its name only when it is complete.

    It is a context manager: an error inside removes what was written.
    """

    def __init__(
        self,
        path: FilePath,
        shape: tuple[int, ...],
        dtype: Any,
        axes: str,
        like: Path | None,
        nodata: int | None = None,
    ) -> None:
        self._stack = ExitStack()
        self._path, self._dtype = path, np.dtype(dtype)
        self._n_channels = shape[0] if axes[0] == "C" else 1
        self._has_channels = axes[0] == "C"
        self._size = shape[self._has_channels :]
        self._done = 0
        temporary, self._file = self._stack.enter_context(replacing(path))
        try:
            if suffix(path) == ".npy":
                header = np.lib.format.header_data_from_array_1_0(np.empty(0, self._dtype))
                np.lib.format.write_array_header_2_0(self._file, {**header, "shape": shape})
                self._offset = self._file.tell()
            else:
                options = tiff_options(path, shape, axes, like, nodata)
                self._offset = _write_tiff_header(path, temporary, shape, self._dtype, options)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write the next rows.

        Parameters
        ----------
        start : int
            The position of the first one along the first spatial axis: the number of rows
            that were written before.
        rows : ndarray of shape (n, ...) or, if there are channels, (C, n, ...)
            Converted to the dtype of the file.

        Raises
        ------
        ValueError
            If they are not the next rows, or of another size.
        """
        rows = np.asarray(rows)
        bands = rows if self._has_channels else rows[None]
        if (
            start != self._done
            or bands.ndim != len(self._size) + 1
            or len(bands) != self._n_channels
            or bands.shape[2:] != tuple(self._size[1:])
            or start + bands.shape[1] > self._size[0]
        ):
            raise ValueError(
                f"rows of shape {rows.shape} from {start} do not follow the {self._done} rows "
                f"written of {self._size[0]} in {quoted(self._path)}."
            )
        row = math.prod(self._size[1:]) * self._dtype.itemsize
        for channel, band in enumerate(bands):
            self._file.seek(self._offset + (channel * self._size[0] + start) * row)
            self._file.write(np.ascontiguousarray(band, self._dtype).data)
        self._done += bands.shape[1]

    def close(self) -> None:
        """Give the file its name, if all rows are written.

        Raises
        ------
        ValueError
            If some are missing; then the file is removed.
        """
        missing = None
        if self._done < self._size[0]:
            missing = ValueError(
                f"{quoted(self._path)} is not written: {self._done} of {self._size[0]} rows came."
            )
        self.__exit__(type(missing) if missing else None, missing, None)
        if missing:
            raise missing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None and self._done < self._size[0]:
            self.close()
        self._stack.__exit__(kind, error, traceback)


def open_writer(
    path: FilePath,
    shape: tuple[int, ...],
    dtype: Any,
    axes: str,
    like: FilePath | None = None,
    *,
    nodata: int | None = None,
) -> RowWriter:
    """Open a file for labels or probabilities that do not fit into memory.

    Parameters
    ----------
    path : str, bytes or path
        Ends in .tif, .tiff or .npy. TIFF files are not compressed, and become BigTIFF if
        they are larger than 4 GB.
    shape : tuple of int
        The shape of all values together.
    dtype : dtype
        Their dtype, such as that of :func:`~sklearnloss._files.dtypes.smallest_dtype`.
    axes : {"YX", "ZYX", "CYX", "CZYX"}
        What the axes are.
    like : str, bytes, path or None, default=None
        A GeoTIFF file of which the georeference is taken.
    nodata : int or None, default=None
        The label of pixels without data, which TIFF files declare as such.

    Returns
    -------
    writer : RowWriter
        With ``write(start, rows)`` and ``close()``.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from sklearnloss._files.read import read_mask
    >>> from sklearnloss._files.row_writer import open_writer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_writer(f"{folder}/a.npy", (4, 3), "uint8", "YX") as writer:
    ...         writer.write(0, np.ones((2, 3)))
    ...         writer.write(2, np.zeros((2, 3)))
    ...     print(read_mask(f"{folder}/a.npy")[:, 0])
    [1 1 0 0]
    """
    if axes not in ("YX", "ZYX", "CYX", "CZYX") or len(axes) != len(shape):
        raise ValueError(
            f"axes={axes!r} do not fit to the shape {shape}. Expected YX, ZYX, CYX or CZYX."
        )
    if suffix(path) not in (".npy", ".tif", ".tiff"):
        raise ValueError(
            f"{quoted(path)} is of a kind that is not written row by row. Expected a name that "
            f"ends in .tif, .tiff or .npy."
        )
    source = None if like is None else Path(os.fsdecode(like))
    return RowWriter(path, tuple(map(int, shape)), dtype, axes, source, nodata)


def _write_tiff_header(
    path: FilePath,
    temporary: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    options: dict[str, Any],
) -> int:
    """Write a file of the right size without its numbers; return where they start."""
    offset, _ = import_tifffile(path).imwrite(
        temporary,
        shape=shape,
        dtype=dtype,
        returnoffset=True,
        bigtiff=math.prod(shape) * dtype.itemsize > _CLASSIC,
        **options,
    )
    return int(offset)
