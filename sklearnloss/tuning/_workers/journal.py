"""A journal file that survives killed processes and power cuts at any moment."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import IO, Any

from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock
from optuna.storages.journal._file import get_lock_file

from .retries import ReplacedError, is_read_only

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: The beginning of every line.
_HEAD = b'{"op_code":'

#: Bytes read at once when looking for the end of the last whole line.
_BLOCK = 1 << 16


class RepairingJournal(BaseJournalBackend):
    """Optuna's journal file, which repairs itself.

    An incomplete last line is not valid, and is cut off before the next one is written.
    Writers lock the file itself, and the system releases the lock of a process that is
    killed, so that no lock is ever left behind, or taken from a slow process.

    Parameters
    ----------
    path : str
        Path of the file, which is created if it does not exist.

    Attributes
    ----------
    line : int
        The number of the line that was read last.

    Raises
    ------
    ValueError
        If it is a different kind of file, which is not changed.
    """

    def __init__(self, path: str) -> None:
        _check_kind(path)
        self.path = path
        self.line = 0
        self._first: bytes | None = None
        self._position = (0, 0)  # number and offset of the next line
        self._written: list[int] = []  # offsets of written lines that have not been read
        # The lock is used only if the file itself cannot be locked.
        self._lock = JournalFileOpenLock(path)
        if not os.path.exists(path):
            open(path, "ab").close()
        try:
            with self._open_alone() as file:
                _cut_torn_tail(file)
        except OSError as error:
            if not is_read_only(error):
                raise  # a read-only file can still be read

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines, which are on the disk when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._open_alone() as file:
            _cut_torn_tail(file)
            self._written.append(file.seek(0, os.SEEK_END))
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield all lines starting with a number, except for an incomplete last one.

        A write that failed may still be in the file, followed by its retry. Only the
        last one keeps the name of its worker, since Optuna raises errors if a worker
        repeats its own operations.

        Raises
        ------
        ValueError
            If a line does not belong in a journal.
        """
        with open(self.path, "rb") as file:
            self._check_same(file)
            number, offset = self._position
            if log_number_from < number:
                number = offset = 0
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                begun, number, offset = offset, number + 1, offset + len(line)
                if number > log_number_from:
                    self.line = number
                    log = parse_line(self.path, number, line)
                    if begun in self._written and begun != self._written[-1]:
                        log["worker_id"] = ""
                    self._position = (number, offset)
                    yield log
            self._written.clear()

    def _check_same(self, file: IO[bytes]) -> None:
        """Raise an error if the file was replaced: each journal has a different first line."""
        file.seek(0)
        first = file.readline()
        if self._first is not None and first != self._first:
            raise ReplacedError(f"{self.path!r} was replaced by another file.")
        if first.endswith(b"\n"):
            self._first = first

    @contextlib.contextmanager
    def _open_alone(self) -> Iterator[IO[bytes]]:
        """Open the file while no other process or thread writes to it."""
        with open(self.path, "r+b") as file, contextlib.ExitStack() as stack:
            try:
                if fcntl is None:
                    raise OSError
                fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
            except OSError:  # some network file systems have no such locks
                stack.enter_context(get_lock_file(self._lock))
            self._check_same(file)
            yield file
            file.flush()


def parse_line(path: str, number: int, line: bytes) -> dict[str, Any]:
    """Return the content of a line of a journal.

    Raises
    ------
    ValueError
        If it is not a JSON object, or not one of Optuna's; the message names the line.
    """
    found = parse_object(path, number, line)
    if type(found.get("op_code")) is not int or not isinstance(found.get("worker_id"), str):
        raise ValueError(damaged(path, number, line, "not a line of a search"))
    return found


def parse_object(path: str, number: int, line: bytes) -> dict[str, Any]:
    """Return the JSON object in a line.

    Raises
    ------
    ValueError
        If there is none; the message names the line.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise ValueError(damaged(path, number, line, "not a JSON object"))


def damaged(path: str, number: int, line: bytes, what: str) -> str:
    """Return the message for an invalid line of a file."""
    shown = line.decode(errors="replace").strip()[:60]
    return (
        f"storage={path!r} is damaged: line {number} is {what if shown else 'blank'}"
        f"{f', but {shown!r}' if shown else ''}. Remove the lines that do not belong there, or "
        f"pass the path of a new file."
    )


def _check_kind(path: str) -> None:
    """Raise a ValueError unless a file is a journal, or the torn beginning of one."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(_HEAD))
            if _HEAD.startswith(head) or head == _HEAD or _is_blank(head, file):
                return
    except FileNotFoundError:
        return
    raise ValueError(
        f"storage={path!r} is a different kind of file: it begins with {head!r}. Pass the path "
        f"of the journal file of a search, or of a file that does not exist yet."
    )


def _is_blank(head: bytes, file: IO[bytes]) -> bool:
    """Return whether a file holds only NUL bytes, as after a power cut."""
    block = head
    while block:
        if block.strip(b"\0"):
            return False
        block = file.read(_BLOCK)
    return True


def _cut_torn_tail(file: IO[bytes]) -> None:
    """Truncate a file after its last complete line."""
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
