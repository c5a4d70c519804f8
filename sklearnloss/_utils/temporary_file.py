"""A temporary file next to the one that it will replace, and the removal of leftovers."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from .printable import quoted

try:
    import fcntl
except ImportError:  # on Windows, no other process can remove an open file
    fcntl = None  # type: ignore[assignment]


def write_whole(path: str | os.PathLike[str], data: bytes, check: Callable[[Path], object]) -> None:
    """Write a complete file, or none at all.

    Parameters
    ----------
    path : str or path-like
        Replaced atomically, once everything is on the disk.
    data : bytes
        The content.
    check : callable
        Called with the path of the finished file before it replaces the target;
        raises an error if the file is invalid.
    """
    with replacing(path) as (temporary, file):
        file.write(data)
        file.flush()
        check(temporary)


@contextlib.contextmanager
def replacing(path: str | bytes | os.PathLike[str]) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a file that replaces the one of a path once everything is on the disk.

    Yields
    ------
    temporary : Path
        The path of the file until then.
    file : file
        The open file.
    """
    target = check_target(path)
    remove_leftovers(target)
    with temporary_file(target) as (temporary, file):
        yield temporary, file
        file.flush()
        os.fsync(file.fileno())
        os.replace(temporary, target)


def check_target(path: str | bytes | os.PathLike[str]) -> Path:
    """Return a path without links; raise an error unless a file may be written there.

    Devices and pipes are not replaced.
    """
    target = Path(os.path.realpath(os.fsdecode(path)))
    if target.is_dir():
        raise IsADirectoryError(f"{quoted(path)} is a folder. Pass the path of a file in it.")
    if target.exists() and not target.is_file():
        raise ValueError(f"{quoted(path)} is a device or a pipe. Pass the path of a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {quoted(target.parent)} for {quoted(path)}. Create it first."
        )
    return target


@contextlib.contextmanager
def temporary_file(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a new, locked file in the target's folder, and remove it unless it was renamed.

    Parameters
    ----------
    target : Path
        The path that the file will get.

    Yields
    ------
    temporary : Path
        The path of the file.
    file : file
        The open file.
    """
    temporary, file = _create(target)
    try:
        with file:
            yield temporary, file
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files of a target that were left by killed processes.

    A process that writes such a file holds a lock on it, which is released when it ends.
    A file that cannot be locked is in use, perhaps on another machine, and is kept.
    """
    name = re.compile(rf"{re.escape(_prefix(target))}[0-9a-f]{{32}}")
    with contextlib.suppress(OSError):
        for path in [each for each in target.parent.iterdir() if name.fullmatch(each.name)]:
            with contextlib.suppress(OSError), open(path, "r+b") as file:
                if _lock(file, wait=False):
                    path.unlink()


def _prefix(target: Path) -> str:
    """Return how names of temporary files start; most file systems allow 255 bytes in all."""
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}."


def _create(target: Path) -> tuple[Path, IO[bytes]]:
    """Create a locked file, which another process may have removed before it was locked."""
    while True:
        temporary = target.with_name(f"{_prefix(target)}{uuid.uuid4().hex}")
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
    except OSError:  # it is in use, or this file system has no locks
        return False
    return True
