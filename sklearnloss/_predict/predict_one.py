"""Predicts one file, and writes what was asked for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._files.dtypes import smallest_dtype
from .._files.formats import suffix
from .._files.read import naming
from .._files.write import open_writer, write_labels, write_png, write_probabilities
from .._utils.temporary_file import replacing
from . import read_input as reading
from .decide import decide
from .instances import Measurements, number_channels, number_instances
from .model import Model
from .options import Options
from .overlays import draw_overlay
from .read_input import ReadImage, read_input
from .without_data import filled, label_without_data, where_without_data
from .writing import writing

Rows = Callable[[int, int], None]

#: The size of the numbers of objects above which they are not numbered, in bytes.
OBJECT_BYTES = 2**30


class Predicted(NamedTuple):
    """The prediction of one file.

    Attributes
    ----------
    row : dict
        The label and the probabilities of an image, or the number of objects; of a mask that is
        not written, also the arrays.
    objects : list of dict
        A row per object.
    """

    row: dict[str, Any]
    objects: list[dict[str, Any]]


def predict_one(
    model: Model,
    path: Path,
    options: Options,
    outputs: Mapping[str, Path],
    progress: Rows = lambda done, of: None,
) -> Predicted:
    """Predict a file, and write the outputs.

    Parameters
    ----------
    model : Model
        The model.
    path : Path
        The image.
    options : Options
        What to write; it was checked.
    outputs : dict of str to Path
        The files to write, by kind. If there are none, a mask is returned.
    progress : callable, default=None
        Called with the number of rows that are finished, and of all rows.
    """
    with read_input(model, path) as image:
        if model.task == "classification":
            return Predicted(_label(model, path, image, options), [])
        if image.is_scene:
            return _Scene(model, path, image, options).write(outputs, progress)
        return _predict_whole(model, path, image, options, outputs)


def _label(model: Model, path: Path, image: ReadImage, options: Options) -> dict[str, Any]:
    ((_, proba),) = _bands(model, path, image, options)
    code = int(decide(proba, options.threshold))
    by_class = zip(model.classes, proba.tolist(), strict=True)
    return {
        "label": model.classes[code],
        **{f"probability_{label}": float(p) for label, p in by_class},
    }


def _bands(
    model: Model, path: Path, image: ReadImage, options: Options
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the probabilities in bands; errors name the file."""
    bands = model.probabilities(image.values, tile=options.tile, tta=options.tta)
    while True:
        with naming(path):
            band = next(bands, None)
        if band is None:
            return
        yield band


def label_values(model: Model) -> np.ndarray:
    """Return the numbers that masks of a model hold, in the smallest dtype."""
    labels = [int(label) for label in model.mask_values or model.classes]
    return np.asarray(labels, smallest_dtype(max(labels), min(labels)))


def _to_labels(model: Model, options: Options, proba: np.ndarray) -> np.ndarray:
    codes = decide(proba, options.threshold, multilabel=model.multilabel)
    return np.asarray(label_values(model)[codes])


def _predict_whole(
    model: Model, path: Path, image: ReadImage, options: Options, outputs: Mapping[str, Path]
) -> Predicted:
    bands = _bands(model, path, image, options)
    resized = model.reader.resize is not None
    if resized or options.probabilities:
        proba = np.concatenate([band for _, band in bands], axis=1)
        if resized:
            proba = model.reader.restore(proba, image.size)
        mask = _to_labels(model, options, proba)
    else:
        mask = np.concatenate(
            [_to_labels(model, options, band) for _, band in bands],
            axis=1 if model.multilabel else 0,
        )
    arrays: dict[str, np.ndarray] = {"mask": mask}
    if options.probabilities:
        arrays["probabilities"] = proba
    row: dict[str, Any] = {}
    objects: list[dict[str, Any]] = []
    kinds: list[Any] = []
    hidden = where_without_data(image.shown)
    known = filled(mask, hidden, label_values(model)[0])
    if options.instances:
        arrays["objects"], kinds = _number(model, known, options, image.spacing)
        objects = measure(arrays["objects"], kinds, image.shown, image.spacing)
        row["n_objects"] = len(objects)
    if options.overlays:
        arrays["overlays"] = _overlay(model, image.shown, {**arrays, "mask": known}, kinds)
    if not outputs:
        return Predicted({**row, **arrays}, objects)
    nodata = None if hidden is None else _declared(model, outputs["mask"])
    arrays["mask"] = filled(mask, hidden, nodata)
    for kind, target in outputs.items():
        declared = nodata if kind == "mask" else None
        _write(kind, arrays[kind], target, path, multilabel=model.multilabel, nodata=declared)
    return Predicted(row, objects)


