"""Options that say how files are read, and the table of colors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sklearnloss._compare_command._reading_options import ReadingOptions, read_colors

RED = {(255, 0, 0): 1, (0, 0, 0): 0}


@pytest.mark.parametrize(
    ("text", "colors", "names"),
    [
        ("name,r,g,b\nvoid,0,0,0\nred,255,0,0\n", RED, {0: "void", 1: "red"}),
        ("void;0;0;0\nred;255;0;0\n", RED, {0: "void", 1: "red"}),
        ("0,0,0,0\n255,0,0,1\n", RED, {}),
        ("Label,Red,Green,Blue,Class\n1,255,0,0,x\n0,0,0,0,y\n", RED, {1: "x", 0: "y"}),
        ("a,0,0,0,5\nb,1,1,1,5\n", {(0, 0, 0): 5, (1, 1, 1): 5}, {5: "a"}),
    ],
)
def test_tables_of_colors_have_several_forms(
    tmp_path: Path, text: str, colors: dict[Any, int], names: dict[int, str]
) -> None:
    path = tmp_path / "colors.csv"
    path.write_text(text)
    assert read_colors(path) == (colors, names)
    assert ReadingOptions(colors=str(path)).reader().colors == colors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", r"begins with 'a,b'\. Expected lines of name,r,g,b"),
        ("a,0,0,300\n", r"has the color \(0, 0, 300\)\. Expected"),
        ("a,0,0,0\nb,x,0,0\nc,1,1,1\n", r"has the line 'b,x,0,0'\. Expected"),
        ("0,0,0,1\n0,0,0,2\n", r"has two labels for the color \(0, 0, 0\)"),
        ("", r"is empty\. Expected a CSV file"),
    ],
)
def test_tables_that_are_no_colors_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "colors.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_colors(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "*.png"}, "--images needs --masks, too"),
        ({"masks": "*.png"}, "--masks needs --images, too"),
        ({"masks": "instances"}, "number per object, pass --labels objects"),
        ({"nodata": float("inf")}, "--nodata inf: expected a number, or nan"),
        ({"colors": "a.csv", "labels": "objects"}, "--colors gives classes, but --labels is obj"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ReadingOptions(**options).check_reading()
