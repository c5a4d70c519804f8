"""Refuses files that announce more numbers than they can hold, or than fit into memory."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path

# Zlib shrinks data at most by this factor; what other methods reach is hardly ever more.
MOST_COMPRESSED = 1032
# Announced sizes below this are harmless, whatever the file's size.
_HARMLESS = 2**26


def check_stored(
    shape: Sequence[int], itemsize: int, stored: int, *, compression: float = 1
) -> None:
    """Raise an error if a file is too small for the numbers that its header announces.

    Parameters
    ----------
    shape : sequence of int
        The shape that the header announces.
    itemsize : int
        Bytes per number.
    stored : int
        Bytes that the file has for them.
    compression : float, default=1
        How many times smaller the stored numbers can be: 1 if they are not compressed.
    """
    announced = _announced(shape, itemsize)
    if announced > stored * compression and (compression == 1 or announced > _HARMLESS):
        raise ValueError(
            f"its header announces {_text(shape, itemsize)}, but the file has only "
            f"{size_text(stored)} for them. It is cut off or damaged: fetch or write it again."
        )


def check_memory(shape: Sequence[int], itemsize: int) -> None:
    """Raise an error if the numbers that a header announces do not fit into memory.

    Parameters
    ----------
    shape : sequence of int
        The shape that the header announces.
    itemsize : int
        Bytes per number.
    """
    memory = total_memory()
    if memory is not None and _announced(shape, itemsize) > memory:
        raise ValueError(
            f"its header announces {_text(shape, itemsize)}, but this machine has "
            f"{size_text(memory)} of memory. If the file is not damaged, cut the image into parts."
        )


def _announced(shape: Sequence[int], itemsize: int) -> int:
    """Return a number of bytes, computed without overflow."""
    if any(int(size) < 0 for size in shape):
        raise ValueError(f"its header announces the shape {tuple(shape)}. It is damaged.")
    return math.prod(map(int, shape)) * int(itemsize)


def _text(shape: Sequence[int], itemsize: int) -> str:
    sizes = " x ".join(str(int(size)) for size in shape)
    return f"{size_text(_announced(shape, itemsize))} ({sizes} numbers of {itemsize} bytes)"


def total_memory() -> int | None:
    """Return the bytes of memory that this process may use at most, if known."""
    found = []
    with contextlib.suppress(AttributeError, OSError, ValueError):  # on Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):  # no limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found, default=None)


def size_text(n_bytes: int) -> str:
    """Return a number of bytes as people write it, such as 1.5 GiB."""
    unit = 0
    while n_bytes >= 1024 ** (unit + 1) and unit < 6:
        unit += 1
    if unit == 0:
        return f"{n_bytes} bytes"
    return f"{n_bytes / 1024**unit:.4g} {('KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[unit - 1]}"
