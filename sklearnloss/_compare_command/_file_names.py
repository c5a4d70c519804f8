"""Short lists of file names for error messages."""

from __future__ import annotations

from collections.abc import Sequence

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
