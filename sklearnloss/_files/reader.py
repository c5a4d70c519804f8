"""How files become the images and masks that a model is trained on."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from .pixels import Pixels
from .read import read_image, read_mask

Path = str | bytes | os.PathLike[str]
Color = tuple[int, int, int]


class FileReader:
    """How files become images and masks.

    Parameters
    ----------
    color : {"gray", "rgb"} or None, default=None
        Convert gray and colored pictures to one kind.
    resize : int or None, default=None
        Longest side in pixels; the shape is kept, and the shorter side is padded with
        masked pixels, so that all images have the shape (resize, resize).
    nodata : float or None, default=None
        Value of pixels without data, which are masked.
    masks : {"classes", "objects", "border"}, default="classes"
        What the numbers in masks are: classes; or objects, each with its own number, that
        become 1, the background being 0; or objects separated from each other by a border
        that becomes 2.
    colors : dict of (red, green, blue) to int, or None, default=None
        The label of each color, for masks in color.
    """

    def __init__(
        self,
        *,
        color: Literal["gray", "rgb"] | None = None,
        resize: int | None = None,
        nodata: float | None = None,
        masks: Literal["classes", "objects", "border"] = "classes",
        colors: Mapping[Color, int] | None = None,
    ) -> None:
        self.color = color
        self.resize = resize
        self.nodata = nodata
        self.masks = masks
        self.colors = colors

    def image(self, path: Path) -> Pixels:
        """Return an image; its values may be a masked array."""
        return read_image(path)

    def mask(self, path: Path, *, multilabel: bool = False) -> np.ndarray:
        """Return the labels of an image."""
        return read_mask(path, multilabel=multilabel)

    def restore(self, values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """Return predictions (..., *spatial) of an image in the size of its file."""
        return values

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name."""
        for name, value in params.items():
            setattr(self, name, value)
        return self
