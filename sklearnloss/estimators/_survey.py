"""One pass over data that is read lazily: what ``fit`` must know beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ._images import Scaling, as_scaling
from ._images import learn_scaling as scaling_of_tensor
from ._lazy import Samples
from ._rows import RowImages


class Survey:
    """The shape, the scaling and the targets of samples, from reading each once.

    Parameters
    ----------
    samples : Samples
        What is read.
    look : callable
        From (target, shape of the image (C, *spatial)) to what is kept of it.
    any_size : bool
        Whether images may be of unlike sizes.

    Attributes
    ----------
    shape : tuple of int
        (n, C, *spatial), of the first image.
    seen : list
        What ``look`` kept of each target.

    Raises
    ------
    ValueError
        If images are of unlike shapes, or hold NaN or infinity.
    """

    def __init__(
        self, samples: Samples, look: Callable[[Any, tuple[int, ...]], Any], *, any_size: bool
    ) -> None:
        if len(samples) < 2:
            raise ValueError(f"X holds {len(samples)} image(s), but a minimum of 2 is required.")
        self.samples = samples
        self.any_size = any_size
        self.seen: list[Any] = []
        self._shapes: list[tuple[int, ...]] = []
        self._count = 0
        for position, (image, target) in enumerate(samples):
            if position == 0:
                self.shape = (len(samples), *image.shape)
                self._mean = torch.zeros(len(image), dtype=torch.float64)
                self._squares = torch.zeros_like(self._mean)
            self._check(image, position)
            self._add(image)
            self._shapes.append(tuple(image.shape))
            self.seen.append(look(target, tuple(image.shape)))

    def __len__(self) -> int:
        return len(self.samples)

    def scaling(self) -> Scaling:
        """Return the mean and standard deviation of each channel over all images."""
        return as_scaling(self._mean, self._squares / max(self._count, 1))

    def sizes(self) -> Tensor | None:
        """Return a number for the size of each image, None if all are of one size."""
        numbers = {shape: number for number, shape in enumerate(dict.fromkeys(self._shapes))}
        return torch.tensor([numbers[s] for s in self._shapes]) if len(numbers) > 1 else None

    def _check(self, image: Tensor, position: int) -> None:
        expected = (*self.shape[1:2], *image.shape[1:]) if self.any_size else self.shape[1:]
        if tuple(image.shape) != expected or image.ndim != len(self.shape) - 1:
            raise ValueError(
                f"X[{position}] is an image of shape {tuple(image.shape)} and X[0] one of shape "
                f"{self.shape[1:]} (channels first). Expected images with the same channels"
                + ("." if self.any_size else " and of the same size: resize or crop them.")
            )

    def _add(self, image: Tensor) -> None:
        """Merge an image's mean and squared deviations into those of the ones before."""
        values = image.double().flatten(1)  # (C, pixels)
        count = values.shape[1]
        mean = values.mean(1)
        squares = (values - mean[:, None]).square().sum(1)
        total = self._count + count
        delta = mean - self._mean
        # T. F. Chan, G. H. Golub, R. J. LeVeque, 1983: pairwise updating of variances.
        self._squares += squares + delta.square() * (self._count * count / total)
        self._mean += delta * (count / total)
        self._count = total


def learn_scaling(images: Tensor | RowImages | Survey) -> Scaling:
    """Return the mean and standard deviation of each channel over all images."""
    return images.scaling() if isinstance(images, Survey) else scaling_of_tensor(images)


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
