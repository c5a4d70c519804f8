"""Escaping of text for terminals and files, and printing."""

from __future__ import annotations

import os
import sys
import unicodedata

# Characters that change the direction of the text after them, and so what a terminal shows.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    r"""Escape the control characters of a text, and bytes that are not UTF-8.

    Parameters
    ----------
    text : str
        For example a file name, in which ``os`` represents bytes that are not UTF-8 as
        lone surrogates.

    Returns
    -------
    text : str
        A text that can be encoded as UTF-8, and that moves no cursor.

    Examples
    --------
    >>> from sklearnloss._utils.printable import printable
    >>> printable("caf\udce9.png"), printable("\x1b[2J.txt"), printable("d\u00e9j\u00e0.png")
    ('caf\\xe9.png', '\\x1b[2J.txt', 'déjà.png')
    """
    return "".join(map(_escaped, text))


def quoted(path: str | bytes | os.PathLike[str]) -> str:
    """Return a path in quotation marks, safe to print."""
    return f"'{printable(os.fsdecode(path))}'"


def print_out(text: str, end: str = "\n") -> None:
    """Print to stdout, and escape what its encoding cannot represent."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end=end)


def print_error(text: str) -> None:
    """Print lines to stderr, with unprintable characters escaped."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character
