"""One pass over lazily read data, for what ``fit`` must know in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .arrays import Scaling, as_scaling, warn_of_unlike_dtypes
from .axes import channels_advice
from .imagenet import imagenet_scaling
from .lazy import Samples
from .open_item import naming_item
from .statistics import ChannelStatistics

# Number of values of an image that are summed up at a time.
_CHUNK = 2**18


class Survey:
    """The shape, scaling and targets of samples, from reading each of them once.

    Parameters
    ----------
    samples : Samples
        The samples to read.
    look : callable
        Maps (target, shape of the image (C, *spatial)) to what is kept of it.
    any_size : bool
        Whether images may have different sizes.
    kept : callable, default=None
        Maps a target to the pixels used for the scaling, an array of bool of shape
        (*spatial).
    min_samples : int, default=2
        The minimum number of images.

    Attributes
    ----------
    shape : tuple of int
        (n, C, *spatial), with the shape of the first image.
    seen : list
        What ``look`` kept of each target.
    statistics : ChannelStatistics
        Of all pixels used.

    Raises
    ------
    ValueError
        If images are of different shapes, or hold NaN or infinity.
    """

    def __init__(
        self,
        samples: Samples,
        look: Callable[[Any, tuple[int, ...]], Any],
        *,
        any_size: bool,
        kept: Callable[[Any], np.ndarray | None] | None = None,
        min_samples: int = 2,
    ) -> None:
        if len(samples) < min_samples:
            raise ValueError(
                f"X holds {len(samples)} image(s), but a minimum of {min_samples} is required."
            )
        self.samples = samples
        self.any_size = any_size
        self.seen: list[Any] = []
        self.statistics = ChannelStatistics()
        self._shapes: list[tuple[int, ...]] = []
        dtypes = []
        for position, (image, target) in enumerate(samples):
            if position == 0:
                self.shape = (len(samples), *image.shape)
            self._check(image, position)
            self._add(image, None if kept is None else kept(target))
            self._shapes.append(tuple(image.shape))
            dtypes.append(samples.dtype(position, image))
            with naming_item(f"y[{position}]"):
                self.seen.append(look(target, tuple(image.shape)))
        samples.sizes = self._sizes()
        warn_of_unlike_dtypes(dtypes, samples.name)
        self.dtypes = {str(dtype).removeprefix("torch.") for dtype in dtypes}

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def survey(self) -> Survey:
        """The survey itself; arrays have none."""
        return self

    @property
    def source(self) -> Samples:
        """The source of training batches."""
        return self.samples

    def filled(self, fill: Callable[[Tensor], Tensor]) -> Survey:
        """Fill pixels without a value when images are read."""
        if self.statistics.missing:
            self.samples.fill = fill
        return self

    def scaling(self, kept: Tensor | None = None) -> Scaling:
        """Return the mean and standard deviation of each channel over the pixels used."""
        self.statistics.warn_of_extremes()
        return as_scaling(self.statistics)

    def imagenet_scaling(self) -> Scaling:
        """Return the scaling of ImageNet in the units of the images."""
        return imagenet_scaling(self.shape[1], self.dtypes, self.extremes())

    def extremes(self) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        return self.statistics.extremes()

    def _sizes(self) -> Tensor | None:
        """Return a number for the size of each image, None if all have the same size."""
        numbers = {shape: number for number, shape in enumerate(dict.fromkeys(self._shapes))}
        return torch.tensor([numbers[s] for s in self._shapes]) if len(numbers) > 1 else None

    def _check(self, image: Tensor, position: int) -> None:
        expected = (*self.shape[1:2], *image.shape[1:]) if self.any_size else self.shape[1:]
        if tuple(image.shape) != expected or image.ndim != len(self.shape) - 1:
            raise ValueError(
                f"{self.samples.name(position)} is an image of shape {tuple(image.shape)} and "
                f"{self.samples.name(0)} one of shape {self.shape[1:]} (channels first). "
                f"{self._expected(image)}"
            )

    def _expected(self, image: Tensor) -> str:
        """Return what an image must share with the first one."""
        if image.ndim != len(self.shape) - 1:
            return "Expected the same number of axes in all: 2-D images and volumes do not mix."
        if len(image) != self.shape[1]:
            advice = channels_advice(len(image), self.shape[1])
            return f"Expected the same channels in all images.{advice}"
        return "Expected images of the same size: crop them, or set reader=FileReader(resize=...)."

    def _add(self, image: Tensor, kept: np.ndarray | None) -> None:
        pixels = image.flatten(1)[None]
        counted = None if kept is None else torch.from_numpy(kept).flatten()[None]
        size = max(1, _CHUNK // len(image))
        for start in range(0, pixels.shape[2], size):
            part = slice(start, start + size)
            self.statistics.add(pixels[:, :, part], None if counted is None else counted[:, part])


def tally(seen: list[list[tuple[np.ndarray, np.ndarray]]], values: np.ndarray) -> np.ndarray:
    """Return how often each value occurs in each channel of each mask.

    Parameters
    ----------
    seen : list of lists of (labels, counts)
        For each mask and channel.
    values : ndarray of shape (n_values,)
        Sorted.

    Returns
    -------
    counts : ndarray of shape (n, n_channels, n_values)
    """
    counts = np.zeros((len(seen), len(seen[0]), len(values)), dtype=np.int64)
    for of_mask, row in zip(seen, counts, strict=True):
        for (labels, number), of_channel in zip(of_mask, row, strict=True):
            position = np.searchsorted(values, labels).clip(max=len(values) - 1)
            known = values[position] == labels
            of_channel[position[known]] = number[known]
    return counts
