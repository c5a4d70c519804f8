"""A journal file that survives being killed or losing power at any moment."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import IO, Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import get_lock_file

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: How every line begins.
_HEAD = b'{"op_code":'

#: Bytes read at once when looking for the end of the last whole line.
_BLOCK = 1 << 16


class RepairingJournal(JournalFileBackend):
    """Optuna's journal file, which repairs itself.

    A line whose end is missing never came to count: it is cut off before the next one
    is written. Writers lock the file itself, and the system lets go of the lock of
    whoever is killed, so that none is ever left over or taken from a slow holder.

    Parameters
    ----------
    path : str
        Made if it is not there.

    Raises
    ------
    ValueError
        If it is a file of another kind, which is left as it is.
    """

    def __init__(self, path: str) -> None:
        _check_kind(path)
        # The lock matters only where a file itself cannot be locked.
        super().__init__(path, JournalFileOpenLock(path))
        with self._open_alone() as file:
            _cut_torn_tail(file)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines that are on the disk when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._open_alone() as file:
            _cut_torn_tail(file)
            file.seek(0, os.SEEK_END)
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _open_alone(self) -> Iterator[IO[bytes]]:
        """Open the file where no other process or thread writes to it."""
        with open(self._file_path, "r+b") as file, contextlib.ExitStack() as stack:
            try:
                if fcntl is None:
                    raise OSError
                fcntl.flock(file, fcntl.LOCK_EX)  # gone when the file is closed
            except OSError:  # some network file systems have no such locks
                stack.enter_context(get_lock_file(self._lock))
            yield file
            file.flush()


def _check_kind(path: str) -> None:
    """Raise a ValueError unless a file is a journal, or the torn beginning of one."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(_HEAD))
    except FileNotFoundError:
        return
    if not (_HEAD.startswith(head) or head == _HEAD or not head.strip(b"\0")):
        raise ValueError(
            f"storage={path!r} is a file of another kind, it begins with {head!r}. Pass the path "
            f"of a journal file of a search, or of a file that is not there yet."
        )


def _cut_torn_tail(file: IO[bytes]) -> None:
    """Shorten a file to where its last whole line ends."""
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - (1 if end == size else _BLOCK))
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < size:
        file.truncate(end)
