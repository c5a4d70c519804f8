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

from .._files import FileReader, MaskFiles
from .._files.pixels import Pixels, stacked, without_channel
from .._files.place import check_same_place
from .._files.read import PICTURES, FileError
from ..estimators._data.arrays import Channels, warn_of_unlike_dtypes
from ..estimators._data.axes import channels_advice
from ..estimators._data.labels import count_labels, in_mask_dtype, read_masks
from ..estimators._data.mask_classes import (
    COMMAND_LINE,
    Advice,
    Blobs,
    ObjectNumbers,
    check_classes,
    find_blobs,
    jpeg_names,
)
from ..estimators._data.palettes import check_palettes
from ._color_masks import ColorMask, count_colors, explain_colors
from ._file_names import first_few
from ._image_axes import with_mask, without_mask
from ._image_files import ImageFiles, ImageItem, MaskItem, files_of

Array = NDArray[Any]

# Bytes of data that are kept in memory; larger data are read again in each epoch.
IN_MEMORY = 2 * 2**30
_BLOCK = 16


class Seen(NamedTuple):
    """What a description of the data needs of one image.

    Attributes
    ----------
    shape : tuple of int
        The shape of the image as it is read, channels first.
    size : tuple of int
        The spatial shape that it has in its file.
    dtype : str
        Its dtype.
    spacing : tuple of float or None
        Distance of pixels along each spatial axis.
    nodata : float or None
        The value that the file declares for pixels without data.
    n_hidden, n_values : int
        How many values are masked, of how many.
    values : tuple of float
        The lowest and the highest value that is not masked; empty if all are.
    counts : dict of int to int
        Pixels of each label.
    n_objects : int
        Labels in its mask, apart from 0, or mask files.
    """

    shape: tuple[int, ...]
    size: tuple[int, ...]
    dtype: str
    spacing: tuple[float, ...] | None = None
    nodata: float | None = None
    n_hidden: int = 0
    n_values: int = 0
    values: tuple[float, ...] = ()
    counts: dict[int, int] = {}
    n_objects: int = 0


class _Sample(NamedTuple):
    """An image with its mask, and the items to pass on if pixels are not kept in memory."""

    image: Array
    mask: Array | None
    image_item: Any
    mask_item: Any
    seen: Seen
    mask_dtype: np.dtype[Any] | None = None
    blobs: Blobs = Blobs((), 0, 0)


class Loaded(NamedTuple):
    """Images and masks as the estimators take them.

    Attributes
    ----------
    X : ndarray of shape (n, *image), or list of Path and ndarray
    y : ndarray of shape (n, *spatial), list of Path and ndarray, or None
    seen : list of Seen
        What was found in each image and its mask.
    labels : list of int
        The distinct labels of the masks.
    """

    X: Any
    y: Any
    seen: list[Seen]
    labels: list[int]


