"""Data as training holds them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sklearnloss.estimators._data.dataset import TrainingData
from sklearnloss.estimators._data.lazy import Samples
from sklearnloss.estimators._data.rows import ArrayImages, Rows
from sklearnloss.estimators._data.targets import ArrayCodes
from sklearnloss.estimators._training.batches import Batches

__all__ = ["in_batches", "in_memory", "one_by_one", "rows_of"]


def in_memory(images: Tensor, codes: Tensor, weight: Tensor | None = None) -> TrainingData:
    """Return images and codes that are all there."""
    return TrainingData(ArrayImages(images), ArrayCodes(codes, int(codes.max()) + 1), weight)


def one_by_one(images: list[Any], sizes: Tensor) -> TrainingData:
    """Return images that are read one by one, with their positions for codes."""
    samples = Samples(images)
    samples.sizes = sizes
    return TrainingData(samples, ArrayCodes(torch.arange(len(images)), len(images)))


def in_batches(data: TrainingData, size: int, seed: int | None = None) -> Batches:
    """Return batches, in a drawn order if there is a seed."""
    drawn = None if seed is None else torch.Generator().manual_seed(seed)
    return Batches(data, size, generator=drawn)


def rows_of(X: Any, rows: Any = slice(None)) -> Any:
    """Return some samples of an array without a copy, as searches pass them."""
    return Rows(X, rows)
