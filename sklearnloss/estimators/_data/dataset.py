"""The images, targets and weights of one fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .rows import RowImages


class TrainingData(Dataset):  # type: ignore[type-arg]
    """Images, codes and weights of one fit.

    Parameters
    ----------
    X : Tensor of shape (n, C, *spatial)
        Images of any dtype.
    y : Tensor of shape (n,), (n, *spatial) or (n, K, *spatial)
        Codes.
    weight : Tensor of shape (n,), default=None
        Sample weights.
    rows : Tensor of shape (n,), default=None
        Where the samples are in X, if that holds more.
    """

    def __init__(
        self, X: Tensor, y: Tensor, weight: Tensor | None = None, rows: Tensor | None = None
    ) -> None:
        self.X = X
        self.y = y
        self.weight = weight
        self.rows = rows

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.batch(index)[:2]

    def batch(self, index: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return images, codes and weights of some samples."""
        return next(self.batches([index]))

    def batches(self, indices: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Yield batches of images, codes and weights; files of the next one are read meanwhile."""
        return map(self._batch, indices)

    def _batch(self, index: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        rows = index if self.rows is None else self.rows[index]
        weight = None if self.weight is None else self.weight[index]
        return self.X[rows], self.y[index], weight

    @property
    def device(self) -> torch.device:
        """Where indices of samples are best made."""
        return self.X.device

    @property
    def code_dtype(self) -> torch.dtype:
        """The dtype of the codes."""
        return self.y.dtype

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if they are of unlike sizes."""
        return None

    def class_counts(self) -> np.ndarray | None:
        """Return how often each class occurs, None if the codes are there to be counted."""
        return None

    def subset(self, indices: np.ndarray) -> TrainingData:
        """Return some samples; the images stay where they are."""
        chosen = torch.from_numpy(indices)
        weight = None if self.weight is None else self.weight[chosen.to(self.weight.device)]
        rows = chosen.to(self.device)
        rows = rows if self.rows is None else self.rows[rows]
        return TrainingData(self.X, self.y[chosen.to(self.y.device)], weight, rows)

    def to(self, device: torch.device) -> TrainingData:
        """Return the data on a device, or where it is if it does not fit there."""
        part = 1.0 if self.rows is None else len(self.rows) / len(self.X)
        if not _fits({self.X: part, self.y: 1.0}, device):
            return self
        weight, rows = (None if t is None else t.to(device) for t in (self.weight, self.rows))
        X = self.X
        if self.rows is not None and X.device.type == "cpu" != device.type:
            X, rows = RowImages(X, self.rows.numpy()).to(device), None
        return TrainingData(X.to(device), self.y.to(device), weight, rows)


def _fits(parts: dict[Tensor, float], device: torch.device) -> bool:
    """Tell whether parts of tensors leave half of a GPU's free memory to the network."""
    if device.type != "cuda":
        return True
    needed = sum(part * t.nbytes for t, part in parts.items() if t.device.type != "cuda")
    return needed <= torch.cuda.mem_get_info(device)[0] // 2
