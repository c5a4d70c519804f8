"""Errors of writing, which unlike those of reading end a call."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from .._utils.printable import quoted


class OutputError(OSError):
    """A file cannot be written, as when the disk is full."""


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Create the folder of a file to write, and name the file in errors of the disk."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # which concerns this file only
            raise ValueError(
                f"the name of {quoted(target)} is too long to be written. Give its image "
                f"a shorter name."
            ) from error
        why = error.strerror or error
        raise OutputError(f"{quoted(target)} cannot be written: {why}.") from error
