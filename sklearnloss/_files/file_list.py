"""The files that together are one image or mask."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, repr=False, init=False)
class FileList:
    """One file or more.

    Parameters
    ----------
    paths : iterable of str, bytes or path
        The files.

    Attributes
    ----------
    paths : tuple of str
        The files.

    Raises
    ------
    ValueError
        If there are no files.
    """

    paths: tuple[str, ...]
    _none: ClassVar[str] = ""  # what to do instead of a list without files

    def __init__(self, paths: Iterable[str | bytes | os.PathLike[str]]) -> None:
        if isinstance(paths, str | bytes | os.PathLike):
            raise ValueError(f"paths={paths!r} is one path. Expected a list of files.")
        found = tuple(os.fsdecode(path) for path in paths)
        if not found:
            raise ValueError(f"{type(self).__name__} needs one file or more.{self._none}")
        object.__setattr__(self, "paths", found)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.paths[:3]))
        more = f", ... {len(self.paths)} files" if len(self.paths) > 3 else ""
        return f"{type(self).__name__}([{shown}{more}])"
