"""The images, targets and weights of one fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .rows import ArrayImages
from .targets import Targets


class ImageSource(Protocol):
    """Images from arrays, files or a Dataset, by position."""

    @property
    def device(self) -> torch.device:
        """The best device for creating image indices."""

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if their sizes differ."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read_rows(self, batches: Iterable[Any]) -> Iterator[tuple[Tensor, Sequence[Any] | None]]:
        """Yield the images at given positions, with the targets that were read with them."""

    def in_memory(self, chosen: Tensor | None) -> ArrayImages | None:
        """Return some or all of the images; None if they still have to be read."""


class TrainingData(Dataset):  # type: ignore[type-arg]
    """Images, codes and weights of one fit.

    Parameters
    ----------
    images : ArrayImages or Samples
        Images (n, C, *spatial) of any dtype.
    targets : ArrayCodes or MaskCodes
        Codes, or how to compute them from the masks that are read with the images.
    weight : Tensor of shape (n,), default=None
        Sample weights.
    chosen : Tensor of shape (m,), default=None
        Indices of the samples; all by default.
    """

    def __init__(
        self,
        images: ImageSource,
        targets: Targets,
        weight: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> None:
        self.images = images
        self.targets = targets
        self.weight = weight
        self.chosen = chosen

    def __len__(self) -> int:
        return len(self.images if self.chosen is None else self.chosen)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(index, int):
            return self.batch(index)[:2]
        position = range(len(self))[index]
        images, codes, _ = self.batch(slice(position, position + 1))
        return images[0], codes[0]

    def batch(self, index: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return images, codes and weights of some samples."""
        return next(self.batches([index]))

    def batches(self, indices: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Yield batches of images, codes and weights while files of the next one are read."""
        rows = [each if self.chosen is None else self.chosen[each] for each in indices]
        return map(self._batch, self.images.read_rows(rows), rows)

    def _batch(
        self, read: tuple[Tensor, Sequence[Any] | None], rows: Any
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        images, given = read
        codes = self.targets.batch(rows, given, tuple(images.shape[1:]))
        return images, codes, None if self.weight is None else self.weight[rows]

    @property
    def y(self) -> Any:
        """The codes, None if they come from masks that still have to be read."""
        targets = self.targets.in_memory(self.chosen)
        return None if targets is None else targets.values

    @property
    def device(self) -> torch.device:
        """The best device for creating sample indices."""
        return self.images.device

    @property
    def code_dtype(self) -> torch.dtype:
        """The dtype of the codes."""
        return self.targets.dtype

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if their sizes differ."""
        sizes = self.images.sizes
        return sizes if sizes is None or self.chosen is None else sizes[self.chosen]

    def class_counts(self) -> np.ndarray:
        """Return how often each class occurs."""
        return self.targets.class_counts(self.chosen)

    def subset(self, indices: np.ndarray) -> TrainingData:
        """Return some samples; the images are not copied."""
        chosen = torch.from_numpy(indices)
        chosen = chosen if self.chosen is None else self.chosen[chosen]
        return TrainingData(self.images, self.targets, self.weight, chosen)

    def to(self, device: torch.device) -> TrainingData:
        """Move the data to a device, unless it is read lazily or does not fit."""
        images = self.images.in_memory(self.chosen)
        targets = self.targets.in_memory(self.chosen)
        if images is None or targets is None:
            return self
        part = len(images) / len(images.whole)
        if not _fits({images.whole: part, targets.values: 1.0}, device):
            return self
        weight = self.weight
        if weight is not None:
            weight = (weight if self.chosen is None else weight[self.chosen]).to(device)
        return TrainingData(images.to(device), targets.to(device), weight)


def _fits(parts: dict[Tensor, float], device: torch.device) -> bool:
    """Return whether fractions of tensors leave half of a GPU's free memory to the network."""
    if device.type != "cuda":
        return True
    needed = sum(part * t.nbytes for t, part in parts.items() if t.device.type != "cuda")
    return needed <= torch.cuda.mem_get_info(device)[0] // 2
