"""Random changes of images and their masks, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..._utils.text import did_you_mean
from ...losses._core.transfer import send
from .._data.arrays import Scaling
from .augment_libraries import CallableChange
from .augment_masks import MaskLabels

Pair = tuple[Tensor, Tensor | None]
Change = Callable[[Tensor, Tensor | None, torch.Generator], Pair]


class Augmentation:
    """A sequence of random changes, each drawn independently for every image.

    Parameters
    ----------
    changes : str, callable or sequence of them
        Names of :data:`CHANGES`; transforms of torchvision, albumentations or kornia;
        or functions: ``images -> images`` without masks,
        ``(images, masks) -> (images, masks)`` with masks, on tensors
        (n, C, *spatial) and (n, *spatial).
    labels : MaskLabels, default=None
        What the codes of masks stand for; the user's transforms receive these labels.
    scaling : Scaling, default=None
        The scaling of the images.

    Raises
    ------
    ValueError
        If a name is unknown, or a transform cannot work.
    """

    def __init__(
        self,
        changes: str | Callable[..., Any] | Sequence[Any],
        labels: MaskLabels | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        listed: list[Any] = list(changes) if isinstance(changes, (list, tuple)) else [changes]
        self.changes = [_resolve(change, labels, scaling) for change in listed]
        self.labels = labels
        self.given = changes

    @property
    def callables(self) -> list[CallableChange]:
        """The changes that are not names."""
        return [change for change in self.changes if isinstance(change, CallableChange)]

    def __call__(
        self,
        images: Tensor,
        masks: Tensor | None,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        *,
        strict: bool = False,
    ) -> Pair:
        """Change a batch.

        Parameters
        ----------
        images : Tensor of shape (n, C, *spatial)
            Scaled images.
        masks : Tensor of shape (n, *spatial) or (n, K, *spatial), or None
            Codes.
        generator : torch.Generator
            The source of randomness.
        dtype : torch.dtype
            The dtype of the images before scaling.
        strict : bool
            Whether to check all values that the user's transforms return, which waits for
            a GPU.
        """
        for change in self.changes:
            if isinstance(change, CallableChange):
                images, masks = change(images, masks, generator, dtype, strict=strict)
            else:
                images, masks = change(images, masks, generator)
        return images, masks


def _resolve(
    change: Any, labels: MaskLabels | None, scaling: Scaling | None
) -> Change | CallableChange:
    if isinstance(change, str) and change in CHANGES:
        return CHANGES[change]
    if isinstance(change, type):
        raise ValueError(f"augment={change.__name__} is a class. Pass an object: add ().")
    if callable(change):
        return CallableChange(change, labels, scaling)
    raise ValueError(
        f"augment={change!r} is unknown. Expected one of {', '.join(map(repr, CHANGES))}, a list "
        f"of them, or a callable.{did_you_mean(str(change), CHANGES)}"
    )


def _uniform(low: float, high: float, images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a number for each image, (n,)."""
    drawn = torch.rand(len(images), generator=generator)
    return send(low + (high - low) * drawn, images.device)


