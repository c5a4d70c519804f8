"""The log of finished fits, a line of JSON each, so that no fit is done twice."""

from __future__ import annotations

import contextlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from .._evaluation.identity import differences, listed
from .._workers.journal import damaged, parse_object
from .._workers.retries import StorageError, is_read_only
from .._workers.storage import check_file_storage
from .held_out import is_record
from .thresholds import are_counts
from .wording import FAILURES

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
KEY = "sklearnloss comparison"
Line = dict[str, Any]

#: How a file begins.
_BEGINNING = f'{{"{KEY}"'.encode()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_seed(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**32


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_score_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _are_images(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and all(each is None or _is_number(each) for each in value)
    )


#: What a comparison reads of the first line, and of those with its fits.
_HEADER = {"random_state": _is_seed, "details": lambda value: isinstance(value, dict)}
_FIT = {
    "loss": _is_text,
    "settings": _is_text,
    "split": _is_text,
    "random_state": _is_seed,
    "status": lambda value: value in ("ok", *FAILURES),
    "reason": _is_text,
    "scores": _is_score_dict,
    "fit_seconds": _is_number,
    "images": _are_images,
    "baseline": lambda value: value is None or _is_score_dict(value),
    "threshold_counts": are_counts,
    "kept": is_record,
}
#: What some fits lack: only one of the losses has a baseline, and older versions kept less.
_ABSENT: Line = {"baseline": None, "kept": None, "threshold_counts": None}


@contextlib.contextmanager
def open_fit_journal(path: str | os.PathLike[str] | None) -> Iterator[FitJournal | None]:
    """Open a log of fits for one comparison at a time; None for no path.

    A second comparison on the same file waits until the first one has ended, and then
    finds its fits done. The system releases the lock of a process that was killed.

    Raises
    ------
    TypeError, ValueError
        If it is not a path, such as the address of a database, before anything is written.
    """
    check_file_storage(path)
    if path is None:
        yield None
        return
    target = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _lock(stack.enter_context(open(target, "ab")), target)
        except OSError as error:
            if not (is_read_only(error) and target.exists()):
                raise StorageError(
                    f"storage={str(path)!r} cannot be opened: {error.strerror or error}. Pass the "
                    f"path of a file that you can read and write."
                ) from error
            # else what is finished can still be read
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
        If it is a file of another kind, of a newer format, or damaged; says in which line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.header: Line | None = None
        self.lines: list[Line] = []
        if self.path.exists():
            self._read()

    def begin(self, header: Mapping[str, Any], details: Mapping[str, Any]) -> None:
        """Write what the comparison is about, or check that it is the same.

        Parameters
        ----------
        header : dict of str to str or int
            Digests of data, estimator and so on, by their names for the message.
        details : dict
            By the same names, texts that say what differs; see
            :class:`~sklearnloss.tuning._evaluation.identity.Identity`.

        Raises
        ------
        ValueError
            If the file is about something else; says what differs.
        """
        if self.header is None:
            self.header = {**header, "details": dict(details)}
            self.append({KEY: FORMAT, **self.header})
            return
        different = [name for name, value in header.items() if self.header.get(name) != value]
        if different:
            before = self.header.get("details")  # absent in files of older versions
            found = differences(different, before, details) if before else []
            what = listed(found) or f"other {', '.join(different)}"
            raise ValueError(
                f"storage={str(self.path)!r} holds fits of another comparison: {what}. Pass what "
                f"it was begun with, or the path of a new file."
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
        begun = _BEGINNING.startswith(content[: len(_BEGINNING)]) or content.strip(b"\0") == b""
        if not newline and begun:
            self.path.write_bytes(b"")  # it broke off before the first line was there
            return
        if not content.startswith(_BEGINNING):
            raise ValueError(
                f"storage={str(self.path)!r} was not written by compare_losses, or is damaged: "
                f"line 1 begins with {content[:20]!r}. Pass the path of a new file."
            )
        first, *lines = whole.split(b"\n")
        self.header = self._parse_header(first)
        for number, line in enumerate(lines, 2):
            if line != first:  # two comparisons may have begun at once
                self.lines.append(self._parse_fit(number, line))
        if torn:  # the power failed, or the disk was full, while it was written
            try:
                os.truncate(self.path, len(whole) + 1)
            except OSError as error:
                if not is_read_only(error):
                    raise

    def _parse_header(self, line: bytes) -> Line:
        header = parse_object(str(self.path), 1, line)
        version = header.pop(KEY, None)
        if isinstance(version, int) and version > FORMAT:
            raise ValueError(
                f"storage={str(self.path)!r} has version {version} of the format, but this "
                f"sklearnloss reads only up to {FORMAT}. Install a newer one."
            )
        if type(version) is not int or not _has({"details": {}, **header}, _HEADER):
            raise ValueError(damaged(str(self.path), 1, line, "not a header of a comparison"))
        return header

    def _parse_fit(self, number: int, line: bytes) -> Line:
        fit = parse_object(str(self.path), number, line)
        known = _has({**_ABSENT, **fit}, _FIT)
        if not known or bool(fit["scores"]) != (fit["status"] == "ok"):
            raise ValueError(damaged(str(self.path), number, line, "no fit of a comparison"))
        return fit


def _has(line: Line, checks: Mapping[str, Callable[[Any], bool]]) -> bool:
    return all(name in line and check(line[name]) for name, check in checks.items())
