"""Mini-batches of the data of one fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...losses._core.transfer import send
from .._data.arrays import Scaling, to_network
from .._data.dataset import TrainingData
from .augmentations import Augmentation


class Batches:
    """Mini-batches sliced from whole tensors; iterating again shuffles again.

    Samples are spread evenly, so that no batch is much smaller than the others
    and none is a single image, which batch normalization does not support. Images
    of different sizes are in separate batches.
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
        for images, target, weight in self.data.batches(self._indices()):
            x = to_network(images, self.scaling, self.device)
            target = send(target, self.device)
            if self.augment is not None and self.generator is not None:
                masks = target if target.ndim > 1 else None
                x, masks = self.augment(x, masks, self.generator, images.dtype)
                x = x.contiguous()  # the weights decide on the memory format
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