def _each(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (n,) so that it broadcasts over (n, ...)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def flip(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Mirror half of the images along each spatial axis."""
    for axis in range(-1, 1 - images.ndim, -1):
        chosen = _uniform(0, 1, images, generator) < 0.5
        images = torch.where(_each(chosen, images), images.flip(axis), images)
        if masks is not None:
            masks = torch.where(_each(chosen, masks), masks.flip(axis), masks)
    return images, masks


def mirror(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Mirror half of the images along the last axis: left and right."""
    chosen = _uniform(0, 1, images, generator) < 0.5
    images = torch.where(_each(chosen, images), images.flip(-1), images)
    if masks is not None:
        masks = torch.where(_each(chosen, masks), masks.flip(-1), masks)
    return images, masks


def rot90(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Rotate images by a random multiple of 90 degrees in the plane of their last two axes.

    Images that are not square are rotated by multiples of 180 degrees.
    """
    if images.ndim < 4:
        return images, masks
    quarters = (4 * torch.rand(len(images), generator=generator)).long()
    square = images.shape[-1] == images.shape[-2]
    if not square:
        quarters = 2 * (quarters % 2)
    images = images.clone()
    masks = None if masks is None else masks.clone()
    for k in (1, 2, 3) if square else (2,):
        index = send((quarters == k).nonzero()[:, 0], images.device)
        images[index] = images[index].rot90(k, (-2, -1))
        if masks is not None:
            masks[index] = masks[index].rot90(k, (-2, -1))
    return images, masks


def shift(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Move images by up to an eighth of their size, repeating the edge.

    Like cropping at random after padding. Axes of fewer than 8 pixels are unchanged.
    """
    for axis in range(2, images.ndim):
        length = images.shape[axis]
        reach = length // 8
        offset = _uniform(-reach - 0.5, reach + 0.5, images, generator).round().long()
        index = (torch.arange(length, device=images.device) + offset[:, None]).clamp(0, length - 1)
        images = _take(images, index, axis)
        if masks is not None:
            masks = _take(masks, index, axis - images.ndim)
    return images, masks


def _take(values: Tensor, index: Tensor, axis: int) -> Tensor:
    """Select positions (n, length) along an axis, individually for each image."""
    shape = [1] * values.ndim
    shape[0], shape[axis] = index.shape
    return values.gather(axis, index.reshape(shape).expand_as(values))


def affine(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Rotate images by up to 15 degrees and zoom them by up to 10 %; 2-D and 3-D."""
    if images.ndim < 4:
        return images, masks
    angle = _uniform(-math.pi / 12, math.pi / 12, images, generator)
    zoom = _uniform(0.9, 1.1, images, generator)
    matrix = _identity(images)
    # grid_sample uses x, y, z order: the first two are the image plane.
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return _warp(images, masks, matrix * zoom.reshape(-1, 1, 1))


def crop(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Cut out a random part, at least 70 % of each side, and enlarge it; 2-D and 3-D."""
    if images.ndim < 4:
        return images, masks
    share = _uniform(0.7, 1.0, images, generator)
    matrix = _identity(images) * share.reshape(-1, 1, 1)
    for axis in range(images.ndim - 2):  # the center of the part, from -1 to 1
        matrix[:, axis, -1] = (1 - share) * _uniform(-1, 1, images, generator)
    return _warp(images, masks, matrix)


def _identity(images: Tensor) -> Tensor:
    """Return the identity map of each image, (n, n_axes, n_axes + 1)."""
    n_axes = images.ndim - 2
    return torch.eye(n_axes, n_axes + 1, device=images.device).repeat(len(images), 1, 1)


def _warp(images: Tensor, masks: Tensor | None, matrix: Tensor) -> Pair:
    """Sample each pixel from where ``matrix`` maps its position, repeating the edge."""
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    if masks is not None:
        layers = masks.reshape(len(masks), -1, *images.shape[2:]).float()  # or multilabel
        layers = F.grid_sample(layers, grid, "nearest", "border", align_corners=False)
        masks = layers.reshape(masks.shape).to(masks.dtype)
    return images, masks


def intensity(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Change the contrast by up to 20 % and the brightness by up to 0.2, in scaled units."""
    contrast = _each(_uniform(0.8, 1.2, images, generator), images)
    brightness = _each(_uniform(-0.2, 0.2, images, generator), images)
    return contrast * images + brightness, masks


def noise(images: Tensor, masks: Tensor | None, generator: torch.Generator) -> Pair:
    """Add Gaussian noise of standard deviation up to 0.1, in scaled units."""
    size = _each(_uniform(0, 0.1, images, generator), images)
    drawn = send(torch.randn(images.shape, generator=generator), images.device)
    return images + size * drawn, masks


#: The changes by name.
CHANGES: dict[str, Change] = {
    "affine": affine,
    "crop": crop,
    "flip": flip,
    "intensity": intensity,
    "mirror": mirror,
    "noise": noise,
    "rot90": rot90,
    "shift": shift,
}
