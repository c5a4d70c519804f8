"""Reads parts of TIFF files: of the strips or tiles of their pages, only those that are needed."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .limits import check_stored
from .tiff import check_links, check_segments, check_whole, has_plain_numbers, only_series
from .tiff_tags import nodata_of, spacing_of

# Bytes of decoded strips and tiles that are kept for neighboring parts.
_KEPT = 2**27
# A strip or tile that is larger makes reading parts pointless.
_LARGEST = 2**28


class Pages(NamedTuple):
    """The open image in a TIFF file.

    Attributes
    ----------
    array : object
        Has ``shape``, ``ndim``, ``dtype``, and returns the part that slices select.
    axes : str
        Its axes by tifffile's letters.
    nodata : float or None
        The number that stands for missing data.
    spacing : callable
        Returns the size of a pixel along given axes.
    close : callable
        Closes the file.
    """

    array: Any
    axes: str
    nodata: float | None
    spacing: Callable[[str], tuple[float, ...] | None]
    close: Callable[[], None]


def open_pages(path: Path) -> Pages | None:
    """Open the image in a TIFF file, or return None if it has to be read whole."""
    try:
        import tifffile
    except ImportError:
        return None
    file = tifffile.TiffFile(path)
    try:
        check_whole(file)
        check_links(file)
        series = only_series(file)
        page = series.keyframe
        check_segments(series)
        array = _array_of(path, file, series) if has_plain_numbers(page) else None
        if array is None:
            file.close()
            return None
        nodata = nodata_of(page)
    except BaseException:
        file.close()
        raise
    return Pages(array, series.axes, nodata, lambda axes: spacing_of(file, page, axes), file.close)


def _array_of(path: Path, file: Any, series: Any) -> Any:
    """Return an array that is mapped into memory or decoded in parts, if possible."""
    page = series.keyframe
    if series.is_multifile or page.imagedepth != 1:
        return None
    if series.dataoffset is not None and page.is_memmappable:
        stored = file.filehandle.size - series.dataoffset
        check_stored(series.shape, series.dtype.itemsize, stored)
        dtype = series.dtype.newbyteorder(file.byteorder)
        return np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape))
    segment = int(np.prod(page.chunks)) * series.dtype.itemsize
    if segment > _LARGEST:
        return None
    array = _SegmentedPages(file.filehandle, series)
    try:
        array.segment(0, 0)
    except ValueError as error:  # compression that requires another library
        if "imagecodecs" in str(error):
            return None
        raise
    return array


class _SegmentedPages:
    """The pages of an image as one array, of which parts are decoded.

    Parameters
    ----------
    handle : tifffile.FileHandle
        The open file.
    series : tifffile.TiffPageSeries
        The image.
    """

    def __init__(self, handle: Any, series: Any) -> None:
        self.shape, self.dtype = tuple(series.shape), series.dtype
        self.ndim = len(self.shape)
        self._handle, self._pages, self._keyframe = handle, series.pages, series.keyframe
        self._leading = self.shape[: self.ndim - len(series.keyframe.shape)]
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._n_kept = 0
        self._lock = threading.Lock()
        samples, _, length, width, last = series.keyframe.shaped
        # A page as (planes, rows, columns, numbers per pixel); a strip has all columns.
        self._page = (samples, length, width, last)
        if series.keyframe.is_tiled:
            self._step = (series.keyframe.tilelength, series.keyframe.tilewidth)
        else:
            self._step = (min(series.keyframe.rowsperstrip, length), width)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        ranges = [range(*part.indices(n)) for part, n in zip(index, self.shape, strict=True)]
        inside = ranges[len(self._leading) :]
        window = self._window(inside)
        outer = ranges[: len(self._leading)]
        result = np.empty([*map(len, outer), *map(len, inside)], self.dtype)
        for place in itertools.product(*(range(len(part)) for part in outer)):
            number = 0
            for k, part, size in zip(place, outer, self._leading, strict=True):
                number = number * size + part[k]
            result[place] = self._part(number, window).reshape([len(part) for part in inside])
        return result

    def _window(self, inside: list[range]) -> list[range]:
        """Return planes, rows, columns and numbers per pixel of a part of a page."""
        planes, *_, last = self._page
        if len(inside) == 2:
            return [range(planes), *inside, range(last)]
        if last > 1 or planes == 1:
            return [range(planes), *inside]
        return [*inside, range(last)]

    def _part(self, number: int, window: list[range]) -> np.ndarray:
        """Return a part of a page, put together from its strips or tiles."""
        planes, rows, columns, last = window
        result = np.empty([len(part) for part in window], self.dtype)
        if not result.size:
            return result
        (height, width), (_, length, all_columns, _) = self._step, self._page
        per_row, per_column = -(-all_columns // width), -(-length // height)
        for plane, row, column in itertools.product(
            planes,
            range(rows.start // height, -(-rows.stop // height)),
            range(columns.start // width, -(-columns.stop // width)),
        ):
            segment = self.segment(number, (plane * per_column + row) * per_row + column)
            top, left = row * height, column * width
            stop = (min(rows.stop, top + height), min(columns.stop, left + width))
            start = (max(rows.start, top), max(columns.start, left))
            result[
                plane - planes.start,
                start[0] - rows.start : stop[0] - rows.start,
                start[1] - columns.start : stop[1] - columns.start,
            ] = segment[
                start[0] - top : stop[0] - top,
                start[1] - left : stop[1] - left,
                last.start : last.stop,
            ]
        return result

    def segment(self, number: int, index: int) -> np.ndarray:
        """Return a decoded strip or tile, of shape (rows, columns, numbers per pixel)."""
        key = (number, index)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            decoded = self._decoded(number, index)
            self._kept[key] = decoded
            self._n_kept += decoded.nbytes
            while self._n_kept > _KEPT and len(self._kept) > 1:
                self._n_kept -= self._kept.popitem(last=False)[1].nbytes
        return decoded

    def _decoded(self, number: int, index: int) -> np.ndarray:
        page, keyframe = self._pages[number], self._keyframe
        if page is None or page.databytecounts[index] == 0:  # not stored, because it is empty
            return np.full((*self._step, self._page[-1]), keyframe.nodata, self.dtype)
        self._handle.seek(page.dataoffsets[index])
        data = self._handle.read(page.databytecounts[index])
        if len(data) < page.databytecounts[index]:
            raise ValueError(f"it is cut off in page {number}.")
        segment, *_ = keyframe.decode(data, index, jpegtables=page.jpegtables)
        decoded: np.ndarray = segment[0]
        return decoded