def load_images(
    files: ImageFiles, reader: FileReader, *, channels: Channels | None = None
) -> Loaded:
    """Read all images once, and keep them if they have one shape and fit into memory.

    Parameters
    ----------
    files : ImageFiles
        The files to read.
    reader : FileReader
        What reads them.
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
    _check_libraries(files_of([*files.images, *(files.masks or [])]))
    samples, kept = _read_and_check(files, reader, channels)
    seen = [sample.seen for sample in samples]
    shapes = [each.shape for each in seen]
    labels = sorted(set().union(*(each.counts for each in seen)))
    has_masks = files.masks is not None
    _check_shapes(files.names, shapes, any_size=has_masks)
    warn_of_unlike_dtypes([sample.image.dtype for sample in samples], files.names.__getitem__)
    dtype = _check_masks(files, samples, labels, reader) if has_masks else None
    X: Any = [sample.image_item for sample in samples]
    y: Any = [sample.mask_item for sample in samples] if has_masks else None
    if kept <= IN_MEMORY and len(set(shapes)) == 1:
        X = stacked([sample.image for sample in samples])
        masks = [cast(Array, sample.mask) for sample in samples] if has_masks else []
        y = stacked(masks).astype(dtype, copy=False) if has_masks else None
    return Loaded(X, y, seen, labels)


def _check_masks(
    files: ImageFiles, samples: Sequence[_Sample], labels: Sequence[int], reader: FileReader
) -> Any:
    """Check that labels are classes, and return the dtype of masks."""
    numbers = ObjectNumbers()
    for sample in samples:
        numbers.add(sample.blobs)
    paths = files_of(files.masks or [])
    if reader.colors is None and reader.masks == "classes":
        check_palettes(paths, advice=COMMAND_LINE)
    check_labels(labels, numbers, jpegs=jpeg_names(paths))
    dtypes = {sample.mask_dtype for sample in samples if sample.mask_dtype is not None}
    return in_mask_dtype(np.array(labels), dtypes).dtype


def _read_and_check(
    files: ImageFiles, reader: FileReader, channels: Channels | None
) -> tuple[list[_Sample], int]:
    """Return the samples and their total size in bytes; pixels beyond the limit are dropped."""
    masks: Sequence[MaskItem | None] = files.masks or [None] * len(files.images)
    samples, kept = [], 0
    broken: dict[str, list[str]] = {}
    in_color: dict[str, ColorMask] = {}
    found = _read_all(list(zip(files.images, masks, strict=True)), reader, channels)
    for name, sample in zip(files.names, found, strict=True):
        if isinstance(sample, ImportError):
            raise sample
        if isinstance(sample, ColorMask):
            in_color[name] = sample
        elif isinstance(sample, Exception):
            broken.setdefault(_reason(sample), []).append(name)
        else:
            kept += sample.image.nbytes + (0 if sample.mask is None else sample.mask.nbytes)
            samples.append(sample if kept <= IN_MEMORY else _slim(sample))
    if in_color:
        broken[explain_colors(list(in_color.values()))] = list(in_color)
    if broken:
        n_broken = sum(map(len, broken.values()))
        why = [f"{first_few(names)} ({reason})" for reason, names in broken.items()]
        raise ValueError(
            f"{n_broken} of {len(files.images)} images cannot be used: {first_few(why)}."
        )
    return samples, kept


def check_labels(
    labels: Sequence[int],
    numbers: ObjectNumbers,
    *,
    jpegs: Sequence[str] = (),
    advice: Advice = COMMAND_LINE,
) -> None:
    """Raise unless the distinct labels of masks can be classes."""
    if len(labels) == 1:
        raise ValueError(f"The masks hold only one label, {labels[0]}. Expected two or more.")
    check_classes(labels, numbers, advice=advice, jpegs=jpegs)


def _check_libraries(paths: Sequence[Path]) -> None:
    kinds = {path.suffix.lower() for path in paths} & PICTURES
    tiff_only = kinds <= {".tif", ".tiff"} and importlib.util.find_spec("tifffile") is not None
    if kinds and not tiff_only and importlib.util.find_spec("PIL") is None:
        raise ImportError(
            f"Reading {', '.join(sorted(kinds))} needs Pillow: pip install 'sklearnloss[images]'"
        )


def _read_all(
    jobs: Sequence[tuple[ImageItem, MaskItem | None]],
    reader: FileReader,
    channels: Channels | None,
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
    image: ImageItem, mask: MaskItem | None, reader: FileReader, channels: Channels | None
) -> _Sample | Exception:
    try:
        return _read(image, mask, reader, channels)
    except Exception as error:  # a broken file may make a library raise anything
        return error


def _read(
    image_item: ImageItem,
    mask_item: MaskItem | None,
    reader: FileReader,
    channels: Channels | None,
) -> _Sample:
    # As in the file, for the description and to compare the sizes of image and mask.
    params = reader.get_params() | {"resize": None, "masks": "classes"}
    as_stored = FileReader(**params)
    stored_mask = None if mask_item is None else _read_mask(mask_item, as_stored)
    check_same_place(files_of([image_item] if mask_item is None else [image_item, mask_item]))
    mask = None if stored_mask is None else without_channel(stored_mask)
    n_axes = None if mask is None else mask.ndim
    pixels = as_stored.image(image_item, n_axes=n_axes, channels=channels)
    _check_numbers(pixels.values)
    image = (
        without_mask(pixels, channels) if mask is None else with_mask(pixels, mask.shape, channels)
    )
    # True if the estimators read the file in the same way.
    again = pixels.axes is not None and not pixels.is_pages
    again |= image is pixels.values and reader.resize is None
    if mask is not None and pixels.is_pages:
        again |= image.strides[-3:] == pixels.values.strides[-3:]
    seen = _see(pixels, image, mask)
    if reader.resize is not None:
        image = _resized(image, reader.resize)
    seen = seen._replace(shape=image.shape)
    passed_image = image_item if again else image
    if mask is None or mask_item is None:
        return _Sample(image, None, passed_image, None, seen)
    if isinstance(mask_item, MaskFiles):
        seen = seen._replace(n_objects=len(mask_item.paths))
    passed_mask = mask_item if mask is stored_mask else mask
    if reader != as_stored:
        mask, passed_mask = without_channel(reader.mask(mask_item)), mask_item
    found, counts = count_labels(read_masks(mask[None], (1, *mask.shape)))
    labels = found.astype(int).tolist()
    seen = seen._replace(counts=dict(zip(labels, counts.tolist(), strict=True)))
    blobs = find_blobs(mask, labels)
    return _Sample(image, mask, passed_image, passed_mask, seen, mask.dtype, blobs)


def _see(pixels: Pixels, image: Array, mask: Array | None) -> Seen:
    """Return what is in a file, before it is resized."""
    return Seen(
        image.shape,
        _size(image, mask),
        str(image.dtype),
        pixels.spacing,
        pixels.nodata,
        int(np.ma.count_masked(image)),
        image.size,
        () if np.ma.getmask(image).all() else (float(image.min()), float(image.max())),
        n_objects=0 if mask is None else int(np.count_nonzero(count_labels(mask)[0])),
    )


def _size(image: Array, mask: Array | None) -> tuple[int, ...]:
    """Return the spatial shape of an image with channels first, or without channels."""
    if mask is not None:
        return mask.shape
    return image.shape if image.ndim == 2 else image.shape[1:]


def _resized(image: Array, side: int) -> Array:
    axes = "YX" if image.ndim == 2 else f"C{'ZYX'[1 - image.ndim :]}"
    return FileReader(resize=side).convert(Pixels(image, axes)).values


def _check_numbers(read: Array) -> None:
    if read.dtype.kind not in "biuf" or read.size == 0 or read.ndim < 2:
        raise ValueError(f"shape {read.shape} and dtype {read.dtype}, which is not an image")
    if read.dtype.kind == "f" and not np.isfinite(np.ma.compressed(read)).all():
        raise ValueError(
            "NaN or infinity: pass --nodata nan if these are pixels without data, or fill them"
        )


def _read_mask(item: MaskItem, reader: FileReader) -> Array:
    try:
        return reader.mask(item)
    except FileError as error:
        colors = None if isinstance(item, MaskFiles) or reader.colors else count_colors(item)
        if colors is not None:
            raise ColorMask(colors) from error
        raise ValueError(f"its mask: {error.reason}") from error


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
        unlike = [shape for shape, kind in zip(shapes, kinds, strict=True) if kind != usual]
        raise ValueError(
            f"Most images have shape {typical} (channels first), but {len(others)} of "
            f"{len(names)} do not: {first_few(others)}. Expected the same channels"
            f"{'.' if any_size else ' and size.'}{_advice(typical, unlike)}"
        )


def _advice(typical: tuple[int, ...], others: Sequence[tuple[int, ...]]) -> str:
    """Return what to do about images of different shapes, with a leading space."""
    if any(max(len(typical), 3) != max(len(other), 3) for other in others):
        return " Flat images and volumes cannot be mixed."
    most, *channels = (shape[0] if len(shape) > 2 else 1 for shape in (typical, *others))
    unlike = [number for number in channels if number != most]
    advice = ""
    if unlike and {most, *unlike} <= {1, 2, 3, 4}:
        said = channels_advice(unlike[0], most).partition(":")[0]
        advice = f"{said}: pass --color gray, or --color rgb."
    if len(unlike) < len(channels):
        advice += " Images of other sizes: crop them, or pass --resize PIXELS."
    return advice


def _reason(error: Exception) -> str:
    said = error.reason if isinstance(error, FileError) else str(error)
    text = " ".join(said.split()).removesuffix(".") or type(error).__name__
    return text if len(text) < 300 else f"{text[:297]}..."
