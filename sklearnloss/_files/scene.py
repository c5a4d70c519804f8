"""Reads parts of images that are larger than memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from .arrays import map_npy
from .formats import suffix
from .pixels import axis_order, spacing_along
from .read import check_no_pipe, naming
from .tiff import is_tiff
from .tiff_pages import open_pages
from .zarr_arrays import find_array, is_zarr, open_array


class _Source(NamedTuple):
    """An array of which parts can be read, and what is known of it."""

    array: Any
    order: list[int]  # the positions of channels, slices, rows and columns
    axes: str
    sizes: dict[str, float] = {}
    is_named: bool = True  # whether the file says what the axes are
    nodata: float | None = None
    close: Any = None


class Scene:
    """An image of which parts are read when they are needed.

    Attributes
    ----------
    shape : tuple of int
        Channels, also if there is only one, and the spatial axes.
    dtype : dtype
        Of its numbers, in the machine's byte order.
    axes : str or None
        As in :class:`Pixels`, with the axis of channels.
    spacing : tuple of float or None
        As in :class:`Pixels`.
    nodata : float or None
        As in :class:`Pixels`.
    """

    def __init__(self, path: Path, source: _Source) -> None:
        self._path, self._source = path, source
        self._has_channels = source.axes[0] in "CS"
        size = tuple(int(source.array.shape[k]) for k in source.order)
        self.shape = size if self._has_channels else (1, *size)
        axes = source.axes if self._has_channels else f"C{source.axes}"
        self.axes = axes if source.is_named else None
        self.dtype = np.dtype(source.array.dtype).newbyteorder("=")
        self.spacing = spacing_along(source.axes, source.sizes)
        self.nodata = source.nodata

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        """Return the part (C, *spatial) of the image that slices without steps select."""
        if len(window) != self.ndim or not all(isinstance(part, slice) for part in window):
            raise IndexError(f"{window} is no window. Expected a slice for each axis {self.shape}.")
        ranges = [part.indices(size) for part, size in zip(window, self.shape, strict=True)]
        if any(step != 1 for *_, step in ranges):
            raise IndexError(f"{window} has steps. Expected slices without steps.")
        wanted = [slice(start, max(start, stop)) for start, stop, _ in ranges]
        inner = wanted if self._has_channels else wanted[1:]
        source = self._source
        index: list[Any] = [slice(0, 1)] * source.array.ndim
        for position, part in zip(source.order, inner, strict=True):
            index[position] = part
        dropped = [k for k in range(source.array.ndim) if k not in source.order]
        with naming(self._path):
            values = np.asarray(source.array[tuple(index)]).transpose(*dropped, *source.order)
        values = values.reshape(values.shape[len(dropped) :])
        values = values if self._has_channels else values[None][wanted[0]]
        return np.array(values, self.dtype, order="C")

    def close(self) -> None:
        """Close the file."""
        if self._source.close is not None:
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_scene(
    path: str | bytes | os.PathLike[str],
    *,
    n_axes: int = 2,
    channels: Literal["first", "last"] = "first",
) -> Scene | None:
    """Open an image to read parts of it.

    Parameters
    ----------
    path : str, bytes or path
        A .npy file, a TIFF file or a Zarr array.
    n_axes : {2, 3}, default=2
        Number of spatial axes, which also says what pages of TIFF files are.
    channels : {"first", "last"}, default="first"
        The position of the channels in arrays that do not say it.

    Returns
    -------
    scene : Scene or None
        None if parts cannot be read on their own, or the numbers are not those that
        :func:`~sklearnloss._files.read.read_image` returns: read such a file whole. This
        concerns other kinds of files, TIFF files that are compressed as a whole, need
        another library, are rotated or have a palette, and images of another number of axes.

    Raises
    ------
    ValueError
        If the file is damaged.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from sklearnloss._files.scene import open_scene
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(12).reshape(3, 4))
    ...     with open_scene(f"{folder}/a.npy") as scene:
    ...         print(scene.shape, scene[:, 1:2, 2:4])
    (1, 3, 4) [[[6 7]]]
    """
    path = Path(os.fsdecode(path))
    with naming(path):
        check_no_pipe(path)
        if path.is_dir():
            source = _from_zarr(path, n_axes, channels) if is_zarr(path) else None
        elif suffix(path) == ".npy":
            source = _of_array(map_npy(path), n_axes, channels)
        else:
            source = _from_tiff(path, n_axes, channels) if is_tiff(path) else None
    return None if source is None else Scene(path, source)


def _of_array(array: Any, n_axes: int, channels: str, **known: Any) -> _Source | None:
    """Return an array whose axes are not known."""
    letters = "ZYX"[-n_axes:]
    if array.ndim == n_axes:
        return _Source(array, list(range(n_axes)), letters, is_named=False, **known)
    if array.ndim != n_axes + 1:
        return None
    order = [n_axes, *range(n_axes)] if channels == "last" else list(range(n_axes + 1))
    return _Source(array, order, f"C{letters}", is_named=False, **known)


def _from_zarr(path: Path, n_axes: int, channels: str) -> _Source | None:
    found = find_array(path)
    array = open_array(found.folder, path, whole=False)
    if found.axes is None:
        return _of_array(array, n_axes, channels)
    order, axes = axis_order(array.shape, found.axes)
    if len(axes.strip("CS")) != n_axes:
        return None
    return _Source(array, order, axes, found.sizes)


def _from_tiff(path: Path, n_axes: int, channels: str) -> _Source | None:
    with contextlib.ExitStack() as stack:
        pages = open_pages(path)
        if pages is None:
            return None
        stack.callback(pages.close)
        order, axes = axis_order(pages.array.shape, pages.axes)
        known: dict[str, Any] = {"nodata": pages.nodata, "close": pages.close}
        if axes == "QYX" and channels == "last":  # an array (H, W, C), written without its axes
            order = [order[2], order[0], order[1]] if n_axes == 2 else order
            axes = "CYX" if n_axes == 2 else "ZYX"
        axes = axes.replace("Q", "Z" if n_axes == 3 else "C")
        if len(axes.strip("CS")) != n_axes or axes.count("C") + axes.count("S") > 1:
            return None
        stack.pop_all()
        return _Source(pages.array, order, axes, _sizes(axes, pages.spacing(axes)), **known)


def _sizes(axes: str, spacing: Sequence[float] | None) -> dict[str, float]:
    return dict(zip(axes.strip("CS"), spacing, strict=True)) if spacing else {}
