"""What a folder of predictions was made of, and which files are finished or begun."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from .._utils.printable import quoted
from .._utils.temporary_file import replacing
from .writing import writing

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

#: The model and the options; and lines of JSON, for each finished file and for files to write.
RECORD, FINISHED = "predictions.json", "predictions.jsonl"

Entry = dict[str, Any]


class Record:
    """The finished files of a folder; each is added when all of its outputs are whole.

    Parameters
    ----------
    folder : Path
        The folder of the predictions.

    Attributes
    ----------
    entries : dict of str to dict
        For each input, by its absolute path: its state when it was predicted, the names of its
        outputs and its rows in tables.
    planned : set of str
        The names of all outputs, also of earlier calls that were killed, and of other models.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.planned: set[str] = set()
        self._anew = True
        self._log: IO[bytes] | None = None

    @contextlib.contextmanager
    def opened(self, made_by: Mapping[str, Any], *, overwrite: bool) -> Iterator[None]:
        """Read the record, and keep other processes from writing to the folder.

        Parameters
        ----------
        made_by : dict
            The model and the options, of which JSON can be made.
        overwrite : bool
            Whether to begin anew.

        Raises
        ------
        ValueError
            If the folder holds predictions of another model or with other options, or if
            another process is writing to it.
        """
        for each in (self.folder, *self.folder.parents):
            if each.exists() and not each.is_dir():
                raise ValueError(
                    f"Cannot write to {quoted(self.folder)}: {quoted(each)} is a file. Pass "
                    f"another folder as output."
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / RECORD
        with open(self.folder / FINISHED, "ab", buffering=0) as self._log:
            self._lock()
            try:
                if path.exists() and not overwrite:
                    self._check(_parse(path), json.loads(json.dumps(made_by)))
                self._read()
                self._anew = overwrite or not path.exists()
                if self._anew:  # they may be of another model
                    self.entries = {}
                yield
            finally:
                if not path.exists() and not self.planned:  # refused: leave the folder as it was
                    with contextlib.suppress(OSError):
                        (self.folder / FINISHED).unlink()

    def begin(self, made_by: Mapping[str, Any], outputs: Iterable[str]) -> None:
        """Write what the predictions are made by, and the names of files to write.

        Parameters
        ----------
        made_by : dict
            As for :meth:`opened`.
        outputs : iterable of str
            Names relative to the folder. Files of these names are not of somebody else.
        """
        new = sorted(set(outputs) - self.planned)
        if self._anew:
            assert self._log is not None
            self._log.truncate(0)
            new = sorted({*new, *self.planned})
        path = self.folder / RECORD
        with writing(path), replacing(path) as (_, file):
            file.write(json.dumps(made_by, indent=1).encode("ascii") + b"\n")
        if new:
            self.planned.update(new)
            self._append({"planned": new})

    def wrote(self, path: Path) -> bool:
        """Return whether a file is an output of this folder."""
        whole, folder = Path(os.path.realpath(path)), os.path.realpath(self.folder)
        return whole.is_relative_to(folder) and (
            whole.relative_to(folder).as_posix() in self.planned
        )

    def finished(self, path: Path, state: list[Any]) -> Entry | None:
        """Return the entry of an input if its outputs are there and its state is the same."""
        entry = self.entries.get(os.path.abspath(path))
        if entry is None or entry["state"] != state:
            return None
        there = all((self.folder / name).exists() for name in entry["outputs"].values())
        return entry if there else None

    def add(self, path: Path, entry: Entry) -> None:
        """Add a finished input."""
        key = os.path.abspath(path)
        self.entries[key] = entry
        self._append([key, entry])

    def taken(self) -> dict[str, str]:
        """Return the names of all outputs, with their inputs."""
        return {
            name: path for path, entry in self.entries.items() for name in entry["outputs"].values()
        }

    def _append(self, line: Any) -> None:
        assert self._log is not None
        with writing(self.folder / FINISHED):
            data = json.dumps(line).encode("ascii") + b"\n"
            if self._log.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _lock(self) -> None:
        if fcntl is None:
            return
        assert self._log is not None
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another process is writing predictions to {quoted(self.folder)}. Wait for it, "
                f"or pass another output."
            ) from error
        except OSError:  # this file system has no locks
            return

    def _check(self, known: Mapping[str, Any], made_by: Mapping[str, Any]) -> None:
        differ = [key for key in {**known, **made_by} if known.get(key) != made_by.get(key)]
        if not differ:
            return
        what = [
            "by another model" if key == "model" else f"with {key}={known.get(key)!r}"
            for key in differ
        ]
        raise ValueError(
            f"{quoted(self.folder)} holds predictions that were made {' and '.join(what)}. Pass "
            f"another output, or overwrite=True (--overwrite) to replace them."
        )

    def _read(self) -> None:
        data = (self.folder / FINISHED).read_bytes()
        for line in data.split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):  # cut off by a kill, or damaged
                found = json.loads(line)
                if _is_plan(found):
                    self.planned.update(found["planned"])
                elif _is_entry(found):
                    self.entries[found[0]] = found[1]
        if data and not data.endswith(b"\n"):
            assert self._log is not None
            self._log.write(b"\n")


def _is_plan(line: Any) -> bool:
    names = line.get("planned") if isinstance(line, dict) else None
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _is_entry(line: Any) -> bool:
    """Return whether a line is the path of an input and what is known of it."""
    if not isinstance(line, list) or [type(part) for part in line] != [str, dict]:
        return False
    kinds = {"file": str, "state": list, "outputs": dict, "row": dict, "objects": list}
    entry = line[1]
    return (
        all(isinstance(entry.get(name), kind) for name, kind in kinds.items())
        and all(isinstance(name, str) and "\0" not in name for name in entry["outputs"].values())
        and all(isinstance(row, dict) for row in entry["objects"])
    )


def state_of(path: Path) -> list[Any]:
    """Return what changes when a file does, or a file in a folder that is an image."""
    found = path.stat()
    if not path.is_dir():
        return [found.st_size, found.st_mtime_ns]
    digest = hashlib.sha256()
    for where, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            each = os.lstat(os.path.join(where, name))
            of_file = [os.path.relpath(where, path), name, each.st_size, each.st_mtime_ns]
            digest.update(repr(of_file).encode("utf-8", "surrogateescape"))
    return [digest.hexdigest()]


def _parse(path: Path) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    raise ValueError(
        f"{quoted(path)} is damaged, or was not written by predict. Pass another output."
    )
