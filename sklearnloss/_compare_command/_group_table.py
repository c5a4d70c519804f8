"""Groups in a CSV file written by spreadsheets or programs."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from .._utils.printable import printable
from ._file_names import first_few

Row = list[str]

_TABLE = re.compile(r"(?P<path>.*\.[ct]sv)(:(?P<column>.+))?", re.IGNORECASE | re.DOTALL)
_DELIMITERS = ",;\t"
_GROUP = ("group", "groups")


def is_table(spec: str) -> bool:
    """Return whether ``--groups`` names a CSV file, and perhaps one of its columns."""
    return _TABLE.fullmatch(spec) is not None


def read_table(spec: str, names: Sequence[str]) -> tuple[list[str], str]:
    """Look up the group of each name in a table of names and groups.

    Names match with or without folders and extension, unless that is ambiguous.

    Parameters
    ----------
    spec : str
        Path of the table, optionally followed by a colon and a column.
    names : sequence of str
        Paths relative to the folder.

    Returns
    -------
    groups : list of str
        "" for a name that is not in the table.
    first : str
        A sentence that quotes names in the table.

    Raises
    ------
    ValueError
        If the table cannot be read, it is unclear which column is meant, or a name has
        two groups.
    """
    path, column = _parts(spec)
    rows, column_of_names = _find_names(_read(path), names)
    if len(rows[0]) < 2:
        raise ValueError(
            f"{str(path)!r} has one column. Expected one of names and one of groups, separated by "
            f"a comma, a semicolon or a tab."
        )
    others = [k for k in range(len(rows[0])) if k != column_of_names]
    header = [] if _find([rows[0][column_of_names]], names) else rows[0]
    chosen = _choose(path, column, header, rows[0], others)
    groups: dict[str, str] = {}
    for row in rows[bool(header) :]:
        name, group = _plain(row[column_of_names]), row[chosen]
        if groups.setdefault(name, group) != group and _find([name], names):
            raise ValueError(
                f"{str(path)!r} has two groups for {printable(name)}: "
                f"{printable(groups[name])} and {printable(group)}."
            )
    empty = _find([name for name, group in groups.items() if not group], names)
    if empty:
        raise ValueError(f"{str(path)!r} has an empty cell for the group of {first_few(empty)}.")
    return _look_up(groups, names), f"Its names look like {first_few(list(groups)[:2])}."


def read_rows(spec: str, n: int) -> list[str]:
    """Return a column of a table with a line for each of ``n`` images.

    Raises
    ------
    ValueError
        If it has a different number of lines, or it is unclear which column is meant.
    """
    path, column = _parts(spec)
    rows = read_cells(path)
    if len(rows) not in (n, n + 1):
        raise ValueError(f"{str(path)!r} has {len(rows)} lines, but there are {n} images.")
    header = rows[0] if len(rows) > n else []
    chosen = _choose(path, column, header, rows[0], range(len(rows[0])))
    return [row[chosen] for row in rows[len(rows) - n :]]


def read_cells(path: Path) -> list[Row]:
    """Return the rows of a table, whatever its delimiter and encoding.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    text = _read(path)
    return max((_split(text, each) for each in _DELIMITERS), key=lambda rows: len(rows[0]))


def _parts(spec: str) -> tuple[Path, str | None]:
    match = _TABLE.fullmatch(spec)
    assert match is not None
    return Path(match["path"]), match["column"]


def _read(path: Path) -> str:
    """Return the text of a file, in any encoding that spreadsheets use."""
    content = path.read_bytes()
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ["utf-16"] if wide else ["utf-8-sig", "cp1252"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.strip() and "\0" not in text:
            return unicodedata.normalize("NFC", text)
    what = "is empty" if not content.strip() else "is not text in UTF-8"
    raise ValueError(f"{str(path)!r} {what}. Expected a CSV file, saved as UTF-8.")


def _split(text: str, delimiter: str) -> list[Row]:
    """Return the rows of a table, all of one length."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows))
    return [row + [""] * (width - len(row)) for row in rows]


def _find_names(text: str, names: Sequence[str]) -> tuple[list[Row], int]:
    """Return the rows, split by the delimiter that matches most names, and the name column."""
    best: tuple[int, int, list[Row], int] | None = None
    for delimiter in _DELIMITERS:
        rows = _split(text, delimiter)
        for k in range(len(rows[0])):
            n_found = len(_find([row[k] for row in rows], names))
            if best is None or (n_found, len(rows[0])) > best[:2]:
                best = (n_found, len(rows[0]), rows, k)
    assert best is not None
    return best[2], best[3]


def _find(cells: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the names that are among the cells."""
    table = {_plain(cell): "found" for cell in cells}
    return [name for name, found in zip(names, _look_up(table, names), strict=True) if found]


def _look_up(table: dict[str, str], names: Sequence[str]) -> list[str]:
    table = _without_folders(table) | table
    found = [""] * len(names)
    for key in _KEYS:
        keys = [key(PurePosixPath(name)) for name in names]
        if len(set(keys)) < len(names):  # two files would have the same key
            continue
        found = [old or table.get(new, "") for old, new in zip(found, keys, strict=True)]
    return found


_KEYS: Sequence[Callable[[PurePosixPath], str]] = (
    str,
    lambda name: str(name.with_suffix("")),
    lambda name: name.name,
    lambda name: name.stem,
)


def _without_folders(table: dict[str, str]) -> dict[str, str]:
    """Return the table by names without leading folders; "" for names with two groups."""
    short: dict[str, str] = {}
    for name, group in table.items():
        while "/" in name:
            name = name.partition("/")[2]
            short[name] = group if short.get(name, group) == group else ""
    return short


def _plain(cell: str) -> str:
    """Return a name in the form of a relative POSIX path."""
    return unicodedata.normalize("NFC", cell.replace("\\", "/")).removeprefix("./")


def _choose(
    path: Path, column: str | None, header: Sequence[str], first: Row, others: Sequence[int]
) -> int:
    """Return the position of the column of groups."""
    if column is not None:
        if column in header:
            return header.index(column)
        if column.isdecimal() and 1 <= int(column) <= len(first):
            return int(column) - 1
        raise ValueError(
            f"{str(path)!r} has no column {printable(column)!r}. Expected one of "
            f"{_names(header, others)}."
        )
    called = [k for k in others if header and header[k].lower() in _GROUP]
    if len(called) == 1 or len(others) == 1:
        return (called or list(others))[0]
    raise ValueError(
        f"{str(path)!r} has {len(first)} columns. Choose one of {_names(header, others)}, as in "
        f"--groups {path}:{_name(header, others[-1])}."
    )


def _name(header: Sequence[str], column: int) -> str:
    return printable(header[column]) if header else str(column + 1)


def _names(header: Sequence[str], others: Sequence[int]) -> str:
    return ", ".join(_name(header, k) for k in others)
