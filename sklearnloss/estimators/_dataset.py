"""The data of one fit, and mini-batches of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..losses._device import send
from ._augment import Augmentation
from ._images import Scaling, to_network
from ._rows import RowImages


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


class Batches:
    """Mini-batches sliced from whole tensors; iterating again shuffles again.

    Samples are spread evenly, so that no batch is much smaller than the others
    and none is a single image, which batch normalisation cannot take. Images of
    unlike sizes are in batches of their own.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        *,
        scaling: Scaling | None = None,
        device: torch.device | str = "cpu",
        generator: torch.Generator | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.scaling = scaling and scaling.to(device)
        self.device = device
        self.generator = generator
        self.augment = augment

    def __len__(self) -> int:
        if self.data.sizes is None:
            return self._n_batches(len(self.data))
        return sum(
            self._n_batches(n) for n in self.data.sizes.unique(return_counts=True)[1].tolist()
        )

    def _n_batches(self, n: int) -> int:
        n_batches = -(-n // self.batch_size)
        if self.batch_size > 1 and n < 2 * n_batches:
            n_batches -= 1
        return max(n_batches, 1)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        for index in self._indices():
            images, target, weight = self.data.batch(index)
            x = to_network(images, self.scaling, self.device)
            target = send(target, self.device)
            if self.augment is not None and self.generator is not None:
                masks = target if target.ndim > 1 else None
                x, masks = self.augment(x, masks, self.generator, images.dtype)
                target = target if masks is None else masks
            if weight is None:
                yield x, target
            else:
                yield {"x": x, "sample_weight": send(weight, self.device)}, target

    def _indices(self) -> Iterator[Any]:
        """Yield the positions of the samples of each batch."""
        n, sizes, order = len(self.data), self.data.sizes, None
        if self.generator is not None:
            order = send(torch.randperm(n, generator=self.generator), self.data.device)
        if sizes is None:
            for start, stop in itertools.pairwise(self._bounds(n)):
                yield slice(start, stop) if order is None else order[start:stop]
            return
        order = torch.arange(n) if order is None else order
        parts = [order[sizes[order] == size] for size in sizes.unique()]
        batches = [p[a:b] for p in parts for a, b in itertools.pairwise(self._bounds(len(p)))]
        if self.generator is None:
            yield from batches
        else:
            shuffled = torch.randperm(len(batches), generator=self.generator)
            yield from (batches[k] for k in shuffled.tolist())

    def _bounds(self, n: int) -> list[int]:
        bounds: list[int] = np.linspace(0, n, self._n_batches(n) + 1).round().astype(int).tolist()
        return bounds
