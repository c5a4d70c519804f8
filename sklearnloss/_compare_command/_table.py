"""Tables as CSV files."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._utils.printable import printable

if TYPE_CHECKING:
    from ..tuning import LossComparison

Row = dict[str, Any]


def write_search(path: Path, results: Mapping[str, Any]) -> None:
    """Write a search's ``cv_results_``, the best first; missing values stay empty.

    Parameters
    ----------
    path : Path
        The CSV file.
    results : dict of str to sequence
        Columns of equal length. The column of dicts of parameters is left out, since
        each parameter has its own column.
    """
    columns = {name: values for name, values in results.items() if name != "params"}
    if "loss" in results:  # labels, as the repr of an object may contain its address
        columns["param_loss"] = results["loss"]
    n_rows = len(results["params"])
    ranks = [values for name, values in columns.items() if name.startswith("rank_")]
    order = sorted(range(n_rows), key=lambda row: ranks[0][row] if ranks else row)
    write_rows(path, [{name: values[row] for name, values in columns.items()} for row in order])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of named cells."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(names)
        table.writerows([_cell(row.get(name)) for name in names] for row in rows)


def image_rows(names: Sequence[str], comparison: LossComparison) -> list[Row]:
    """Return each image's scores from the fits that were not trained on it, worst first."""
    scores = comparison.image_scores_
    if scores is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # images without any score
        means = np.nanmean(scores, axis=0)
    rows = []
    for k in np.argsort(means, kind="stable"):
        single = dict(zip(comparison.labels_, scores[:, k], strict=True))
        rows.append({"image": names[k], "mean": means[k], **single})
    return rows


def _cell(value: Any) -> str:
    if value is None or value is np.ma.masked or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    if isinstance(value, str):
        return _as_text(printable(value))
    return str(value)


def _as_text(text: str) -> str:
    """Quote text that spreadsheets would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
