"""Read the images and masks of a folder once: what is wrong with them, and whether they fit."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..estimators._files import PICTURES, read_file
from ..estimators._labels import distinct_labels, is_grey, read_masks
from ..estimators._mask_classes import (
    COMMAND_LINE,
    Blobs,
    ObjectNumbers,
    check_classes,
    find_blobs,
    jpeg_names,
)
from ._culprits import first_few
from ._layout import ImageFiles

Array = NDArray[Any]

# What is held in memory, in bytes; more is read again and again, batch by batch.
IN_MEMORY = 2 * 2**30
_BLOCK = 16


class _Sample(NamedTuple):
    """An image with its mask, and what stands for them when they are not kept."""

    image: Array
    mask: Array | None
    image_item: Any
    mask_item: Any
    labels: frozenset[int]
    blobs: Blobs = Blobs((), 0, 0)


class Loaded(NamedTuple):
    """Images and masks as the estimators take them.

    Attributes
    ----------
    X : ndarray of shape (n, *image), or list of Path and ndarray
    y : ndarray of shape (n, *spatial), list of Path and ndarray, or None
    shapes : list of tuple of int
        Of the images, channels first.
    labels : list of int
        The distinct labels of the masks.
    """

    X: Any
    y: Any
    shapes: list[tuple[int, ...]]
    labels: list[int]


def load_images(files: ImageFiles, *, resize: int | None = None) -> Loaded:
    """Read all images once, and keep them if they are of one shape and fit into memory.

    Parameters
    ----------
    files : ImageFiles
        What to read.
    resize : int, default=None
        Side, in pixels, to which images are resized, for classification.

    Returns
    -------
    loaded : Loaded
        Arrays, or lists of what is read anew each time.

    Raises
    ------
    ValueError
        If files cannot be read, or do not fit together; the first few are named.
    ImportError
        If pictures are to be read without the library for it.
    """
    _check_libraries([*files.images, *(files.masks or [])])
    samples, kept = _read_and_check(files, resize)
    shapes = [sample.image.shape for sample in samples]
    labels = sorted(set().union(*(sample.labels for sample in samples)))
    has_masks = files.masks is not None
    _check_shapes(files.names, shapes, any_size=has_masks)
    if files.masks is not None:
        numbers = ObjectNumbers()
        for sample in samples:
            numbers.add(sample.blobs)
        check_labels(labels, numbers, jpegs=jpeg_names(files.masks))
    X: Any = [sample.image_item for sample in samples]
    y: Any = [sample.mask_item for sample in samples] if has_masks else None
    if kept <= IN_MEMORY and len(set(shapes)) == 1:
        X = np.stack([sample.image for sample in samples])
        y = np.stack([cast(Array, sample.mask) for sample in samples]) if has_masks else None
    return Loaded(X, y, shapes, labels)


def _read_and_check(files: ImageFiles, resize: int | None) -> tuple[list[_Sample], int]:
    """Return the samples and their size in bytes; beyond the limit without their pixels."""
    masks: Sequence[Path | None] = files.masks or [None] * len(files.images)
    samples, broken, kept = [], [], 0
    found = _read_all(list(zip(files.images, masks, strict=True)), resize)
    for name, sample in zip(files.names, found, strict=True):
        if isinstance(sample, Exception):
            broken.append(f"{name} ({_reason(sample)})")
            continue
        kept += sample.image.nbytes + (0 if sample.mask is None else sample.mask.nbytes)
        samples.append(sample if kept <= IN_MEMORY else _slim(sample))
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(files.images)} images cannot be used: {first_few(broken)}."
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
    jobs: Sequence[tuple[Path, Path | None]], resize: int | None
) -> Iterator[_Sample | Exception]:
    """Yield each sample, or why there is none; files are read at the same time."""
    pool = ThreadPoolExecutor(min(_BLOCK, os.cpu_count() or 1))
    with pool, tqdm(total=len(jobs), unit="image", desc="Reading", leave=False) as bar:
        # Block by block, as the pool would run ahead of what memory can hold.
        for start in range(0, len(jobs), _BLOCK):
            images, masks = zip(*jobs[start : start + _BLOCK], strict=True)
            yield from pool.map(_try_to_read, images, masks, [resize] * len(images))
            bar.update(len(images))


def _try_to_read(image: Path, mask: Path | None, resize: int | None) -> _Sample | Exception:
    try:
        return _read(image, mask, resize)
    except Exception as error:  # whatever a broken file makes a library raise
        return error


def _read(image_path: Path, mask_path: Path | None, resize: int | None) -> _Sample:
    read = read_file(image_path, "first")
    if read.dtype.kind not in "biuf" or read.size == 0 or read.ndim < 2:
        raise ValueError(f"of shape {read.shape} and dtype {read.dtype}, which is no image")
    if read.dtype.kind == "f" and not np.isfinite(read).all():
        raise ValueError("NaN or infinity")
    if mask_path is None:
        image = _channels_first(read)
        image = image if resize is None else _resized(image, resize)
        return _Sample(image, None, image_path if image is read else image, None, frozenset())
    read_mask = read_file(mask_path, "first")
    mask = _one_label_per_pixel(read_mask, is_picture=mask_path.suffix.lower() in PICTURES)
    image = fit_to_mask(read, mask.shape)
    found = distinct_labels(read_masks(mask[None], (1, *mask.shape)))
    return _Sample(
        image,
        mask,
        image_path if image is read else image,
        mask_path if mask is read_mask else mask,
        frozenset(found.astype(int).tolist()),
        find_blobs(mask, found.astype(int).tolist()),
    )


def _slim(sample: _Sample) -> _Sample:
    """Forget pixels that can be read again."""
    hollow = np.lib.stride_tricks.as_strided(
        np.zeros(1, np.uint8), sample.image.shape, [0] * sample.image.ndim
    )
    return sample._replace(image=hollow, mask=None)


def _channels_first(image: Array) -> Array:
    last = image.ndim == 3 and image.shape[-1] in (1, 3, 4) and image.shape[0] > 4
    return np.moveaxis(image, -1, 0) if last else image


def fit_to_mask(image: Array, mask: tuple[int, ...]) -> Array:
    """Return an image with its channels first, or without, as the mask's shape tells.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._compare_command._images import fit_to_mask
    >>> fit_to_mask(np.zeros((8, 9, 3)), (8, 9)).shape
    (3, 8, 9)
    >>> fit_to_mask(np.zeros((5, 8, 9)), (5, 8, 9)).shape  # a volume
    (1, 5, 8, 9)
    """
    if image.shape == mask:
        return image[None] if image.ndim > 2 else image
    if image.ndim == len(mask) + 1 and image.shape[1:] == mask:
        return image
    if image.ndim == len(mask) + 1 and image.shape[:-1] == mask:
        return np.moveaxis(image, -1, 0)
    raise ValueError(f"the image is of shape {image.shape}, its mask of {mask}")


def _one_label_per_pixel(mask: Array, *, is_picture: bool) -> Array:
    first: Array = mask[0]
    if mask.ndim > 2 and len(mask) == 1:
        return first
    if mask.ndim > 2 and mask.shape[-1] == 1:
        return np.squeeze(mask, -1)
    if is_picture and mask.ndim == 3 and len(mask) in (2, 3, 4):  # grey and alpha, or colours
        if not is_grey(mask):
            what = "in colour" if len(mask) > 2 else "with two channels that differ"
            raise ValueError(f"a mask {what}: write the number of its class to each pixel")
        return first
    return mask


def _resized(image: Array, side: int) -> Array:
    tensor = torch.from_numpy(np.ascontiguousarray(image).astype(np.float32))
    planes = tensor.reshape(1, -1, *image.shape[-2:])
    resized = F.interpolate(planes, (side, side), mode="bilinear", antialias=True)
    done: Array = resized.reshape(*image.shape[:-2], side, side).numpy()
    return done.round().clip(0, 255).astype(np.uint8) if image.dtype == np.uint8 else done


def _check_shapes(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]], *, any_size: bool
) -> None:
    """Raise, naming those that differ from most, unless images go together."""
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
            f"Most images are of shape {typical} (channels first), but {len(others)} of "
            f"{len(names)} are not: {first_few(others)}. Expected the same channels"
            + (
                ": make all of them grey, or all coloured."
                if any_size
                else " and size: crop them, or say --resize PIXELS."
            )
        )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 120 else f"{text[:117]}..."
