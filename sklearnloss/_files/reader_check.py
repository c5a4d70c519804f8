"""Checks of a reader's parameters, made when it is used."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._utils.text import did_you_mean
from .mask_files import MaskFiles
from .read import naming

_CHOICES = {"color": ("gray", "rgb", None), "masks": ("classes", "objects", "border")}


def check(reader: Any) -> None:
    """Raise an error that names the parameter that is not valid, and what is expected."""
    for name, choices in _CHOICES.items():
        value = getattr(reader, name)
        if not any(value is each or value == each for each in choices):
            words = [each for each in choices if each is not None]
            listed = " or ".join(map(repr, choices))
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            raise ValueError(f"{name}={value!r} of FileReader: expected {listed}.{near}")
    side = reader.resize
    if side is not None and not (_is_whole(side) and side >= 1):
        raise ValueError(f"resize={side!r} of FileReader: expected a whole number > 0, or None.")
    nodata = reader.nodata
    if nodata is not None and (isinstance(nodata, bool) or not isinstance(nodata, numbers.Real)):
        raise ValueError(f"nodata={nodata!r} of FileReader: expected a number, or None.")
    if reader.colors is not None:
        _check_colors(reader)


def _check_colors(reader: Any) -> None:
    colors = reader.colors
    if not isinstance(colors, Mapping) or not colors:
        raise ValueError(
            f"colors={colors!r} of FileReader: expected a dict such as {{(255, 0, 0): 1, "
            f"(0, 0, 0): 0}}, or None."
        )
    for color, label in colors.items():
        is_color = isinstance(color, tuple) and len(color) == 3
        if not is_color or not all(_is_whole(each) and 0 <= each <= 255 for each in color):
            raise ValueError(
                f"colors of FileReader holds the color {color!r}. Expected (red, green, blue), "
                f"each from 0 to 255."
            )
        if not _is_whole(label) or abs(label) >= 2**31:
            raise ValueError(
                f"colors of FileReader holds the label {label!r} for {color}. Expected a whole "
                f"number."
            )
    if reader.masks != "classes":
        raise ValueError(
            f"FileReader has both colors, which are labels of classes, and masks={reader.masks!r}. "
            f"Leave out one of them."
        )


def check_multilabel(reader: Any, path: Any) -> None:
    """Raise a ValueError if masks with one channel per label cannot be read."""
    if isinstance(path, MaskFiles):
        what = f"{path!r} has one file per object"
    elif reader.colors is not None:
        what = "colors of FileReader gives one label per pixel"
    elif reader.masks != "classes":
        what = f"masks={reader.masks!r} of FileReader gives one label per pixel"
    else:
        return
    raise ValueError(f"{what}, but multilabel=True is for one mask per label. Leave one out.")


def is_jpeg(path: Any) -> bool:
    """Return whether a file, or a picture opened with Pillow, is a JPEG."""
    name = getattr(path, "filename", "") if hasattr(path, "getbands") else os.fsdecode(path)
    return str(name).lower().endswith((".jpg", ".jpeg"))


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_jpeg(path: Any, numbers: np.ndarray) -> None:
    """Raise a ValueError if a file has numbers that JPEG compression may have changed."""
    if is_jpeg(path) and len(np.unique(numbers)) > 2:
        with naming(path):
            raise ValueError(
                "it has object numbers that JPEG compression has changed. Save masks as PNG, from "
                "the originals."
            )
