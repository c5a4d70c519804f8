"""Targets that a network learns: codes in memory, or made from masks as these are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from .labels import IGNORED
from .open_item import naming_item

# Number of codes that are counted at a time.
_CHUNK = 2**22


class Targets(Protocol):
    """The codes of all samples, by position."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the codes."""

    def batch(self, rows: Any, read: Sequence[Any] | None, shape: tuple[int, ...]) -> Tensor:
        """Return the codes at given positions, for images (C, *spatial) and their targets.

        Parameters
        ----------
        rows : slice or Tensor of int
            The positions.
        read : sequence or None
            The targets that were read with the images.
        shape : tuple of int
            (C, *spatial), the shape of the images.
        """

    def class_counts(self, chosen: Tensor | None) -> np.ndarray:
        """Return how often each class occurs in some samples, or in all.

        Returns
        -------
        counts : ndarray of shape (n_classes,) or, multilabel, (2, K)
            For multilabel masks, how many pixels lack each label, and how many have it.
        """

    def in_memory(self, chosen: Tensor | None) -> ArrayCodes | None:
        """Return some or all of the codes; None if they still have to be made."""


class ArrayCodes(NamedTuple):
    """Codes in memory.

    Attributes
    ----------
    values : Tensor of shape (n,), (n, *spatial) or, multilabel, (n, K, *spatial)
        The codes.
    n_classes : int
        The number of classes, without the code of ignored pixels.
    multilabel : bool, default=False
        Whether there is one mask per label.
    """

    values: Tensor
    n_classes: int
    multilabel: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the codes."""
        return self.values.dtype

    def batch(self, rows: Any, read: Sequence[Any] | None, shape: tuple[int, ...]) -> Tensor:
        """Return the codes at given positions."""
        return self.values[rows]

    def class_counts(self, chosen: Tensor | None) -> np.ndarray:
        """Return how often each class occurs, leaving out ignored pixels."""
        codes = self.values if chosen is None else self.values[chosen]
        return _count_on_off(codes) if self.multilabel else _count(codes, self.n_classes)

    def in_memory(self, chosen: Tensor | None) -> ArrayCodes:
        """Return the codes of some samples, or of all."""
        return self if chosen is None else self._replace(values=self.values[chosen])

    def to(self, device: torch.device) -> ArrayCodes:
        """Return the codes on a device."""
        return self._replace(values=self.values.to(device))

    def kept(self) -> Tensor:
        """Return the pixels (n, *spatial) to use: those that are not ignored in every mask."""
        kept = self.values != IGNORED[self.dtype]
        return kept.any(1) if self.multilabel else kept


class MaskCodes(NamedTuple):
    """A rule to turn masks into codes when they are read, and the counts of all masks.

    Attributes
    ----------
    encode : callable
        Maps (mask as read, shape of its image) to its codes.
    dtype : torch.dtype
        The dtype of the codes.
    counts : ndarray of shape (n, ...)
        How often each class occurs in each sample.
    """

    encode: Callable[[Any, tuple[int, ...]], Tensor]
    dtype: torch.dtype
    counts: np.ndarray

    def batch(self, rows: Any, read: Sequence[Any] | None, shape: tuple[int, ...]) -> Tensor:
        """Return the codes of the masks that were read."""
        assert read is not None
        codes, positions = [], torch.arange(len(self.counts))[rows].tolist()
        for mask, position in zip(read, positions, strict=True):
            with naming_item(f"y[{position}]"):
                codes.append(self.encode(mask, shape))
        return torch.stack(codes)

    def class_counts(self, chosen: Tensor | None) -> np.ndarray:
        """Return how often each class occurs in some samples, or in all."""
        counts = self.counts if chosen is None else self.counts[chosen.numpy()]
        total: np.ndarray = counts.sum(0)
        return total

    def in_memory(self, chosen: Tensor | None) -> None:
        """Return None, since codes are made batch by batch."""


def _count(codes: Tensor, n_classes: int) -> np.ndarray:
    total = torch.zeros(n_classes, dtype=torch.int64)
    for part in codes.reshape(-1).split(_CHUNK):
        part = part.long()
        total += part[(part >= 0) & (part < n_classes)].bincount(minlength=n_classes)
    return total.numpy()


def _count_on_off(codes: Tensor) -> np.ndarray:
    """Count the pixels without each label, and with it, in codes (n, K, *spatial)."""
    total = torch.zeros(2, codes.shape[1], dtype=torch.int64)
    axes = tuple(range(2, codes.ndim))
    for part in codes.split(max(1, _CHUNK // max(codes[:1].numel(), 1))):
        total += torch.stack([(part == code).sum(axes).sum(0) for code in (0, 1)]).cpu()
    return total.numpy()
