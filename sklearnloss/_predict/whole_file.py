"""Files that have their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .._utils.printable import printable
from .inputs import stem_of


class OutputError(OSError):
    """A file cannot be written, as when the disk is full."""


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside a target, which it becomes afterwards.

    If an exception is raised, the temporary file is removed. What a killed process left is
    replaced by the next one.

    Parameters
    ----------
    target : Path
        The file or, for kinds of images that are folders, the folder to write.

    Yields
    ------
    temporary : Path
        With the ending of the target, which says what kind of file it is.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    stem = stem_of(target).name
    temporary = target.with_name(f".{stem}.unfinished{target.name[len(stem) :]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        try:
            yield temporary
            if temporary.is_dir():
                _remove(target)
            os.replace(temporary, target)
        finally:
            _remove(temporary)
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"{printable(str(target))!r} cannot be written: {why}.") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
