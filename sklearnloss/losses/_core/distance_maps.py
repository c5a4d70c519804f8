"""Euclidean distance maps, without gradients, and means over pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .base import Interval
from .pixel import ratio
from .region import pooled, sum_spatial

Spacing = float | Sequence[float] | None


def distances(masks: Tensor, spacing: Spacing) -> tuple[Tensor, Tensor]:
    """Return each pixel's distance to the background and to the foreground.

    Parameters
    ----------
    masks : Tensor of shape (n, C, *spatial), bool
        One region per sample and class.
    spacing : float or sequence of float or None
        Size of a pixel along each axis; None for 1.

    Returns
    -------
    to_background, to_foreground : Tensor of shape (n, C, *spatial), float32
        0 where there is no boundary: in empty and in full masks. Computed on the
        CPU, one transform after the other, in time linear in the number of pixels.
    """
    from scipy.ndimage import distance_transform_edt

    if masks.ndim < 3:
        raise ValueError(
            f"Distances need spatial axes, but the masks have shape {tuple(masks.shape)}."
        )
    if masks.requires_grad:
        raise ValueError("Distance maps have no gradient.")
    _check_spacing(spacing, masks.ndim - 2)
    inside = torch.zeros(masks.shape, dtype=torch.float32, device="cpu")
    outside = torch.zeros(masks.shape, dtype=torch.float32, device="cpu")
    on_cpu = masks.cpu().numpy()
    for sample in range(masks.shape[0]):
        for channel in range(masks.shape[1]):
            mask = on_cpu[sample, channel]
            if mask.any() and not mask.all():
                for to, region in ((inside, mask), (outside, ~mask)):
                    map_ = distance_transform_edt(region, sampling=spacing)
                    to[sample, channel] = torch.from_numpy(map_)
    return inside.to(masks.device), outside.to(masks.device)


def _check_spacing(spacing: Spacing, n_axes: int) -> None:
    if spacing is None:
        return
    sizes = list(spacing) if isinstance(spacing, Iterable) else [spacing] * n_axes
    if len(sizes) != n_axes:
        raise ValueError(
            f"spacing={spacing!r} has {len(sizes)} sizes, but there are {n_axes} spatial axes."
        )
    for size in sizes:
        Interval.parse("(0, inf)").check(f"spacing={spacing!r}: size", size)


def pixel_mean(values: Tensor, mask: Tensor | None, pool: Tensor | None) -> Tensor:
    """Average over the valid pixels: (n, C, *spatial) -> (n, C), or (1, C) over all samples."""
    n = torch.ones_like(values) if mask is None else mask.expand_as(values)
    return ratio(*pooled((sum_spatial(values), sum_spatial(n)), pool))
