"""What tells data from other data: their content, wherever they lie."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._data import ImageData


def digest_content(data: ImageData) -> str:
    """Return a short text that differs for other images, targets or names of files.

    Files count with their bytes, not with their folder or time: data that were moved or
    copied are the same.
    """
    from ..tuning._fingerprint import digest

    return digest([data.names, _content(data.X), _content(data.y), data.channels])


def digest_groups(data: ImageData) -> str | None:
    """Return a short text that differs for other groups, None if there are none."""
    from ..tuning._fingerprint import digest

    return None if data.groups is None else digest(data.groups.tolist())


def _content(values: Any) -> Any:
    if isinstance(values, list):
        return [_of_file(each) if isinstance(each, Path) else each for each in values]
    return values


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
