"""Tables as CSV files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..tuning import LossComparison


def write_search(path: Path, results: Mapping[str, Any]) -> None:
    """Write a search's ``cv_results_``, the best first; what a row lacks stays empty.

    Parameters
    ----------
    path : Path
        The CSV file.
    results : dict of str to sequence
        Columns of one length. The parameters as a dict are left out: each has its own.
    """
    columns = {name: values for name, values in results.items() if name != "params"}
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


def write_images(path: Path, names: Sequence[str], comparison: LossComparison) -> None:
    """Write how well each image is predicted by the fits that did not see it, the worst first."""
    scores = comparison.image_scores_
    if scores is None:
        return
    means = scores.mean(0)
    rows = []
    for k in np.argsort(means, kind="stable"):
        single = dict(zip(comparison.labels_, scores[:, k], strict=True))
        rows.append({"image": names[k], "mean": means[k], **single})
    write_rows(path, rows)


def _cell(value: Any) -> str:
    if value is None or value is np.ma.masked or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return str(value)
