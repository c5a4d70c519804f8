"""Files that nobody but this user can have written, as ssh reads its own."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

#: What others may not do to a file, or to the folder that it is in.
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def write_private(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a new file that only this user can read and write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)


def read_private(folder: str | os.PathLike[str], name: str) -> bytes:
    """Read a file in a folder, both of which belong to this user alone.

    What is checked is what is read, even if somebody puts something else in its place
    meanwhile.

    Raises
    ------
    FileNotFoundError
        If there is none.
    PermissionError
        If somebody else could have written it.
    """
    path = Path(folder)
    if os.open not in os.supports_dir_fd:  # Windows, where this cannot be asked
        return (path / name).read_bytes()
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check_private(opened, path)
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=opened), "rb") as file:
            _check_private(file.fileno(), path / name)
            return file.read()
    finally:
        os.close(opened)


def seal(content: bytes, key: str) -> bytes:
    """Return a content by which it can be told that whoever wrote it knew a key."""
    return hmac.digest(key.encode(), content, "sha256") + content


def unseal(sealed: bytes, key: str) -> bytes:
    """Return the content of what :func:`seal` returned.

    Raises
    ------
    PermissionError
        If it was written by somebody else.
    """
    content = sealed[32:]
    if not hmac.compare_digest(sealed, seal(content, key)):
        raise PermissionError("it was written by somebody else")
    return content


def _check_private(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if found.st_uid not in (os.geteuid(), 0):
        raise PermissionError(f"{str(path)!r} belongs to another user (number {found.st_uid})")
    if found.st_mode & _WRITABLE:
        mode = stat.S_IMODE(found.st_mode)
        raise PermissionError(f"{str(path)!r} can be written by others (mode {mode:o})")
