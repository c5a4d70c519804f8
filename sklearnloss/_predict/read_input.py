"""Reads the image to predict, whole or, if it is larger than memory, in parts."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._files import FileReader
from .._files.pixels import Pixels, arrange
from .._files.read import naming, read_image
from .._files.scene import open_scene
from .model import Model

#: The size as float32 above which an image is not read whole, in bytes.
SCENE_BYTES = 512 * 2**20


@dataclass(frozen=True)
class ReadImage:
    """An image to predict.

    Attributes
    ----------
    values : array of shape (C, *spatial)
        What the model is given: resized if it was trained on resized images. It may be a
        masked array, or something of which parts are read when it is sliced.
    shown : array of shape (C, *spatial)
        The same in the size of the file.
    spacing : tuple of float or None
        Size of a pixel of the file along each spatial axis.
    is_scene : bool
        Whether parts are read.
    may_lack_data : bool
        Whether some pixels of a scene may be masked.
    """

    values: Any
    shown: Any
    spacing: tuple[float, ...] | None
    is_scene: bool
    may_lack_data: bool = False

    @property
    def size(self) -> tuple[int, ...]:
        """The size of the file."""
        return tuple(self.shown.shape[1:])


@contextlib.contextmanager
def read_input(model: Model, path: Path) -> Iterator[ReadImage]:
    """Read an image as the model needs it.

    Parameters
    ----------
    model : Model
        The model.
    path : Path
        The file.

    Raises
    ------
    ValueError
        If the file cannot be read, or is not like the images that the model was trained on;
        the message names it.
    """
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(_open_large(model, path))
        if scene is not None:
            with naming(path):
                windows = _Scene(model, scene)
            declared = (model.reader.nodata, scene.nodata) != (None, None)
            yield ReadImage(windows, windows, scene.spacing, is_scene=True, may_lack_data=declared)
            return
        pixels = read_image(path)
        with naming(path):
            shown = _converted(model, _plain(model.reader), pixels)
            values = shown
            if model.reader.resize is not None:
                values = _converted(model, model.reader, pixels)
        yield ReadImage(values, shown, pixels.spacing, is_scene=False)


@contextlib.contextmanager
def _open_large(model: Model, path: Path) -> Iterator[Any]:
    """Open an image of which parts are read; yield None if it is not large, or must be whole."""
    if model.task != "segmentation" or model.reader.resize is not None or model.n_axes == 1:
        yield None
        return
    with contextlib.ExitStack() as stack:
        scene = open_scene(path, n_axes=model.n_axes, channels=model.channels)
        if scene is not None:
            stack.enter_context(scene)
        large = scene is not None and 4 * math.prod(scene.shape) > SCENE_BYTES
        yield scene if large else None


def _plain(reader: FileReader) -> FileReader:
    """Return a reader that keeps the size of images."""
    return FileReader(**{**reader.get_params(), "resize": None})


def _converted(model: Model, reader: FileReader, pixels: Pixels) -> Any:
    """Return an image (C, *spatial)."""
    read = reader.convert(pixels, n_axes=model.n_axes, channels=model.channels)
    values = arrange(read, model.channels, None, model.n_axes)
    if values.ndim == model.n_axes:
        values = values[None]
    elif values.ndim == model.n_axes + 1 and model.channels == "last":
        values = np.moveaxis(values, -1, 0)
    if values.ndim != model.n_axes + 1 or len(values) != model.n_channels or 0 in values.shape:
        raise ValueError(_unlike(model, values.shape))
    return values


def _unlike(model: Model, shape: tuple[int, ...]) -> str:
    channels = "1 channel" if model.n_channels == 1 else f"{model.n_channels} channels"
    last = " with the channels last" if model.channels == "last" else ""
    return (
        f"it is read as an array of shape {shape}, but the model was trained on images of "
        f"{model.n_axes} axes and {channels}{last}."
    )


class _Scene:
    """A scene (C, *spatial), converted part by part as the model's reader converts images."""

    def __init__(self, model: Model, scene: Any) -> None:
        self.model = model
        self.scene = scene
        first = self._read((slice(None), *[slice(0, 1)] * model.n_axes))
        self.shape = (len(first), *scene.shape[1:])

    def __getitem__(self, window: tuple[slice, ...]) -> Any:
        others = [slice(None)] * (len(self.shape) - len(window))
        return self._read((slice(None), *window[1:], *others))[window[0]]

    def _read(self, window: tuple[slice, ...]) -> Any:
        pixels = Pixels(self.scene[window], self.scene.axes, nodata=self.scene.nodata)
        read = self.model.reader.convert(pixels, n_axes=self.model.n_axes, channels="first")
        values = arrange(read, "first", None, self.model.n_axes)
        values = values[None] if values.ndim == self.model.n_axes else values
        if len(values) != self.model.n_channels:
            raise ValueError(_unlike(self.model, (len(values), *self.scene.shape[1:])))
        return values