def _declared(model: Model, target: Path) -> int | None:
    """Return the label of pixels without data in a mask; only TIFF files can declare one."""
    return label_without_data(label_values(model)) if suffix(target) == ".tif" else None


def _write(
    kind: str,
    values: np.ndarray,
    target: Path,
    like: Path,
    *,
    multilabel: bool,
    nodata: int | None = None,
) -> None:
    with writing(target):
        if kind == "overlays":
            with replacing(target) as (_, file):
                write_png(file, values)
        elif kind == "probabilities":
            write_probabilities(target, values, like)
        else:
            write_labels(target, values, like, multilabel=multilabel, nodata=nodata)


def _number(
    model: Model, mask: np.ndarray, options: Options, spacing: Any
) -> tuple[np.ndarray, list[Any]]:
    if model.multilabel:
        return number_channels(mask, model.classes, min_size=options.min_size)
    return number_instances(
        mask,
        model.classes[1:],
        border=options.border,
        min_size=options.min_size,
        spacing=spacing,
    )


def measure(
    numbers: np.ndarray, kinds: list[Any], image: Any, spacing: Any, rows: int | None = None
) -> list[dict[str, Any]]:
    """Return a row of measurements per object.

    Parameters
    ----------
    numbers : ndarray of shape (*spatial), or (K, *spatial) if labels may overlap
        The number of the object at each pixel.
    kinds : list
        The label of each object.
    image : array of shape (C, *spatial)
        The image, or a scene of which parts are read.
    spacing : tuple of float or None
        Size of a pixel along each axis.
    rows : int, default=None
        How many rows are read at the same time; by default all.
    """
    n_axes = len(image.shape) - 1
    layers = numbers if numbers.ndim > n_axes else numbers[None]
    found = Measurements(kinds, n_axes, spacing)
    step = rows or image.shape[1]
    for start in range(0, image.shape[1], step):
        band = image[:, start : start + step] if rows is None else _rows_of(image, start, step)
        for layer in layers:
            found.add(start, layer[start : start + step], band)
    return found.rows()


def _rows_of(image: Any, start: int, step: int) -> Any:
    others = [slice(0, length) for length in image.shape[2:]]
    return image[(slice(None), slice(start, min(start + step, image.shape[1])), *others)]


def _overlay(
    model: Model, image: Any, arrays: Mapping[str, np.ndarray], kinds: list[Any]
) -> np.ndarray:
    """Draw the regions of classes, or of objects in the color of their class."""
    colors = {label: code for code, label in enumerate(model.classes)}
    if "objects" in arrays:
        of_objects = np.array([0, *(colors[kind] for kind in kinds)])
        return draw_overlay(image, arrays["objects"], of_objects)
    mask = arrays["mask"]
    if not model.multilabel:
        mask = np.searchsorted(label_values(model), mask)
    return draw_overlay(image, mask)


