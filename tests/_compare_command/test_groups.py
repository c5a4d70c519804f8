"""Groups of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import Refused, check_groups, prepare, save_arrays, save_named

NAMES = ["p1/a_x.png", "p1/b_x.png", "p2/c_y.png"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("folder", ["p1", "p1", "p2"]),
        (r"_(\w)\.", ["x", "x", "y"]),
        (r"p\d", ["p1", "p1", "p2"]),
    ],
)
def test_groups_come_from_names(tmp_path: Path, spec: str, expected: list[str]) -> None:
    check_groups(save_named(tmp_path, NAMES), spec, expected)


@pytest.mark.parametrize(
    "keys", [NAMES, ["a_x", "b_x", "c_y"], ["a_x.png", "p1/b_x", "c_y.png"]], ids=str
)
def test_groups_come_from_a_table(tmp_path: Path, keys: list[str]) -> None:
    table = tmp_path / "groups.csv"
    lines = ["name,group", *(f"{key}, {k % 2}" for k, key in enumerate(keys)), "other,7"]
    table.write_text("\n".join(lines))
    check_groups(save_named(tmp_path, NAMES), str(table), ["0", "1", "0"])


def test_files_without_a_group_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"--groups _x: 1 files do not match '_x': p2/c_y.png\."):
        prepare(save_named(tmp_path, NAMES), "--groups", "_x")
    with pytest.raises(Refused, match=r"1 files are not in a subfolder: d.png\."):
        prepare(save_named(tmp_path, [*NAMES, "d.png"]), "--groups", "folder")
    table = tmp_path / "groups.csv"
    table.write_text("a_x,1\n")
    with pytest.raises(Refused, match=r"2 files are not in .*groups.csv: p1/b_x.png, p2/c_y"):
        prepare(save_named(tmp_path, NAMES), "--groups", str(table))
    with pytest.raises(Refused, match=r"'\(' is not a regular expression: missing \)"):
        prepare(save_named(tmp_path, NAMES), "--groups", "(")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(ctrl|drug)_s\d", ["ctrl", "drug", "ctrl"]),
        (r"(ctrl|drug)_s(\d)", ["ctrl|1", "drug|1", "ctrl|2"]),
        (r"ctrl_s(\d)|drug_s(\d)", ["1", "1", "2"]),
        (r"(?:ctrl|drug)_s\d", ["ctrl_s1", "drug_s1", "ctrl_s2"]),
    ],
)
def test_all_parentheses_together_are_the_group(
    tmp_path: Path, pattern: str, expected: list[str]
) -> None:
    names = ["0_ctrl_s1_0.png", "1_drug_s1_0.png", "2_ctrl_s2_0.png"]
    check_groups(save_named(tmp_path, names), pattern, expected)


def test_letters_written_in_two_ways_are_the_same(tmp_path: Path) -> None:
    names = ["0_e\u0301tage_0.png", "1_\u00e9tage_1.png", "2_other_2.png"]
    expected = ["\u00e9tage", "\u00e9tage", "other"]
    check_groups(save_named(tmp_path, names), "(\u00e9tage|other)_", expected)
    check_groups(save_named(tmp_path, names), "(e\u0301tage|other)_", expected)


def test_a_table_that_is_not_called_so_is_told(tmp_path: Path) -> None:
    (tmp_path / "groups.txt").write_text("a_x,1\n")
    with pytest.raises(Refused, match=r"do not match .*name of a table must end in \.csv\."):
        prepare(save_named(tmp_path, NAMES), "--groups", str(tmp_path / "groups.txt"))


def test_groups_are_listed_with_their_sizes(tmp_path: Path) -> None:
    found = prepare(save_named(tmp_path, NAMES), "--groups", "folder")
    assert found.description.endswith("; 2 groups: p1 (2), p2 (1)")
    with pytest.raises(Refused, match="there is only 1 group") as error:
        prepare(save_named(tmp_path, NAMES[:2]), "--groups", "folder")
    assert "; 1 group: p1 (2)." in error.value.told


@pytest.mark.parametrize("text", ["a\nb\nb\n", "group\na\nb\nb\n", "n,group\n0,a\n1,b\n2,b\n"])
def test_lines_are_check_groups_rows(tmp_path: Path, text: str) -> None:
    table = tmp_path / "groups.csv"
    table.write_text(text)
    check_groups(save_arrays(tmp_path, 3), str(table), ["a", "b", "b"])
    with pytest.raises(Refused, match=r"lines, but there are 8 images"):
        prepare(save_arrays(tmp_path, 8), "--groups", str(table))


def test_a_line_without_a_group_is_refused(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("n,group\n0,a\n1,\n2,b\n")
    with pytest.raises(Refused, match=r"empty cell for the group of image 1, counted from"):
        prepare(save_arrays(tmp_path, 3), "--groups", str(tmp_path / "groups.csv"))
