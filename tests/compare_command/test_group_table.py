"""Groups in tables of all kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sklearnloss._compare_command._group_table import is_table
from sklearnloss._compare_command._groups import groups_of_names, groups_of_rows

NAMES = ["a.png", "b.png", "caf\u00e9.png"]
ROWS = [("file", "patient", "age"), *zip(NAMES, "xyx", ("61", "47", "61"), strict=True)]


def write(path: Path, rows: object, *, between: str = ",", encoding: str = "utf-8") -> str:
    lines = [between.join(row) for row in rows]  # type: ignore[attr-defined]
    path.write_bytes("\n".join(lines).encode(encoding))
    return str(path)


def two_columns(order: int = 1) -> list[tuple[str, ...]]:
    return [row[:2][::order] for row in ROWS]


def test_tables_are_known_by_their_names() -> None:
    assert is_table("g.csv")
    assert is_table("folder/G.CSV:patient")
    assert is_table("g.tsv")
    assert not is_table(r"p(\d+)")


@pytest.mark.parametrize("between", [",", ";", "\t", ", "])
@pytest.mark.parametrize("order", [1, -1])
def test_the_column_of_names_may_be_either(tmp_path: Path, between: str, order: int) -> None:
    table = write(tmp_path / "g.csv", two_columns(order), between=between)
    assert groups_of_names(table, NAMES).tolist() == ["x", "y", "x"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_spreadsheets_save_in_many_encodings(tmp_path: Path, encoding: str) -> None:
    table = write(tmp_path / "g.csv", two_columns(), encoding=encoding)
    assert groups_of_names(table, NAMES).tolist() == ["x", "y", "x"]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04\x00\x00"):
        (tmp_path / "g.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"g\.csv' is .*Expected a CSV file, saved as UTF-8"):
            groups_of_names(str(tmp_path / "g.csv"), NAMES)


def test_of_several_columns_one_must_be_named(tmp_path: Path) -> None:
    table = write(tmp_path / "g.csv", ROWS)
    with pytest.raises(
        ValueError,
        match=r"g\.csv' has 3 columns\. Choose one of patient, age, as in "
        r"--groups .*g\.csv:age\.",
    ):
        groups_of_names(table, NAMES)
    assert groups_of_names(f"{table}:patient", NAMES).tolist() == ["x", "y", "x"]
    assert groups_of_names(f"{table}:age", NAMES).tolist() == ["61", "47", "61"]
    assert groups_of_names(f"{table}:2", NAMES).tolist() == ["x", "y", "x"]
    with pytest.raises(ValueError, match=r"has no column 'ages'\. Expected one of patient, age\."):
        groups_of_names(f"{table}:ages", NAMES)


def test_a_column_called_group_needs_not_be_named(tmp_path: Path) -> None:
    rows = [("file", "Group", "age"), *ROWS[1:]]
    table = write(tmp_path / "g.csv", rows)
    assert groups_of_names(table, NAMES).tolist() == ["x", "y", "x"]


def test_without_a_header_columns_have_numbers(tmp_path: Path) -> None:
    table = write(tmp_path / "g.csv", ROWS[1:])
    with pytest.raises(ValueError, match=r"Choose one of 2, 3, as in .*g\.csv:3\."):
        groups_of_names(table, NAMES)
    assert groups_of_names(f"{table}:2", NAMES).tolist() == ["x", "y", "x"]


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("a.png;1,5\nb.png;2,5\n", encoding="utf-8")
    assert groups_of_names(str(tmp_path / "g.csv"), NAMES[:2]).tolist() == ["1,5", "2,5"]


@pytest.mark.parametrize("written", ["./{}", r".\{}", "images/{}", r"C:\study\images\{}"])
def test_names_may_have_more_folders_than_the_files(tmp_path: Path, written: str) -> None:
    rows = [(written.format(name), group) for name, group, _ in ROWS[1:]]
    assert groups_of_names(write(tmp_path / "g.csv", rows), NAMES).tolist() == ["x", "y", "x"]


def test_names_that_fit_two_files_fit_none(tmp_path: Path) -> None:
    table = write(tmp_path / "g.csv", [("0.png", "x"), ("1.png", "y")])
    with pytest.raises(ValueError, match=r"2 files are .*: cat/0\.png, dog/0\.png\. Its names"):
        groups_of_names(table, ["cat/0.png", "dog/0.png"])
    table = write(tmp_path / "g.csv", [("cat/0.png", "x"), ("dog/0.png", "y")])
    with pytest.raises(ValueError, match=r"1 files are .* look like cat/0\.png, dog/0\.png\."):
        groups_of_names(table, ["0.png"])


def test_two_groups_for_a_file_are_refused(tmp_path: Path) -> None:
    rows = [("a.png", "x"), ("b.png", "y"), ("a.png", "y")]
    with pytest.raises(ValueError, match=r"has two groups for a\.png: x and y\."):
        groups_of_names(write(tmp_path / "g.csv", rows), NAMES[:2])
    rows = [("a.png", "x"), ("b.png", "y"), ("other.png", "x"), ("other.png", "y")]
    groups = groups_of_names(write(tmp_path / "g.csv", rows), NAMES[:2])
    assert groups.tolist() == ["x", "y"]


def test_an_empty_cell_is_no_group(tmp_path: Path) -> None:
    rows = [("a.png", "x"), ("b.png", "")]
    with pytest.raises(ValueError, match=r"empty cell for the group of b\.png\."):
        groups_of_names(write(tmp_path / "g.csv", rows), NAMES[:2])
    with pytest.raises(ValueError, match=r"has one column\. Expected one of names and one of gr"):
        groups_of_names(write(tmp_path / "g.csv", [("a.png",), ("b.png",)]), NAMES[:2])


def test_rows_of_arrays_have_a_column_too(tmp_path: Path) -> None:
    table = write(tmp_path / "g.csv", [row[1:] for row in ROWS], between=";")
    with pytest.raises(ValueError, match=r"has 2 columns\. Choose one of patient, a"):
        groups_of_rows(table, 3)
    assert groups_of_rows(f"{table}:patient", 3).tolist() == ["x", "y", "x"]
    assert groups_of_rows(f"{table}:2", 3).tolist() == ["61", "47", "61"]
