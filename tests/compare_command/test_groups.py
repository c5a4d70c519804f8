"""Groups of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sklearnloss._compare_command._groups import describe_groups, groups_of_names, groups_of_rows

NAMES = ["p1/a_x.png", "p1/b_x.png", "p2/c_y.png"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("folder", ["p1", "p1", "p2"]),
        (r"_(\w)\.", ["x", "x", "y"]),
        (r"p\d", ["p1", "p1", "p2"]),
    ],
)
def test_groups_come_from_names(spec: str, expected: list[str]) -> None:
    assert groups_of_names(spec, NAMES).tolist() == expected


@pytest.mark.parametrize(
    "keys", [NAMES, ["a_x", "b_x", "c_y"], ["a_x.png", "p1/b_x", "c_y.png"]], ids=str
)
def test_groups_come_from_a_table(tmp_path: Path, keys: list[str]) -> None:
    table = tmp_path / "groups.csv"
    lines = ["name,group", *(f"{key}, {k % 2}" for k, key in enumerate(keys)), "other,7"]
    table.write_text("\n".join(lines))
    assert groups_of_names(str(table), NAMES).tolist() == ["0", "1", "0"]


def test_files_without_a_group_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--groups _x: 1 files do not match '_x': p2/c_y.png\."):
        groups_of_names("_x", NAMES)
    with pytest.raises(ValueError, match=r"1 files are not in a subfolder: d.png\."):
        groups_of_names("folder", [*NAMES, "d.png"])
    table = tmp_path / "groups.csv"
    table.write_text("a_x,1\n")
    with pytest.raises(ValueError, match=r"2 files are not in .*groups.csv: p1/b_x.png, p2/c_y"):
        groups_of_names(str(table), NAMES)
    with pytest.raises(ValueError, match=r"'\(' is not a regular expression: missing \)"):
        groups_of_names("(", NAMES)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(ctrl|drug)_s\d", ["ctrl", "drug", "ctrl"]),
        (r"(ctrl|drug)_s(\d)", ["ctrl|1", "drug|1", "ctrl|2"]),
        (r"ctrl_s(\d)|drug_s(\d)", ["1", "1", "2"]),
        (r"(?:ctrl|drug)_s\d", ["ctrl_s1", "drug_s1", "ctrl_s2"]),
    ],
)
def test_all_parentheses_together_are_the_group(pattern: str, expected: list[str]) -> None:
    names = ["ctrl_s1_0.png", "drug_s1_0.png", "ctrl_s2_0.png"]
    assert groups_of_names(pattern, names).tolist() == expected


def test_letters_written_in_two_ways_are_the_same() -> None:
    names = ["e\u0301tage_0.png", "\u00e9tage_1.png"]
    assert groups_of_names("(\u00e9tage)_", names).tolist() == ["\u00e9tage"] * 2
    assert groups_of_names("(e\u0301tage)_", names).tolist() == ["\u00e9tage"] * 2


def test_a_table_that_is_not_called_so_is_told(tmp_path: Path) -> None:
    (tmp_path / "groups.txt").write_text("a_x,1\n")
    with pytest.raises(ValueError, match=r"do not match .*name of a table must end in \.csv\."):
        groups_of_names(str(tmp_path / "groups.txt"), NAMES)


def test_groups_are_listed_with_their_sizes() -> None:
    groups = groups_of_names("folder", NAMES)
    assert describe_groups(groups) == "2 groups: p1 (2), p2 (1)"
    assert describe_groups(groups[:2]) == "1 group: p1 (2)"


@pytest.mark.parametrize("text", ["a\nb\nb\n", "group\na\nb\nb\n", "n,group\n0,a\n1,b\n2,b\n"])
def test_lines_are_groups_of_rows(tmp_path: Path, text: str) -> None:
    table = tmp_path / "groups.csv"
    table.write_text(text)
    assert groups_of_rows(table, 3).tolist() == ["a", "b", "b"]
    with pytest.raises(ValueError, match=r"lines, but there are 8 images"):
        groups_of_rows(table, 8)


def test_a_line_without_a_group_is_refused(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("n,group\n0,a\n1,\n2,b\n")
    with pytest.raises(ValueError, match=r"empty cell for the group of image 1, counted from"):
        groups_of_rows(tmp_path / "groups.csv", 3)
