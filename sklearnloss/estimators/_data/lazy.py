"""Images and masks that are read on demand, for data larger than memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from ..._files import FileReader
from ..._files.pictures import is_pillow
from ..._files.pixels import arrange
from ...losses._core.seeding import unseeded
from .arrays import _KEPT, Channels, as_image, given_dtype, is_masked
from .axes import check_mask_shape, n_axes_by_mask
from .open_item import (
    MASK_PATHS,
    PATHS,
    is_image,
    name_item,
    naming_item,
    naming_path,
    open_image,
    open_mask,
    split_item,
)
from .read_ahead import read_ahead
from .rows import ArrayImages

# Number of samples read together without a batch size. With those read ahead, twice as many
# are in memory.
_GROUP = 2
_MOST_THREADS = 16
_KEPT_NAMES = {np.dtype(kept).name for kept in _KEPT}


def is_lazy(values: Any) -> bool:
    """Return whether images or masks should be read one by one.

    True for a torch ``Dataset``, and for lists of paths or ``MaskFiles``, of Pillow images,
    of memory-mapped arrays, of arrays of different shapes, or of (image, target) pairs.
    """
    if isinstance(values, Dataset):
        return True
    items = _as_list(values)
    if items is None or len(items) == 0:
        return False
    if _is_pair(items[0]) or any(isinstance(item, MASK_PATHS) or is_pillow(item) for item in items):
        return True
    if not all(isinstance(item, (np.ndarray, Tensor)) and item.ndim > 1 for item in items):
        return False
    return isinstance(items[0], np.memmap) or len({tuple(item.shape) for item in items}) > 1


def has_targets(X: Any) -> bool:
    """Return whether lazily read samples are (image, target) pairs."""
    if isinstance(X, Dataset):
        check_indexable(X)
        return len(X) > 0 and split_item(X[0], 0)[1] is not None  # type: ignore[arg-type]
    items = _as_list(X)
    return items is not None and len(items) > 0 and _is_pair(items[0])


def check_indexable(X: Any) -> None:
    """Raise a TypeError for data without a length or an order."""
    streams = isinstance(X, IterableDataset)
    if streams or not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        raise TypeError(
            f"X is a {type(X).__name__}, which has no length or cannot be indexed. Expected a "
            f"map-style torch Dataset, with __len__ and __getitem__, or a list of files or arrays."
        )


def _as_list(values: Any) -> Sequence[Any] | None:
    """Return a possible list of files or arrays, or None."""
    if hasattr(values, "to_numpy"):  # a pandas column
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        return values.tolist() if values.ndim == 1 and values.dtype.kind in "OSUT" else None
    return values if isinstance(values, (list, tuple)) else None


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and is_image(item[0])


class Samples:
    """Images and, if there are any, their targets, read one by one.

    Parameters
    ----------
    X : Dataset, or sequence of paths or arrays
        Images, or (image, target) pairs.
    y : sequence, array or None
        Targets, unless X contains them.
    image_shape : tuple of int or None
        Shape of one image.
    channels : {"first", "last"}
        Position of the channel axis of the images.
    masks : bool
        Whether targets are masks, which are read if they are paths.
    multilabel : bool, default=False
        Whether masks have one channel per label.
    ready : bool, default=False
        Whether images are already tensors (C, *spatial).
    n_axes : int, default=None
        The number of spatial axes of images, if known.
    fill : callable, default=None
        Replaces NaN, which stands for masked pixels, in images (n, C, *spatial).
        By default they stay NaN.
    reader : FileReader, default=None
        Turns files into images and masks.

    Attributes
    ----------
    of_arrays : bool
        Whether the axes of some image are determined by ``channels`` alone.
    sizes : Tensor of shape (n,) or None
        A number for the size of each image, if their sizes are known to differ.
    """

    # The best device for creating sample indices.
    device = torch.device("cpu")
    sizes: Tensor | None = None

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        channels: Channels = "first",
        masks: bool = False,
        multilabel: bool = False,
        ready: bool = False,
        n_axes: int | None = None,
        fill: Callable[[Tensor], Tensor] | None = None,
        reader: FileReader | None = None,
    ) -> None:
        items = X if isinstance(X, (Dataset, ArrayImages)) else _as_list(X)
        check_indexable(X if items is None else items)
        self.items: Any = items
        listed = None if y is None else _as_list(y)
        self.targets: Any = y if listed is None else listed
        if y is not None and len(self.targets) != len(self):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has {len(self)}, "
                f"y has {len(self.targets)}."
            )
        self.image_shape = image_shape
        self.channels = channels
        self.masks = masks
        self.multilabel = multilabel
        self.ready = ready
        self.n_axes = n_axes
        self.fill = fill
        self.reader = FileReader() if reader is None else reader
        self.of_arrays = False
        self._mask_files: dict[int, Path] = {}
        self._given_dtypes: dict[int, str] = {}
        self._of_dataset = any(isinstance(each, Dataset) for each in (self.items, self.targets))
        if self.ready and self.targets is None:  # nothing to read
            self.n_threads = 0
        elif self._of_dataset:  # may not be thread-safe
            self.n_threads = 1
        else:
            self.n_threads = min(os.cpu_count() or 1, _MOST_THREADS)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> tuple[Tensor, Any]:
        """Return an image (C, *spatial) and its target, None if there is none."""
        # Datasets may draw random numbers, which must not depend on our seeds.
        with unseeded() if self._of_dataset else contextlib.nullcontext():
            item, target = split_item(self.items[position], position)
            if self.targets is not None:
                target = self.targets[position]
        names = name_item("X", position, item), name_item("y", position, target)
        masked, in_file = self.masks and target is not None, None
        if masked:
            if isinstance(target, PATHS):
                self._mask_files[position] = Path(os.fsdecode(target))
            target, in_file = open_mask(target, self.reader, multilabel=self.multilabel)
        mask = tuple(np.shape(target)) if masked else None
        image, hidden, size = item, True, None
        if not self.ready:
            image, hidden, size = self._read_image(item, position, mask)
        if hidden and self.fill is not None and image.is_floating_point():
            image = self.fill(image[None])[0]
        if mask is not None:
            shape = tuple(image.shape)
            if size is not None and in_file is not None:
                # Resized and padded, a mask of another size would look as if it fitted.
                mask, shape = in_file, (len(image), *size)
            check_mask_shape(
                mask,
                shape,
                channels=self.channels,
                multilabel=self.multilabel,
                names=names,
            )
        return image, target

    def in_memory(self, chosen: Tensor | None) -> None:
        """Return None, since images are read batch by batch."""

    def mask_files(self) -> list[Path]:
        """Return the files of the masks read so far, in order."""
        return [path for _, path in sorted(self._mask_files.items())]

    def image_files(self) -> list[Path]:
        """Return the files of the images if all of them are files, otherwise an empty list."""
        items = self.items if isinstance(self.items, list) else []
        files = all(isinstance(item, str | bytes | os.PathLike) for item in items)
        return [Path(os.fsdecode(item)) for item in items] if files else []

    def name(self, position: int) -> str:
        """Return the name of an image for errors."""
        return name_item("X", position, split_item(self.items[position], position)[0])

    def _read_image(
        self, item: Any, position: int, mask: tuple[int, ...] | None
    ) -> tuple[Tensor, bool, tuple[int, ...] | None]:
        """Return an image (C, *spatial), whether pixels are masked, and its size in the file."""
        name = name_item("X", position, item)
        pixels = open_image(
            item, self.reader, n_axes=self._known_axes(mask), channels=self.channels
        )
        n_axes = self.n_axes
        if mask is not None and pixels.is_pages:
            n_axes = n_axes or n_axes_by_mask(pixels.values.shape, mask, multilabel=self.multilabel)
        with naming_path(item):
            values = arrange(pixels, self.channels, self.image_shape, n_axes)
        if pixels.axes is None:
            self.of_arrays = True
        with naming_item(name):
            image = as_image(values, self.image_shape, self.channels, name)
        hidden = is_masked(values)
        if hidden:
            given = str(given_dtype(values))
            if given in _KEPT_NAMES:
                self._given_dtypes[position] = given
        return image, hidden, pixels.size

    def _known_axes(self, mask: tuple[int, ...] | None) -> int | None:
        """Return the number of spatial axes, as far as the mask or ``image_shape`` tells."""
        if self.n_axes is not None:
            return self.n_axes
        if self.image_shape is not None:
            return 3 if len(self.image_shape) == 4 else 2
        return None if mask is None else len(mask) - int(self.multilabel)

    def dtype(self, position: int, image: Tensor) -> torch.dtype:
        """Return the dtype of an image before pixels were masked."""
        given = self._given_dtypes.get(position)
        return image.dtype if given is None else getattr(torch, given)

    def read(self, batches: Iterable[Sequence[int]]) -> Iterator[list[tuple[Tensor, Any]]]:
        """Yield batches of images and targets while the next batch is read."""
        return read_ahead(self.__getitem__, batches, self.n_threads)

    def __iter__(self) -> Iterator[tuple[Tensor, Any]]:
        n = len(self)
        for group in self.read(range(k, min(k + _GROUP, n)) for k in range(0, n, _GROUP)):
            yield from group

    def read_rows(self, batches: Iterable[Any]) -> Iterator[tuple[Tensor, list[Any]]]:
        """Yield the images and targets at given positions, batch by batch."""
        positions = [range(len(self))[b] if isinstance(b, slice) else b.tolist() for b in batches]
        return map(self._stack, self.read(positions), positions)

    def _stack(
        self, samples: Sequence[tuple[Tensor, Any]], positions: Sequence[int]
    ) -> tuple[Tensor, list[Any]]:
        images, targets = map(list, zip(*samples, strict=True))
        for image, position in zip(images, positions, strict=True):
            if image.shape != images[0].shape:
                raise ValueError(
                    f"{self.name(position)} has shape {tuple(image.shape)} now, but "
                    f"{self.name(positions[0])} has {tuple(images[0].shape)} (channels "
                    f"first). Expected images that do not change during fit."
                )
        return stack(images), targets

    def batches(
        self, batch_size: Callable[[tuple[int, ...]], int]
    ) -> Iterator[tuple[Tensor, list[Any]]]:
        """Yield images and targets, grouping consecutive ones of the same shape.

        Parameters
        ----------
        batch_size : callable
            Maps (*spatial) to the number of images in a batch.
        """
        images: list[Tensor] = []
        targets: list[Any] = []
        for image, target in self:
            full = images and len(images) == batch_size(tuple(image.shape[1:]))
            if full or (images and image.shape != images[0].shape):
                yield stack(images), targets
                images, targets = [], []
            images.append(image)
            targets.append(target)
        if images:
            yield stack(images), targets


def stack(images: Sequence[Tensor]) -> Tensor:
    """Stack images into one tensor, as float32 unless they share a dtype."""
    if len({image.dtype for image in images}) > 1:
        images = [image.float() for image in images]
    return torch.stack(list(images))
