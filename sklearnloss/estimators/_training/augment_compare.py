"""A comparison of images with the masks that were drawn into them."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

# Side of the blocks that are compared, in pixels, and the displacements that are tried, for
# images with 1, 2 or 3 axes.
_BLOCK = 8
_REACH = {1: 3, 2: 3, 3: 2}
_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def compare(image: Tensor, mask: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Compare images with their masks, overall and locally.

    Parameters
    ----------
    image : Tensor of shape (n, C, *spatial)
        Images with few pixels.
    mask : Tensor of shape (n, 1, *spatial), in [0, 1]
        The masks that were drawn into the images.
    weight : Tensor of shape (n, 1, *spatial), in [0, 1]
        The weight of each pixel of the mask.

    Returns
    -------
    overall : Tensor of shape (n,)
        The covariance within blocks divided by the standard deviations, for the channel
        where it is largest, from -1 to 1; nan if nothing is visible.
    moved : Tensor of shape (n,), bool
        Whether a fifth of the blocks fit better elsewhere.
    """
    blocks = _Blocks(image.double(), mask.double(), weight.double())
    here = blocks.moments([0] * (image.ndim - 2))
    scale = here.deviations().flatten(2).sum(2)
    overall = here.covariance.flatten(2).sum(2) / scale
    overall = torch.where(scale > 0, overall, math.nan)
    clearest = overall.abs().nan_to_num(-1.0).argmax(1, keepdim=True)
    overall = overall.gather(1, clearest)[:, 0]
    if bool((overall.abs() > 0.95).all()):
        return overall, torch.zeros_like(overall, dtype=torch.bool)
    return overall, blocks.have_moved() & ~overall.isnan()


def reduce(layer: Tensor, factors: tuple[int, ...]) -> Tensor:
    """Average images (n, C, *spatial) over ``factors`` pixels along each axis."""
    reduced: Tensor = _POOL[len(factors)](layer.double(), factors, factors)
    return reduced


class _Moments(NamedTuple):
    """Covariance and variances within blocks, each (n, C or 1, *blocks)."""

    covariance: Tensor
    image: Tensor
    mask: Tensor

    def deviations(self) -> Tensor:
        """Return the product of the standard deviations."""
        return (self.image * self.mask).sqrt()


class _Blocks:
    """Blocks of images, compared with those of displaced masks."""

    def __init__(self, image: Tensor, mask: Tensor, weight: Tensor) -> None:
        sides, n_axes = image.shape[2:], image.ndim - 2
        self.image = image
        self.sides = sides
        self.reach = [min(_REACH[n_axes], side // 4) for side in sides]
        margin = [reach for reach in reversed(self.reach) for _ in range(2)]
        self.mask, self.weight = F.pad(mask, margin), F.pad(weight, margin)
        self.size = tuple(min(_BLOCK, side) for side in sides)
        self.step = tuple(max(1, side // 2) for side in self.size)

    def moments(self, shift: list[int]) -> _Moments:
        """Return the moments of images and of masks displaced by some pixels."""
        window = tuple(
            slice(reach + by, reach + by + side)
            for reach, by, side in zip(self.reach, shift, self.sides, strict=True)
        )
        at: Any = (..., *window)
        mask, weight = self.mask[at], self.weight[at]
        pool = _POOL[len(shift)]

        def mean(values: Tensor) -> Tensor:
            return pool(weight * values, self.size, self.step) / total

        total = pool(weight, self.size, self.step).clamp(min=1e-6)
        of_image, of_mask = mean(self.image), mean(mask)
        return _Moments(
            mean(self.image * mask) - of_image * of_mask,
            (mean(self.image.square()) - of_image.square()).clamp(min=0),
            (mean(mask.square()) - of_mask.square()).clamp(min=0),
        )

    def have_moved(self) -> Tensor:
        """Return for which images a fifth of the blocks fit better elsewhere, (n,)."""
        # Nearly uniform blocks fit anywhere.
        floor = 1e-3 * self.image.flatten(2).var(2)
        floor = floor.reshape(*floor.shape, *[1] * len(self.sides)) + 1e-12
        near = best = None
        for shift in itertools.product(*(range(-reach, reach + 1) for reach in self.reach)):
            moments = self.moments(list(shift))
            scale = ((moments.image + floor) * (moments.mask + 0.02)).sqrt()
            fit = (moments.covariance.abs() / scale).amax(1)
            best = fit if best is None else torch.maximum(best, fit)
            if max(map(abs, shift)) <= 1:
                near = fit if near is None else torch.maximum(near, fit)
        assert best is not None
        assert near is not None
        moved = ((best > 0.8) & (best > near + 0.2)).flatten(1)
        return (moved.sum(1) > 4) & (moved.double().mean(1) > 0.2)
