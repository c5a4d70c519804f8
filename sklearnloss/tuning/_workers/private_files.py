"""Private files: written for this user alone, and read only if nobody else can write them."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

#: Permissions that others must not have for a file and its folder.
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def write_private(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a new file that only this user can read and write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)


def read_private(folder: str | os.PathLike[str], name: str) -> bytes:
    """Read a file, if it and its folder belong to this user and nobody else can write them.

    The open file is checked, so that replacing it in the meantime has no effect. As in
    ssh, root is trusted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If somebody else could have written it.
    """
    path = Path(folder)
    if os.open not in os.supports_dir_fd:  # Windows, where this cannot be checked
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
    """Prepend a signature (HMAC) of the content."""
    return hmac.digest(key.encode(), content, "sha256") + content


def unseal(sealed: bytes, key: str) -> bytes:
    """Check the signature, and return the content without it.

    Raises
    ------
    PermissionError
        If the signature is wrong.
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
