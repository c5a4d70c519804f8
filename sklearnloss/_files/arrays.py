"""Reads NumPy's .npy and .npz files."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from .limits import check_memory, check_stored
from .pixels import Pixels

# NumPy parses array headers with the parser for Python literals, which is not thread-safe in
# Python 3.11: https://github.com/python/cpython/issues/106905
_HEADER = threading.Lock()


def read_npy(path: Path, *, mask: bool) -> Pixels:
    """Read an array; its axes are the user's choice."""
    mapped = map_npy(path)
    check_memory(mapped.shape, mapped.dtype.itemsize)
    return Pixels(np.array(mapped), None)


def map_npy(path: Path) -> np.ndarray:
    """Return an array of which only the parts that are used are read.

    Raises
    ------
    ValueError
        If the file is no .npy file, holds Python objects or is cut off.
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("it does not start like a .npy file.")
        file.seek(0)
        with _HEADER:
            _check_header(file, path.stat().st_size)
            try:
                mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            except ValueError:  # not mappable; reading may give a better error
                mapped = np.asarray(np.load(path, allow_pickle=False))
    return mapped


def read_npz(path: Path, *, mask: bool) -> Pixels:
    """Read the only array of an archive; its axes are the user's choice."""
    with _HEADER, open_archive(path) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"it holds {len(arrays.files)} arrays, {arrays.files}. Expected one.")
        name = arrays.files[0]
        for entry in arrays.zip.infolist():
            if entry.filename.removesuffix(".npy") == name:
                check_memory((entry.file_size,), 1)
                with arrays.zip.open(entry) as file:
                    _check_header(file, entry.file_size)
        return Pixels(np.asarray(arrays[name]), None)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Any]:
    """Open a .npz file; it is closed even if it is damaged."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise ValueError("it does not start like a .npz file.")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays


def _check_header(file: IO[bytes], size: int) -> None:
    """Raise an error if an array is larger than the rest of its file; others are checked later."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:  # only structured arrays, which are no images
        raise ValueError(f"it is of version {version} of the format. Expected an array of numbers.")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not an array of numbers.")
    check_stored(shape, dtype.itemsize, size - file.tell())
