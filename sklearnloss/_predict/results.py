"""The result of predicting files, and its tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .._utils.printable import printable
from .._utils.temporary_file import replacing
from .writing import writing

#: The tables of a folder of predictions.
LABELS, OBJECTS = "labels.csv", "objects.csv"

Row = dict[str, Any]


class Predictions(list[Row]):
    """Predicted files: a list with a row, a dict, for each.

    Attributes
    ----------
    errors : dict of str to str
        What is wrong with each file that could not be predicted.
    objects : list of dict
        A row per object, if they were asked for.
    labels : list
        The labels of the model.
    n_skipped : int
        How many of the files an earlier call had finished.
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        *,
        errors: dict[str, str] | None = None,
        objects: Sequence[Row] = (),
        labels: Sequence[Any] = (),
        n_skipped: int = 0,
    ) -> None:
        super().__init__(rows)
        self.errors = errors or {}
        self.objects = list(objects)
        self.labels = list(labels)
        self.n_skipped = n_skipped


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as a .csv file, with a column for each of their keys."""
    with writing(path), replacing(path) as (_, file):
        file.write(table(rows).encode("utf-8"))


def table(rows: Sequence[Row]) -> str:
    r"""Return rows as the text of a .csv file.

    Examples
    --------
    >>> from sklearnloss._predict.results import table
    >>> table([{"file": "a\n.png", "p": 0.25}, {"file": "b.png", "p": None}])
    'file,p\na\\n.png,0.25\nb.png,\n'
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(printable, columns))
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(value) if isinstance(value, str) else value
