"""Options of ``sklearnloss compare`` that say how images and masks are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .._files import FileReader
from .._utils.printable import printable
from ._group_table import read_cells

Color = tuple[int, int, int]

_NAME = {"name", "class", "class_name", "classname"}
_LABEL = {"label", "index", "id", "class_id", "number", "value"}
_RED, _GREEN, _BLUE = {"r", "red"}, {"g", "green"}, {"b", "blue"}
_EXPECTED = (
    "Expected lines of name,r,g,b, of r,g,b,label or of name,r,g,b,label, with numbers from 0 to "
    "255 for red, green and blue, such as: road,128,64,128"
)


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """The options that say how images and masks are read.

    Attributes
    ----------
    images, masks : str or None
        Patterns of the paths of images and masks, relative to the folder.
    labels : {"classes", "objects", "border"} or None
        What the numbers in masks are: classes; objects, which become object and
        background; or objects, which become object, border and background.
    colors : str or None
        A .csv file with the label of each color, for masks in color.
    color : {"gray", "rgb"} or None
        What gray and colored pictures are converted to.
    nodata : float or None
        Value of pixels without data.
    resize : int or None
        Length in pixels to which the longest side is resized; images are padded to a square.
    ignore_index : int or None
        Label of ignored pixels.
    channels : {"first", "last"} or None
        Channel axis of the images, if it is not clear.
    """

    images: str | None = None
    masks: str | None = None
    labels: Literal["classes", "objects", "border"] | None = None
    colors: str | None = None
    color: Literal["gray", "rgb"] | None = None
    nodata: float | None = None
    resize: int | None = None
    ignore_index: int | None = None
    channels: Literal["first", "last"] | None = None

    def check_reading(self) -> None:
        """Raise ``ValueError`` for options that contradict each other."""
        if (self.images is None) != (self.masks is None):
            one, other = ("--images", "--masks") if self.masks is None else ("--masks", "--images")
            kinds = " For masks with a number per object, pass --labels objects."
            raise ValueError(
                f"{one} needs {other}, too: a pattern of file names for both."
                f"{kinds if self.masks is not None else ''}"
            )
        if self.nodata is not None and math.isinf(self.nodata):
            raise ValueError(f"--nodata {self.nodata}: expected a number, or nan.")
        if self.colors is not None and self.labels in ("objects", "border"):
            raise ValueError(f"--colors gives classes, but --labels is {self.labels}. Leave one.")

    def reader(self, labels: Literal["classes", "objects", "border"] | None = None) -> FileReader:
        """Return what reads the files.

        Parameters
        ----------
        labels : {"classes", "objects", "border"}, default=None
            What a layout says about masks, unless the user did.
        """
        return FileReader(
            color=self.color,
            resize=self.resize,
            nodata=self.nodata,
            masks=self.labels or labels or "classes",
            colors=None if self.colors is None else read_colors(Path(self.colors))[0],
        )


def read_colors(path: Path) -> tuple[dict[Color, int], dict[int, str]]:
    """Return the label of each color, and the names of labels.

    Without a column of labels, the first color has the label 0, the next one 1, and so on.

    Parameters
    ----------
    path : Path
        A .csv file with a line per color: name,r,g,b or r,g,b,label or name,r,g,b,label.

    Raises
    ------
    ValueError
        If a line is of another form, or a color occurs twice.
    """
    rows = read_cells(path)
    header = [cell.lower() for cell in rows[0]]
    has_header = not any(cell.isdigit() for cell in rows[0])
    columns = _columns(path, header if has_header else None, rows[-1])
    colors: dict[Color, int] = {}
    names: dict[int, str] = {}
    for number, row in enumerate(rows[has_header:]):
        try:
            red, green, blue = (int(row[columns[each]]) for each in "rgb")
            label = int(row[columns["label"]]) if "label" in columns else number
        except ValueError as error:
            raise ValueError(
                f"{str(path)!r} has the line {','.join(row)!r}. {_EXPECTED}."
            ) from error
        if not 0 <= min(red, green, blue) <= max(red, green, blue) <= 255:
            raise ValueError(f"{str(path)!r} has the color {(red, green, blue)}. {_EXPECTED}.")
        if colors.setdefault((red, green, blue), label) != label:
            raise ValueError(f"{str(path)!r} has two labels for the color {(red, green, blue)}.")
        if "name" in columns:
            names.setdefault(label, printable(row[columns["name"]]))
    return colors, names


def _columns(path: Path, header: Sequence[str] | None, row: Sequence[str]) -> Mapping[str, int]:
    """Return the column of the name, of red, green and blue, and of the label."""
    if header is not None:
        wanted: dict[str, Any] = {
            "name": _NAME,
            "r": _RED,
            "g": _GREEN,
            "b": _BLUE,
            "label": _LABEL,
        }
        found = {
            key: position
            for key, known in wanted.items()
            for position, cell in enumerate(header)
            if cell in known
        }
        if {"r", "g", "b"} <= found.keys() and {"name", "label"} & found.keys():
            return found
    else:
        kinds = "".join("0" if cell.lstrip("-").isdigit() else "a" for cell in row)
        layouts = {"a000": "name r g b", "0000": "r g b label", "a0000": "name r g b label"}
        if kinds in layouts:
            return {key: position for position, key in enumerate(layouts[kinds].split())}
    raise ValueError(f"{str(path)!r} begins with {','.join(header or row)!r}. {_EXPECTED}.")
