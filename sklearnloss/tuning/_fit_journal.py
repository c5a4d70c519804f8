"""The log of finished fits, a line of JSON each, so that no fit is done twice."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
KEY = "sklearnloss comparison"
Line = dict[str, Any]


@contextlib.contextmanager
def open_fit_journal(path: str | os.PathLike[str] | None) -> Iterator[FitJournal | None]:
    """Open a log of fits for one comparison at a time; None for no path.

    A second comparison on the same file waits until the first one has ended, and then
    finds its fits done. The system releases the lock of a process that was killed.
    """
    if path is None:
        yield None
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "ab") as file:
        _lock(file, target)
        yield FitJournal(target)


def _lock(file: IO[bytes], path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        warnings.warn(
            f"Another comparison is running on storage={str(path)!r}. Waiting until it has ended.",
            stacklevel=5,
        )
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # some network file systems have no such locks
        return


class FitJournal:
    """A file to which fits are appended.

    Parameters
    ----------
    path : str or path-like
        Made if it is not there, its folders too.

    Attributes
    ----------
    header : dict or None
        What the comparison is about; None in a new file.
    lines : list of dict
        The fits that are there.

    Raises
    ------
    ValueError
        If it is a file of another kind, of a newer format, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.header: Line | None = None
        self.lines: list[Line] = []
        if self.path.exists():
            self._read()

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write what the comparison is about, or check that it is the same.

        Parameters
        ----------
        header : dict of str to str or int
            Digests of data, estimator and so on, by their names for the message.

        Raises
        ------
        ValueError
            If the file is about something else; says what differs.
        """
        if self.header is None:
            self.header = dict(header)
            self.append({KEY: FORMAT, **header})
            return
        unlike = [name for name, value in header.items() if self.header.get(name) != value]
        if unlike:
            raise ValueError(
                f"storage={str(self.path)!r} holds fits of another comparison: other "
                f"{', '.join(unlike)}. Pass what it was begun with, or the path of a new file."
            )

    def append(self, line: Line) -> None:
        """Write a line that is on the disk when this returns."""
        with open(self.path, "ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole, newline, torn = content.rpartition(b"\n")
        if not newline and (content == b"" or f'{{"{KEY}"'.encode().startswith(content[:10])):
            self.path.write_bytes(b"")  # it broke off before the first line was there
            return
        lines = [self._parse(number, line) for number, line in enumerate(whole.split(b"\n"), 1)]
        version = lines[0].pop(KEY, None)
        if not isinstance(version, int):
            raise ValueError(f"{str(self.path)!r} was not written by compare_losses.")
        if version > FORMAT:
            raise ValueError(
                f"{str(self.path)!r} has version {version} of the format, but this sklearnloss "
                f"reads only up to {FORMAT}. Install a newer one."
            )
        self.header, self.lines = lines[0], lines[1:]
        if torn:  # the power failed, or the disk was full, while it was written
            os.truncate(self.path, len(whole) + 1)

    def _parse(self, number: int, line: bytes) -> Line:
        try:
            parsed = json.loads(line)
        except ValueError as error:
            parsed = error
        if isinstance(parsed, dict):
            return parsed
        raise ValueError(
            f"{str(self.path)!r} was not written by compare_losses, or is damaged: line {number} "
            f"is no JSON object. Pass the path of a new file."
        )