class _Scene:
    """The prediction of an image that is read, and written, band by band."""

    def __init__(self, model: Model, path: Path, image: ReadImage, options: Options) -> None:
        self.model = model
        self.path = path
        self.image = image
        self.options = options
        large = f"the image has {' x '.join(map(str, image.size))} pixels, too many to be"
        if options.overlays:
            raise ValueError(
                f"{large} drawn. Leave out overlays, or cut the image into smaller ones."
            )
        if options.instances and 4 * math.prod(image.size) > OBJECT_BYTES:
            raise ValueError(
                f"{large} held in memory to number objects. Leave out instances, or cut the image "
                f"into smaller ones."
            )

    def write(self, outputs: Mapping[str, Path], progress: Rows) -> Predicted:
        """Predict and write band by band; objects are numbered in the finished mask."""
        if not outputs:
            raise ValueError("the image is too large to be returned. Pass an output folder.")
        model, options, size = self.model, self.options, self.image.size
        values = label_values(model)
        lead = (len(model.classes),)
        shape = (*(lead if model.multilabel else ()), *size)
        in_memory = None
        if options.instances:
            in_memory = _Collected(np.empty(shape, values.dtype), has_channels=model.multilabel)
        nodata = _declared(model, outputs["mask"]) if self.image.may_lack_data else None
        with contextlib.ExitStack() as stack:
            masks = stack.enter_context(self._writer(outputs["mask"], shape, values.dtype, nodata))
            proba = None
            if options.probabilities:
                whole = (*lead, *size)
                target = outputs["probabilities"]
                proba = stack.enter_context(self._writer(target, whole, np.dtype(np.float32)))
            for start, band in _bands(model, self.path, self.image, options):
                labels = _to_labels(model, options, band)
                hidden = self._without_data(start, band.shape[1])
                masks.write(start, filled(labels, hidden, nodata))
                if proba is not None:
                    proba.write(start, band)
                if in_memory is not None:
                    in_memory.write(start, filled(labels, hidden, values[0]))
                progress(start + band.shape[1], size[0])
            if in_memory is None:
                return Predicted({}, [])
            return self._objects(in_memory.values, outputs["objects"])

    def _without_data(self, start: int, n_rows: int) -> np.ndarray | None:
        """Return where some rows have no data, reading few of them at the same time."""
        if not self.image.may_lack_data:
            return None
        hidden = np.zeros((n_rows, *self.image.size[1:]), bool)
        step = self._rows_at_once()
        for row in range(0, n_rows, step):
            end = min(row + step, n_rows)
            found = where_without_data(_rows_of(self.image.shown, start + row, end - row))
            if found is not None:
                hidden[row:end] = found
        return hidden if hidden.any() else None

    def _rows_at_once(self) -> int:
        row_bytes = 4 * math.prod(self.image.shown.shape[:1] + self.image.size[1:])
        return max(1, int(reading.SCENE_BYTES // (8 * row_bytes)))

    @contextlib.contextmanager
    def _writer(
        self,
        target: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        nodata: int | None = None,
    ) -> Iterator[Any]:
        """Open a file that is written band by band, or at once if its kind requires it."""
        n_axes = len(self.image.size)
        axes = ("C" if len(shape) > n_axes else "") + "ZYX"[-n_axes:]
        with writing(target):
            if suffix(target) in (".tif", ".npy"):
                with open_writer(target, shape, dtype, axes, self.path, nodata=nodata) as writer:
                    yield writer
                return
            if math.prod(shape) * dtype.itemsize > reading.SCENE_BYTES:
                raise ValueError(
                    f"a file {suffix(target)} of {' x '.join(map(str, shape))} pixels cannot be "
                    f"written in parts. Pass format='tiff' (--format tiff)."
                )
            whole = _Collected(np.empty(shape, dtype), has_channels=len(shape) > n_axes)
            yield whole
            kind = "probabilities" if dtype.kind == "f" else "mask"
            _write(kind, whole.values, target, self.path, multilabel=self.model.multilabel)

    def _objects(self, mask: np.ndarray, target: Path) -> Predicted:
        numbers, kinds = _number(self.model, mask, self.options, self.image.spacing)
        rows = self._rows_at_once()
        objects = measure(numbers, kinds, self.image.shown, self.image.spacing, rows=rows)
        _write("objects", numbers, target, self.path, multilabel=self.model.multilabel)
        return Predicted({"n_objects": len(objects)}, objects)


class _Collected:
    """Bands that are collected in memory."""

    def __init__(self, values: np.ndarray, *, has_channels: bool) -> None:
        self.values = values
        self.has_channels = has_channels

    def write(self, start: int, band: np.ndarray) -> None:
        """Add a band."""
        values, rows = self.values, band.shape[int(self.has_channels)]
        here = slice(start, start + rows)
        values[(slice(None), here) if self.has_channels else here] = band
