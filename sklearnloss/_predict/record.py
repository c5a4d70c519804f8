"""What a folder of predictions was made of, and which files are finished."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from .._utils.printable import quoted
from .._utils.temporary_file import replacing
from .writing import writing

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

#: The model and the options, and a line of JSON for each finished file.
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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self._log: IO[bytes] | None = None

    @contextlib.contextmanager
    def opened(self, made_by: Mapping[str, Any], *, overwrite: bool) -> Iterator[None]:
        """Read the record, or begin it, and keep other processes from writing to the folder.

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
        with open(self.folder / FINISHED, "ab") as self._log:
            self._lock()
            path = self.folder / RECORD
            if overwrite:
                self._log.truncate(0)
            elif path.exists():
                self._check(_parse(path), json.loads(json.dumps(made_by)))
            with writing(path), replacing(path) as (_, file):
                file.write(json.dumps(made_by, indent=1).encode("ascii") + b"\n")
            self._read()
            yield

    def finished(self, path: Path) -> Entry | None:
        """Return the entry of an input if its outputs are there and it has not changed."""
        entry = self.entries.get(os.path.abspath(path))
        if entry is None or entry["state"] != state_of(path):
            return None
        there = all((self.folder / name).exists() for name in entry["outputs"].values())
        return entry if there else None

    def add(self, path: Path, entry: Entry) -> None:
        """Add a finished input."""
        key = os.path.abspath(path)
        self.entries[key] = entry
        assert self._log is not None
        self._log.write(json.dumps([key, entry]).encode("ascii") + b"\n")
        self._log.flush()

    def taken(self) -> dict[str, str]:
        """Return the names of all outputs, with their inputs."""
        return {
            name: path for path, entry in self.entries.items() for name in entry["outputs"].values()
        }

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
        self.entries = {}
        data = (self.folder / FINISHED).read_bytes()
        for line in data.split(b"\n"):
            with contextlib.suppress(ValueError, TypeError):  # cut off when a process was killed
                key, entry = json.loads(line)
                self.entries[key] = entry
        if data and not data.endswith(b"\n"):
            assert self._log is not None
            self._log.write(b"\n")


def state_of(path: Path) -> list[int]:
    """Return numbers that change when a file does."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _parse(path: Path) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    raise ValueError(
        f"{quoted(path)} is damaged, or was not written by predict. Pass another output."
    )
