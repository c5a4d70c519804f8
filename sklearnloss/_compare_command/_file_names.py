"""Names of files: without their extension, and in short lists for error messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from .._files import formats
from .._utils.printable import printable

_SHOWN = 5


def first_few(names: Sequence[str]) -> str:
    """Return the first names of many, safe to print.

    Examples
    --------
    >>> from sklearnloss._compare_command._file_names import first_few
    >>> first_few(["a.png", "b.png"])
    'a.png, b.png'
    >>> first_few([f"{k}.png" for k in range(8)])
    '0.png, 1.png, 2.png, 3.png, 4.png and 3 more'
    """
    left = len(names) - _SHOWN
    shown = ", ".join(map(printable, names[:_SHOWN]))
    return shown + (f" and {left} more" if left > 0 else "")


def stem(name: str) -> str:
    """Return a path without the known extension of its file, in one Unicode form.

    Examples
    --------
    >>> from sklearnloss._compare_command._file_names import stem
    >>> stem("a/b.tif"), stem("a/c.nii.gz")
    ('a/b', 'a/c')
    """
    # macOS encodes some letters differently from other systems.
    return unicodedata.normalize("NFC", str(PurePosixPath(name).with_name(formats.stem(name))))
