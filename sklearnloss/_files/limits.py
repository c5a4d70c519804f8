"""Refuses files that announce more numbers than they can hold, or than fit into memory."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

# Zlib shrinks data at most by this factor; what other methods reach is hardly ever more.
MOST_COMPRESSED = 1032
# Announced sizes below this are harmless, whatever the file's size.
_HARMLESS = 2**26


def check_announced(
    shape: Sequence[int], itemsize: int, stored: int | None, *, compression: float | None = 1
) -> None:
    """Raise an error before memory is taken for numbers that cannot be there.

    Parameters
    ----------
    shape : sequence of int
        The shape that the header announces.
    itemsize : int
        Bytes per number.
    stored : int or None
        Bytes that the file has for them; None if this says nothing, as for arrays of which
        empty parts are not stored.
    compression : float or None, default=1
        How many times smaller the stored numbers can be: 1 if they are not compressed;
        None if there is no limit.

    Raises
    ------
    ValueError
        If the file is too small for them, or the machine's memory is.
    """
    sizes = [int(size) for size in shape]
    if any(size < 0 for size in sizes):
        raise ValueError(f"its header announces the shape {tuple(sizes)}. It is damaged.")
    announced = math.prod(sizes) * itemsize
    text = f"{size_text(announced)} ({' x '.join(map(str, sizes))} numbers of {itemsize} bytes)"
    if stored is not None and compression is not None and announced > stored * compression:
        slack = 0 if compression == 1 else _HARMLESS
        if announced > slack:
            raise ValueError(
                f"its header announces {text}, but the file has only {size_text(stored)} for "
                f"them. It is cut off or damaged: fetch or write it again."
            )
    memory = total_memory()
    if memory is not None and announced > memory:
        raise ValueError(
            f"its header announces {text}, but this machine has {size_text(memory)} of memory. "
            f"If the file is not damaged, cut it into smaller images."
        )


def total_memory() -> int | None:
    """Return the bytes of memory that this process may use at most, if known."""
    found = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # on Windows
        pass
    try:
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no limit
        pass
    return min(found, default=None)


def size_text(n_bytes: int) -> str:
    """Return a number of bytes as people write it, such as 1.5 GiB."""
    unit = 0
    while n_bytes >= 1024 ** (unit + 1) and unit < 6:
        unit += 1
    if unit == 0:
        return f"{n_bytes} bytes"
    return f"{n_bytes / 1024**unit:.4g} {('KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[unit - 1]}"
