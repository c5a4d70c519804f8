"""Tables in files."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sklearnloss._compare_command._table import image_rows, write_rows, write_search


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
    results |= {"param_loss": np.array([print] * 3), "loss": ["dice", "my:own", "bce"]}
    write_search(tmp_path / "t.csv", results)
    assert [row["param_loss"] for row in read(tmp_path / "t.csv")] == ["my:own", "dice", "bce"]
    assert [row["param_loss__gamma"] for row in rows] == ["2.5", "", ""]
    assert [row["mean_test_score"] for row in rows] == ["0.75", "0.5", ""]
    assert "params" not in rows[0]


def test_cells_may_hold_lists_and_commas(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.csv", [{"a": "x, y", "b": ["p", "q"]}, {"a": 1.5, "c": 3}])
    first, second = read(tmp_path / "t.csv")
    assert first == {"a": "x, y", "b": '["p", "q"]', "c": ""}
    assert second == {"a": "1.5", "b": "", "c": "3"}


def test_no_cell_is_a_formula_and_all_can_be_printed(tmp_path: Path) -> None:
    names = ["=cmd|' calc'!A1", "+1", "-1", "@SUM(1)", "caf\udce9", "\x1b[2J", "a=b"]
    write_rows(tmp_path / "t.csv", [{"name": name, "score": -0.5} for name in names])
    rows = read(tmp_path / "t.csv")
    shown = ["'=cmd|' calc'!A1", "'+1", "'-1", "'@SUM(1)", r"caf\xe9", r"\x1b[2J", "a=b"]
    assert [row["name"] for row in rows] == shown
    assert {row["score"] for row in rows} == {"-0.5"}


def test_images_are_named_the_worst_first() -> None:
    comparison: Any = SimpleNamespace(labels_=["dice", "bce"], image_scores_=None)
    assert image_rows(["a", "b", "c"], comparison) == []
    comparison.image_scores_ = np.array([[0.5, 0.25, np.nan], [0.75, np.nan, np.nan]])
    rows = image_rows(["a", "b", "c"], comparison)
    assert [row["image"] for row in rows] == ["b", "a", "c"]
    assert rows[1] == {"image": "a", "mean": 0.625, "dice": 0.5, "bce": 0.75}
    assert rows[0]["mean"] == 0.25  # of the one loss that has finished
