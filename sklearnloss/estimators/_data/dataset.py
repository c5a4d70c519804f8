"""The images, targets and weights of one fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .lazy import MaskCodes
from .rows import ArrayImages


class ImageSource(Protocol):
    """Images of arrays, of files or of a Dataset, by their positions."""

    @property
    def device(self) -> torch.device:
        """Where indices of images are best made."""

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if they are of different sizes."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read_rows(self, batches: Iterable[Any]) -> Iterator[tuple[Tensor, Sequence[Any] | None]]:
        """Yield the images at some positions, and what targets are read with them."""


class TrainingData(Dataset):  # type: ignore[type-arg]
    """Images, codes and weights of one fit.

    Parameters
    ----------
    images : ArrayImages or Samples
        Images (n, C, *spatial) of any dtype.
    codes : Tensor of shape (n,), (n, *spatial) or (n, K, *spatial), or MaskCodes
        Codes, or how to make them of the masks that are read with the images.
    weight : Tensor of shape (n,), default=None
        Sample weights.
    chosen : Tensor of shape (m,), default=None
        Which samples these are; by default all.
    """

    def __init__(
        self,
        images: ImageSource,
        codes: Tensor | MaskCodes,
        weight: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> None:
        self.images = images
        self.codes = codes
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
        """Yield batches of images, codes and weights; files of the next one are read meanwhile."""
        rows = [each if self.chosen is None else self.chosen[each] for each in indices]
        return map(self._batch, self.images.read_rows(rows), rows)

    def _batch(
        self, read: tuple[Tensor, Sequence[Any] | None], rows: Any
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        images, masks = read
        if isinstance(self.codes, Tensor):
            codes = self.codes[rows]
        else:
            assert masks is not None
            positions = torch.arange(len(self.images))[rows].tolist()
            codes = self.codes.read(masks, tuple(images.shape[1:]), positions)
        return images, codes, None if self.weight is None else self.weight[rows]

    @property
    def y(self) -> Any:
        """The codes, None if they are made of masks that are still to be read."""
        if not isinstance(self.codes, Tensor):
            return None
        return self.codes if self.chosen is None else self.codes[self.chosen]

    @property
    def device(self) -> torch.device:
        """Where indices of samples are best made."""
        return self.images.device

    @property
    def code_dtype(self) -> torch.dtype:
        """The dtype of the codes."""
        return self.codes.dtype

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if they are of different sizes."""
        sizes = self.images.sizes
        return sizes if sizes is None or self.chosen is None else sizes[self.chosen]

    def class_counts(self) -> np.ndarray | None:
        """Return how often each class occurs, None if the codes are there to be counted."""
        if isinstance(self.codes, Tensor):
            return None
        chosen = slice(None) if self.chosen is None else self.chosen.numpy()
        counts: np.ndarray = self.codes.counts[chosen].sum(0)
        return counts

    def subset(self, indices: np.ndarray) -> TrainingData:
        """Return some samples; the images stay where they are."""
        chosen = torch.from_numpy(indices)
        chosen = chosen if self.chosen is None else self.chosen[chosen]
        return TrainingData(self.images, self.codes, self.weight, chosen)

    def to(self, device: torch.device) -> TrainingData:
        """Return the data on a device, or where it is if it is read or does not fit there."""
        if not isinstance(self.images, ArrayImages) or not isinstance(self.codes, Tensor):
            return self
        images, codes, weight = self.images, self.codes, self.weight
        if self.chosen is not None:
            images, codes = images.only(self.chosen), codes[self.chosen]
            weight = None if weight is None else weight[self.chosen]
        part = len(images) / len(images.whole)
        if not _fits({images.whole: part, codes: 1.0}, device):
            return self
        weight = None if weight is None else weight.to(device)
        return TrainingData(images.to(device), codes.to(device), weight)


def _fits(parts: dict[Tensor, float], device: torch.device) -> bool:
    """Return whether parts of tensors leave half of a GPU's free memory to the network."""
    if device.type != "cuda":
        return True
    needed = sum(part * t.nbytes for t, part in parts.items() if t.device.type != "cuda")
    return needed <= torch.cuda.mem_get_info(device)[0] // 2
