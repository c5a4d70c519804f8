"""How files become the images and masks that a model is trained on."""

from __future__ import annotations

import contextlib
import inspect
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from .._utils.text import unknown_parameter
from . import reader_check
from .channel_files import ChannelFiles, join_channels
from .channels import spatial_axes, with_known_axes, without_alpha
from .colors import Color, colors_to_labels, convert_colors
from .mask_files import MaskFiles, join
from .objects import as_objects, with_border
from .pictures import from_pillow, is_pillow
from .pixels import Pixels, one_label_per_pixel, without_channel
from .read import naming, read_image, read_mask
from .resize import cut, fitted_size, pad, resize_linear, resize_nearest

Path = str | bytes | os.PathLike[str]
Channels = Literal["first", "last"]


class FileReader:
    """How files become images and masks.

    Estimators use it for each file among X and y, in training and for predictions, and save
    it with the model. It has no effect on arrays.

    Parameters
    ----------
    color : {"gray", "rgb"} or None, default=None
        Convert gray and colored pictures, also with a palette or in CMYK, to one kind: one
        channel, or red, green and blue. Opacity is dropped. Gray levels are the mean of the
        colors with Pillow's weights .299, .587 and .114; the range stays that of the file,
        except that one-bit pictures become 0 and 255. Images with other numbers of
        channels are refused.
    resize : int or None, default=None
        Longest side in pixels, of all spatial axes. The shape of what is shown is kept:
        shorter sides are padded on both ends with masked pixels, so that all images have
        the shape (resize, resize). Images are interpolated linearly, and averaged where
        they shrink, as by Pillow's BILINEAR; in masks the nearest label is taken.
    nodata : float or None, default=None
        Value of pixels without data, which are masked, in each channel on its own; may be
        NaN. None means the value that the file itself declares, such as a GeoTIFF, if any.
        A number replaces the declared one; NaN, which is never data, is masked in addition to
        it. It is not used for masks.
    masks : {"classes", "objects", "border"}, default="classes"
        What the numbers in masks are.

        - "classes": labels;
        - "objects": each object has its own number, 0 is the background. All objects
          become 1;
        - "border": the same, and what separates objects becomes 2: pixels of an object
          that touch another object, and gaps of one or two pixels between two objects. The
          border is found after resizing, so its width is in resized pixels.

        In the form of :class:`MaskFiles` each object has its own file; "classes" then means
        the same as "objects".
    colors : dict of (red, green, blue) to int, or None, default=None
        The label of each color, 0 to 255, for masks in color or with a palette. A color that
        is not listed is an error.

    See Also
    --------
    UNetSegmenter : Takes a reader as ``reader=``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearnloss import FileReader
    >>> path = Path(tempfile.mkdtemp()) / "image.npy"
    >>> np.save(path, np.arange(32, dtype=np.uint8).reshape(4, 8))
    >>> print(FileReader(resize=4).image(path).values)
    [[-- -- -- --]
     [6 8 10 12]
     [19 21 23 25]
     [-- -- -- --]]
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

    def check(self) -> None:
        """Raise a ValueError or TypeError if a parameter is not valid; the message names it."""
        reader_check.check(self)

    def image(
        self, path: Path, *, n_axes: int | None = None, channels: Channels | None = None
    ) -> Pixels:
        """Return an image.

        Parameters
        ----------
        path : str, bytes or path
            The file; or a picture opened with Pillow.
        n_axes : int or None, default=None
            Number of spatial axes, if it is known: it says what the pages of a TIFF file
            are, and the axes of an array in a .npy file.
        channels : {"first", "last"} or None, default=None
            Position of the channel axis, for files that do not say it.

        Returns
        -------
        pixels : Pixels
            Its values are a masked array if some pixels are masked: without data, or padded.

        Raises
        ------
        ValueError
            If the file cannot be read or converted; the message names it.
        """
        self.check()
        if isinstance(path, ChannelFiles):
            with _naming(path):
                return join_channels(path, lambda each: self.image(each, n_axes=n_axes))
        pixels = from_pillow(path, mask=False) if is_pillow(path) else read_image(path)
        with _naming(path):
            return self.convert(pixels, n_axes=n_axes, channels=channels)

    def convert(
        self, pixels: Pixels, *, n_axes: int | None = None, channels: Channels | None = None
    ) -> Pixels:
        """Do the same as :meth:`image` with an image that was read without a reader.

        Properties of the file, such as the size of a pixel, stay what they are in the file.
        """
        nodata = self._nodata(getattr(pixels, "nodata", None))
        if self.color is None and self.resize is None:
            return pixels._replace(values=_mask_values(pixels.values, nodata))
        values = pixels.values
        if values.dtype.kind not in "biuf" or values.ndim == 0 or values.size == 0:
            raise ValueError(f"it has shape {values.shape} and dtype {values.dtype}: no image.")
        pixels, axis = with_known_axes(pixels, n_axes=n_axes, channels=channels)
        if self.color is not None:
            pixels = without_alpha(pixels, axis)
        pixels = pixels._replace(values=_mask_values(pixels.values, nodata))
        if self.color is not None:
            pixels, axis = self._in_color(pixels, axis, channels)
        if self.resize is not None:
            axes = spatial_axes(pixels.values.ndim, axis)
            in_file = tuple(pixels.values.shape[k] for k in axes)
            size = fitted_size(in_file, self.resize)
            values = pad(resize_linear(pixels.values, axes, size), axes, self.resize)
            pixels = pixels._replace(values=values, size=in_file)
        return pixels

    def _nodata(self, declared: float | None) -> list[float]:
        """Return the numbers that stand for missing data."""
        replaced = self.nodata is not None and not np.isnan(self.nodata)
        values = [self.nodata, None if replaced else declared]
        return [value for value in values if value is not None]

    def _in_color(
        self, pixels: Pixels, axis: int | None, channels: Channels | None
    ) -> tuple[Pixels, int | None]:
        """Return an image in the wanted colors, and its channel axis."""
        assert self.color is not None
        values, letters = pixels.values, pixels.axes
        if values.dtype == bool and letters is not None:
            values = values * np.uint8(255)
        converted = convert_colors(values, axis, self.color)
        plain = letters if letters is None or axis is None else letters[1:]
        if self.color == "gray":
            return pixels._replace(values=converted, axes=plain), None
        if axis is None or values.shape[axis] == 1:  # repeated, along a new first axis
            last = letters is None and (axis or channels == "last")
            converted = np.moveaxis(converted, 0, -1) if last else converted
            axis = converted.ndim - 1 if last else 0
        axes = None if plain is None else f"S{plain}"
        return pixels._replace(values=converted, axes=axes), axis

    def mask(self, path: Path | MaskFiles, *, multilabel: bool = False) -> np.ndarray:
        """Return the labels of an image.

        Parameters
        ----------
        path : str, bytes, path or MaskFiles
            The file, or the files of all objects; or a picture opened with Pillow.
        multilabel : bool, default=False
            Whether a file may have one channel per label.

        Returns
        -------
        mask : ndarray of shape (*spatial) or, multilabel, (K, *spatial)
            A masked array if it was padded.

        Raises
        ------
        ValueError
            If the file cannot be read or converted; the message names it.
        """
        return self.sized_mask(path, multilabel=multilabel)[0]

    def sized_mask(
        self, path: Path | MaskFiles, *, multilabel: bool = False
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return what :meth:`mask` returns, and the shape in the file."""
        self.check()
        if multilabel:
            reader_check.check_multilabel(self, path)
        labels = self._labels(path, multilabel)
        with _naming(path):
            return self._resized_labels(labels, multilabel), labels.shape

    def _labels(self, path: Path | MaskFiles, multilabel: bool) -> np.ndarray:
        """Return the numbers in a file, or the labels of its colors."""
        if isinstance(path, MaskFiles):
            return self._join(path)
        if self.colors is not None:
            return self._read_colors(path)
        if is_pillow(path):
            pixels = from_pillow(path, mask=True)
            return pixels.values if multilabel else one_label_per_pixel(pixels)
        labels = read_mask(path, multilabel=multilabel)
        if self.masks != "classes":
            reader_check.check_jpeg(path, labels)
        return labels

    def _resized_labels(self, labels: np.ndarray, multilabel: bool) -> np.ndarray:
        side = self.resize
        if side is not None:
            if labels.ndim == 0 or labels.size == 0:
                raise ValueError(f"it has shape {labels.shape}: no mask.")
            labels = labels if multilabel else without_channel(labels)
            axes = range(int(multilabel), labels.ndim)
            size = fitted_size([labels.shape[k] for k in axes], side)
            labels = resize_nearest(labels, axes, size)
        if self.masks != "classes":
            labels = as_objects(labels) if self.masks == "objects" else with_border(labels)
        return labels if side is None else pad(labels, axes, side)

    def _read_colors(self, path: Path) -> np.ndarray:
        assert self.colors is not None
        pixels = from_pillow(path, mask=False) if is_pillow(path) else read_image(path)
        with _naming(path):
            channels = _colors_of_array(pixels) if pixels.axes is None else None
            pixels, axis = with_known_axes(pixels, n_axes=2, channels=channels)
            values = without_alpha(pixels, axis).values
            if values.dtype == bool:
                values = values * np.uint8(255)
            if values.dtype != np.uint8:
                raise ValueError(
                    f"it has dtype {values.dtype}. Expected colors of 8 bits per channel."
                )
            colors = convert_colors(values, axis, "rgb")
            colors = colors if axis is None else np.moveaxis(colors, axis, 0)
            return colors_to_labels(colors, self.colors, jpeg=reader_check.is_jpeg(path))

    def _join(self, files: MaskFiles) -> np.ndarray:
        numbers, overlap = join(files, _read_object)
        if overlap is not None and not self.__dict__.get("_told_of_overlap"):
            self._told_of_overlap = True  # once for all images
            warnings.warn(
                f"{overlap!r}: more than 1 % of the object's pixels belong to other objects of the "
                f"image, too. Each pixel is given to the first object that has it. This is said "
                f"once, whatever the number of such files.",
                UserWarning,
                stacklevel=2,
            )
        return as_objects(numbers) if self.masks == "classes" else numbers

    def restore(self, values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """Return predictions for an image in the size that it has in its file.

        Parameters
        ----------
        values : ndarray of shape (..., *spatial)
            Predictions for an image from this reader: probabilities, which are interpolated
            linearly; or labels, integers or booleans, of which the nearest is taken.
        size : tuple of int
            The spatial shape of the image in its file.

        Returns
        -------
        restored : ndarray of shape (..., *size)
        """
        if self.resize is None:
            return values
        axes = range(values.ndim - len(size), values.ndim)
        if min(axes) < 0 or any(values.shape[k] != self.resize for k in axes):
            raise ValueError(
                f"values has shape {values.shape}. Expected predictions for an image from "
                f"this reader: (..., {', '.join(map(str, [self.resize] * len(size)))})."
            )
        values = cut(values, axes, fitted_size(size, self.resize))
        resize = resize_linear if values.dtype.kind == "f" else resize_nearest
        return resize(values, axes, size)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in _names(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            If a name is unknown; the message lists the valid ones, and nothing is changed.
        """
        names = _names(type(self))
        for name in params:
            if name not in names:
                raise ValueError(unknown_parameter(type(self).__name__, name, names))
        self.__dict__.update(params)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        given = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileReader) or type(other) is not type(self):
            return NotImplemented
        # By their text, in which NaN equals NaN.
        return _settings(self) == _settings(other)

    def __hash__(self) -> int:
        return hash(_settings(self))


def _settings(reader: FileReader) -> str:
    params = reader.get_params()
    if isinstance(params["colors"], Mapping):
        params["colors"] = sorted(params["colors"].items())
    return repr(params)


def _names(cls: type) -> list[str]:
    return list(inspect.signature(cls).parameters)


def _naming(path: Any) -> contextlib.AbstractContextManager[None]:
    """Make errors name the file, if there is one."""
    has_name = isinstance(path, str | bytes | os.PathLike)
    return naming(path) if has_name else contextlib.nullcontext()


def _colors_of_array(pixels: Pixels) -> Channels:
    """Return where the colors are in an array from a .npy file."""
    return "first" if len(pixels.values) == 3 else "last"


def _read_object(path: str) -> np.ndarray:
    mask = read_mask(path)
    reader_check.check_jpeg(path, mask)
    labels = np.unique(mask[mask != 0])
    if len(labels) > 1:
        raise ValueError(
            f"{path!r} holds the labels {labels[:5].tolist()}. Expected one object in each file: "
            f"one number, and 0 around it."
        )
    return np.asarray(mask > 0)


def _mask_values(values: np.ndarray, nodata: Sequence[float]) -> np.ndarray:
    """Return an image whose pixels of some values are masked, if there are any."""
    if not nodata or values.dtype.kind not in "biuf":
        return values
    hidden = np.logical_or.reduce([_is_value(values, value) for value in nodata])
    return np.ma.MaskedArray(values, hidden) if hidden.any() else values


def _is_value(values: np.ndarray, value: float) -> np.ndarray:
    if np.isnan(value):
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(values == values.dtype.type(value))
    return np.asarray(values == value)
