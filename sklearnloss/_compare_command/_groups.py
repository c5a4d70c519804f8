"""Which images belong together, and must not be split between training and test."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._culprits import first_few

Array = NDArray[Any]


def groups_of_names(spec: str, names: Sequence[str]) -> Array:
    r"""Return the group of each file.

    Parameters
    ----------
    spec : str
        "folder": the subfolder that a file lies in. A file that ends in .csv: lines of
        name and group. Otherwise a regular expression that is searched in the name; its
        first parenthesis is the group, or all that matches.
    names : sequence of str
        Paths inside the folder.

    Returns
    -------
    groups : ndarray of shape (n,), str

    Raises
    ------
    ValueError
        If a file has no group; the first few are named.

    Examples
    --------
    >>> from sklearnloss._compare_command._groups import groups_of_names
    >>> groups_of_names(r"(p\d+)_", ["p1_0.png", "p1_1.png", "p22_0.png"]).tolist()
    ['p1', 'p1', 'p22']
    >>> groups_of_names("folder", ["a/0.png", "b/0.png"]).tolist()
    ['a', 'b']
    """
    if spec == "folder":
        found = [str(PurePosixPath(name).parent).removeprefix(".") for name in names]
        reason = "lie in no subfolder"
    elif is_table(spec):
        found = _from_table(Path(spec), names)
        reason = f"are not in {spec}"
    else:
        found = _from_pattern(spec, names)
        reason = f"do not match {spec!r}"
    without = [name for name, group in zip(names, found, strict=True) if not group]
    if without:
        raise ValueError(f"--groups {spec}: {len(without)} files {reason}: {first_few(without)}.")
    return np.array(found)


def is_table(spec: str) -> bool:
    """Tell whether ``--groups`` names a CSV file."""
    return spec.lower().endswith(".csv")


def groups_of_rows(path: Path, n: int) -> Array:
    """Return the last column of a CSV file with a line per image, and perhaps a header.

    Raises
    ------
    ValueError
        If the file has another number of lines.
    """
    column = [row[-1] for row in _rows(path)]
    if len(column) not in (n, n + 1):
        raise ValueError(f"{str(path)!r} has {len(column)} lines, but there are {n} images.")
    return np.array(column[len(column) - n :])


def _from_pattern(pattern: str, names: Sequence[str]) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--groups {pattern!r} is no regular expression: {error}.") from error
    matches = [compiled.search(name) for name in names]
    return ["" if m is None else (m[1] if compiled.groups else m[0]) or "" for m in matches]


def _from_table(path: Path, names: Sequence[str]) -> list[str]:
    """Look names up with and without their folder and suffix."""
    table = {row[0]: row[-1] for row in _rows(path) if len(row) > 1}
    found = []
    for name in names:
        plain = PurePosixPath(name)
        keys = (name, str(plain.with_suffix("")), plain.name, plain.stem)
        found.append(next((table[key] for key in keys if key in table), ""))
    return found


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [[cell.strip() for cell in row] for row in csv.reader(file) if row]
