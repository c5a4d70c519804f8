"""A file beside the one that it will replace, and what is left of such files."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # on Windows nobody else can remove an open file
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def temporary_file(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a new file in a target's folder, locked, and remove it unless it was renamed.

    Parameters
    ----------
    target : Path
        What the file is to become.

    Yields
    ------
    temporary : Path
        Where the file is.
    file : file
        To write to.
    """
    temporary, file = _create(target)
    try:
        with file:
            yield temporary, file
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files of a target whose processes were killed.

    Whoever writes one holds a lock on it, which ends with its process. A file that
    cannot be locked is somebody's, on another machine perhaps, and stays.
    """
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{32}}")
    with contextlib.suppress(OSError):
        for path in [each for each in target.parent.iterdir() if name.fullmatch(each.name)]:
            with contextlib.suppress(OSError), open(path, "r+b") as file:
                if _lock(file, wait=False):
                    path.unlink()


def _create(target: Path) -> tuple[Path, IO[bytes]]:
    """Create a file that is locked, which somebody else may have removed before it was."""
    while True:
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        file = open(temporary, "xb")  # noqa: SIM115
        _lock(file, wait=True)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), temporary.stat()):
                return temporary, file
        file.close()


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Lock a file for this process; return whether it has the lock now."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # somebody else has it, or this file system has no locks
        return False
    return True
