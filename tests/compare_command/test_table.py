"""Tables in files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sklearnloss._compare_command._table import write_rows, write_search


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_candidates_are_sorted_and_what_they_lack_is_empty(tmp_path: Path) -> None:
    gamma = np.ma.masked_all(3, dtype=object)
    gamma[1] = 2.5
    results = {
        "params": [{}, {}, {}],
        "param_loss": np.ma.array(["dice", "focal", "bce"], dtype=object),
        "param_loss__gamma": gamma,
        "mean_test_score": np.array([0.5, 0.75, np.nan]),
        "rank_test_score": np.array([2, 1, 3], dtype=np.int32),
    }
    write_search(tmp_path / "t.csv", results)
    rows = read(tmp_path / "t.csv")
    assert [row["param_loss"] for row in rows] == ["focal", "dice", "bce"]
    assert [row["param_loss__gamma"] for row in rows] == ["2.5", "", ""]
    assert [row["mean_test_score"] for row in rows] == ["0.75", "0.5", ""]
    assert "params" not in rows[0]


def test_cells_may_hold_lists_and_commas(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.csv", [{"a": "x, y", "b": ["p", "q"]}, {"a": 1.5, "c": 3}])
    first, second = read(tmp_path / "t.csv")
    assert first == {"a": "x, y", "b": '["p", "q"]', "c": ""}
    assert second == {"a": "1.5", "b": "", "c": "3"}
