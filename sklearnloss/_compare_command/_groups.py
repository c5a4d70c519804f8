"""Groups of images that must not be split between training and test."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.printable import printable
from ._file_names import first_few
from ._group_table import is_table, read_rows, read_table

Array = NDArray[Any]

_SEPARATOR = "|"  # between the matched groups of a pattern; rare in names


def groups_of_names(spec: str, names: Sequence[str]) -> Array:
    r"""Return the group of each file.

    Parameters
    ----------
    spec : str
        "folder" for the subfolder that contains the file; or the path of a .csv file with
        names and groups, if there are more than two columns followed by a colon and a
        column, as in "files.csv:patient"; or a regular expression that is searched in the
        name. The group is then everything that its parentheses match, or, without
        parentheses, the whole match.
    names : sequence of str
        Paths relative to the folder.

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
    >>> groups_of_names(r"(ctrl|drug)_p(\d+)", ["ctrl_p1_0.png", "drug_p1_0.png"]).tolist()
    ['ctrl|1', 'drug|1']
    >>> groups_of_names("folder", ["a/0.png", "b/0.png"]).tolist()
    ['a', 'b']
    """
    names = [unicodedata.normalize("NFC", name) for name in names]
    hint = ""
    if spec == "folder":
        found = [str(PurePosixPath(name).parent).removeprefix(".") for name in names]
        reason = "are not in a subfolder"
    elif is_table(spec):
        found, first = read_table(spec, names)
        reason, hint = f"are not in {printable(spec)}", f" {first}"
    else:
        found = _from_pattern(spec, names)
        reason = f"do not match {printable(spec)!r}"
        hint = " The name of a table must end in .csv." if Path(spec).is_file() else ""
    without = [name for name, group in zip(names, found, strict=True) if not group]
    if without:
        raise ValueError(
            f"--groups {printable(spec)}: {len(without)} files {reason}: {first_few(without)}."
            f"{hint}"
        )
    return np.array([printable(group) for group in found])


def groups_of_rows(spec: str | Path, n: int) -> Array:
    """Return a column of a CSV file with a line per image, and perhaps a header.

    Parameters
    ----------
    spec : str or Path
        The file; if it has several columns, and none is called group, followed by a colon
        and the name or number of the column.
    n : int
        The number of images.

    Raises
    ------
    ValueError
        If the file has a different number of lines, lacks the column, or has an empty cell.
    """
    groups = read_rows(str(spec), n)
    without = [str(k) for k, group in enumerate(groups) if not group]
    if without:
        raise ValueError(
            f"{printable(str(spec))!r} has an empty cell for the group of image "
            f"{first_few(without)}, counted from 0."
        )
    return np.array([printable(group) for group in groups])


def count_groups(groups: Array | None) -> dict[str, int]:
    """Return how many images each group has; nothing if there are no groups.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._compare_command._groups import count_groups
    >>> count_groups(np.array(["ctrl", "drug", "ctrl"]))
    {'ctrl': 2, 'drug': 1}
    """
    counts = Counter([] if groups is None else groups.tolist())
    return {str(name): n for name, n in sorted(counts.items())}


def _from_pattern(pattern: str, names: Sequence[str]) -> list[str]:
    try:
        compiled = re.compile(unicodedata.normalize("NFC", pattern))
    except re.error as error:
        raise ValueError(f"--groups {pattern!r} is not a regular expression: {error}.") from error
    return [_matched(compiled.search(name)) for name in names]


def _matched(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    if not match.re.groups:
        return match[0]
    return _SEPARATOR.join(part for part in match.groups() if part)
