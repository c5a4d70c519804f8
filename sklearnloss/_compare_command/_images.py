"""Reading and checking all images and masks of a folder."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .._files import FileReader
from .._files.pixels import Pixels, arrange
from .._files.read import PICTURES, FileError, read_image, read_mask
from ..estimators._data.arrays import Channels, warn_of_unlike_dtypes
from ..estimators._data.axes import channels_advice
from ..estimators._data.labels import distinct_labels, in_mask_dtype, read_masks
from ..estimators._data.mask_classes import (
    COMMAND_LINE,
    Blobs,
    ObjectNumbers,
    check_classes,
    find_blobs,
    jpeg_names,
)
from ..estimators._data.palettes import check_palettes
from ._file_names import first_few
from ._image_axes import with_mask, without_channel, without_mask
from ._layout import ImageFiles

Array = NDArray[Any]

# Bytes of data that are kept in memory; larger data are read again in each epoch.
IN_MEMORY = 2 * 2**30
_BLOCK = 16


class _Sample(NamedTuple):
    """An image with its mask, and the items to pass on if pixels are not kept in memory."""

    image: Array
    mask: Array | None
    image_item: Any
    mask_item: Any
    labels: frozenset[int] = frozenset()
    mask_dtype: np.dtype[Any] | None = None
    blobs: Blobs = Blobs((), 0, 0)


class Loaded(NamedTuple):
    """Images and masks as the estimators take them.

    Attributes
    ----------
    X : ndarray of shape (n, *image), or list of Path and ndarray
    y : ndarray of shape (n, *spatial), list of Path and ndarray, or None
    shapes : list of tuple of int
        Shapes of the images, channels first.
    labels : list of int
        The distinct labels of the masks.
    """

    X: Any
    y: Any
    shapes: list[tuple[int, ...]]
    labels: list[int]


def load_images(
    files: ImageFiles, *, reader: FileReader | None = None, channels: Channels | None = None
) -> Loaded:
    """Read all images once, and keep them if they have one shape and fit into memory.

    Parameters
    ----------
    files : ImageFiles
        The files to read.
    reader : FileReader, default=None
        How files become images, for classification; None is ``FileReader()``.
    channels : {"first", "last"}, default=None
        Channel axis of arrays and of pages of TIFF files, if it is not clear.

    Returns
    -------
    loaded : Loaded
        Arrays, or lists of items that are read whenever they are needed.

    Raises
    ------
    ValueError
        If files cannot be read, or do not fit together; the first few are named.
    ImportError
        If the library that reads pictures is missing.
    """
    _check_libraries([*files.images, *(files.masks or [])])
    samples, kept = _read_and_check(files, reader or FileReader(), channels)
    shapes = [sample.image.shape for sample in samples]
    labels = sorted(set().union(*(sample.labels for sample in samples)))
    has_masks = files.masks is not None
    _check_shapes(files.names, shapes, any_size=has_masks)
    warn_of_unlike_dtypes([sample.image.dtype for sample in samples], files.names.__getitem__)
    dtype = None
    if files.masks is not None:
        numbers = ObjectNumbers()
        for sample in samples:
            numbers.add(sample.blobs)
        check_palettes(files.masks, advice=COMMAND_LINE)
        check_labels(labels, numbers, jpegs=jpeg_names(files.masks))
        dtypes = {sample.mask_dtype for sample in samples if sample.mask_dtype is not None}
        dtype = in_mask_dtype(np.array(labels), dtypes).dtype
    X: Any = [sample.image_item for sample in samples]
    y: Any = [sample.mask_item for sample in samples] if has_masks else None
    if kept <= IN_MEMORY and len(set(shapes)) == 1:
        images = [sample.image for sample in samples]
        X = np.ma.stack(images) if any(map(np.ma.is_masked, images)) else np.stack(images)
        masks = [cast(Array, sample.mask) for sample in samples]
        y = np.stack(masks).astype(dtype, copy=False) if has_masks else None
    return Loaded(X, y, shapes, labels)


def _read_and_check(
    files: ImageFiles, reader: FileReader, channels: Channels | None
) -> tuple[list[_Sample], int]:
    """Return the samples and their total size in bytes; pixels beyond the limit are dropped."""
    masks: Sequence[Path | None] = files.masks or [None] * len(files.images)
    samples, kept = [], 0
    broken: dict[str, list[str]] = {}
    found = _read_all(list(zip(files.images, masks, strict=True)), reader, channels)
    for name, sample in zip(files.names, found, strict=True):
        if isinstance(sample, Exception):
            broken.setdefault(_reason(sample), []).append(name)
            continue
        kept += sample.image.nbytes + (0 if sample.mask is None else sample.mask.nbytes)
        samples.append(sample if kept <= IN_MEMORY else _slim(sample))
    if broken:
        n_broken = sum(map(len, broken.values()))
        why = [f"{first_few(names)} ({reason})" for reason, names in broken.items()]
        raise ValueError(
            f"{n_broken} of {len(files.images)} images cannot be used: {first_few(why)}."
        )
    return samples, kept


def check_labels(
    labels: Sequence[int], numbers: ObjectNumbers, *, jpegs: Sequence[str] = ()
) -> None:
    """Raise unless the distinct labels of masks can be classes."""
    if len(labels) == 1:
        raise ValueError(f"The masks hold only one label, {labels[0]}. Expected two or more.")
    check_classes(labels, numbers, advice=COMMAND_LINE, jpegs=jpegs)


def _check_libraries(paths: Sequence[Path]) -> None:
    kinds = {path.suffix.lower() for path in paths} & PICTURES
    tiff_only = kinds <= {".tif", ".tiff"} and importlib.util.find_spec("tifffile") is not None
    if kinds and not tiff_only and importlib.util.find_spec("PIL") is None:
        raise ImportError(
            f"Reading {', '.join(sorted(kinds))} needs Pillow: pip install 'sklearnloss[images]'"
        )


def _read_all(
    jobs: Sequence[tuple[Path, Path | None]], reader: FileReader, channels: Channels | None
) -> Iterator[_Sample | Exception]:
    """Yield each sample, or the error of reading it; files are read in parallel."""
    pool = ThreadPoolExecutor(min(_BLOCK, os.cpu_count() or 1))
    with pool, tqdm(total=len(jobs), unit="image", desc="Reading", leave=False) as bar:
        # Block by block, or the pool could read more ahead than fits into memory.
        for start in range(0, len(jobs), _BLOCK):
            block = jobs[start : start + _BLOCK]
            yield from pool.map(lambda job: _try_to_read(job[0], job[1], reader, channels), block)
            bar.update(len(block))


def _try_to_read(
    image: Path, mask: Path | None, reader: FileReader, channels: Channels | None
) -> _Sample | Exception:
    try:
        return _read(image, mask, reader, channels)
    except Exception as error:  # a broken file may make a library raise anything
        return error


def _read(
    image_path: Path, mask_path: Path | None, reader: FileReader, channels: Channels | None
) -> _Sample:
    pixels = read_image(image_path)
    read = pixels.values
    if read.dtype.kind not in "biuf" or read.size == 0 or read.ndim < 2:
        raise ValueError(f"shape {read.shape} and dtype {read.dtype}, which is not an image")
    if read.dtype.kind == "f" and not np.isfinite(read).all():
        raise ValueError("NaN or infinity: fill such pixels, or mask them in Python")
    if mask_path is None:
        image = without_mask(pixels, channels)
        known = pixels.axes is not None and not pixels.is_pages
        as_read = image is read
        axes = (
            pixels.axes if known else ("YX" if image.ndim == 2 else f"C{'ZYX'[1 - image.ndim :]}")
        )
        image = arrange(reader.convert(Pixels(image, axes)), "first")
        # True if the estimator's reader does the same.
        again = known or (as_read and reader == FileReader())
        return _Sample(image, None, image_path if again else image, None)
    try:
        mask_read = read_mask(mask_path)
    except FileError as error:
        raise ValueError(f"its mask: {error.reason}") from error
    mask = without_channel(mask_read)
    image = with_mask(pixels, mask.shape, channels)
    found = distinct_labels(read_masks(mask[None], (1, *mask.shape)))
    # True if the estimators themselves read the file in the same way.
    known = pixels.axes is not None and not pixels.is_pages
    in_order = pixels.is_pages and image.strides[-3:] == read.strides[-3:]
    return _Sample(
        image,
        mask,
        image_path if image is read or known or in_order else image,
        mask_path if mask is mask_read else mask,
        frozenset(found.astype(int).tolist()),
        mask.dtype,
        find_blobs(mask, found.astype(int).tolist()),
    )


def _slim(sample: _Sample) -> _Sample:
    """Drop pixels that can be read again."""
    hollow = np.lib.stride_tricks.as_strided(
        np.zeros(1, sample.image.dtype), sample.image.shape, [0] * sample.image.ndim
    )
    return sample._replace(image=hollow, mask=None)


def _check_shapes(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]], *, any_size: bool
) -> None:
    """Raise a ValueError that names the images whose shape differs from that of most."""
    kinds = [(len(s), s[0] if len(s) > 2 else 1) if any_size else s for s in shapes]
    usual, _ = Counter(kinds).most_common(1)[0]
    typical = shapes[kinds.index(usual)]
    others = [
        f"{name} {shape}"
        for name, shape, kind in zip(names, shapes, kinds, strict=True)
        if kind != usual
    ]
    if others:
        raise ValueError(
            f"Most images have shape {typical} (channels first), but {len(others)} of "
            f"{len(names)} do not: {first_few(others)}. Expected the same channels"
            + ("." if any_size else " and size.")
            + _advice(
                typical, next(s for s, kind in zip(shapes, kinds, strict=True) if kind != usual)
            )
        )


def _advice(typical: tuple[int, ...], other: tuple[int, ...]) -> str:
    """Return what to do about an image of a different shape, with a leading space."""
    if max(len(typical), 3) != max(len(other), 3):
        return " Flat images and volumes cannot be mixed."
    one, most = (shape[0] if len(shape) > 2 else 1 for shape in (other, typical))
    if one != most:
        return channels_advice(one, most)
    return " Crop them, or pass --resize PIXELS."


def _reason(error: Exception) -> str:
    said = error.reason if isinstance(error, FileError) else str(error)
    text = " ".join(said.split()).removesuffix(".") or type(error).__name__
    return text if len(text) < 160 else f"{text[:157]}..."
