"""U-Net for segmentation."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._axes import AxisLayers, axis_layers

Norm = Literal["group", "batch", "instance", "none"]


class UNet(nn.Module):
    """U-Net: an encoder, a decoder, and skip connections at every resolution.

    Images may have any size: they are padded by repeating the edge to a multiple
    of ``2 ** depth``, and the scores are cropped back.

    Parameters
    ----------
    in_channels : int, default=1
        Channels of the images.
    out_channels : int, default=1
        Scores per pixel.
    depth : int, default=4
        Number of times the resolution is halved; >= 1.
    width : int, default=32
        Channels at full resolution; they double at each halving.
    norm : {"group", "batch", "instance", "none"}, default="group"
        Normalization. "group" does not depend on the batch and learns within few
        steps; "batch" can be a little better after many.
    n_axes : {1, 2, 3}, default=2
        Spatial axes: signals, images or volumes.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional networks for
    biomedical image segmentation", MICCAI 2015. https://arxiv.org/abs/1505.04597

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.networks import UNet
    >>> UNet(in_channels=3, out_channels=2, depth=2, width=8)(torch.zeros(1, 3, 45, 30)).shape
    torch.Size([1, 2, 45, 30])
    """

    encoder_parts = ("stem", "down")

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        depth: int = 4,
        width: int = 32,
        norm: Norm = "group",
        n_axes: int = 2,
    ) -> None:
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width must be at least 1, got {depth=} and {width=}.")
        layers = axis_layers(n_axes)
        widths = [width * 2**level for level in range(depth + 1)]
        self.stem = _Block(layers, in_channels, widths[0], norm)
        self.down = nn.ModuleList(
            _Block(layers, fine, coarse, norm, stride=2)
            for fine, coarse in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(
            _Up(layers, coarse, fine, norm) for coarse, fine in itertools.pairwise(reversed(widths))
        )
        self.head = layers.conv(width, out_channels, kernel_size=1)
        self.multiple, self.values_per_pixel = 2**depth, width
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, *spatial) to logits (n, out_channels, *spatial)."""
        size = x.shape[2:]
        x = self.stem(_pad(x, self.multiple))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        logits: Tensor = self.head(x)
        for axis, length in enumerate(size, start=2):
            logits = logits.narrow(axis, 0, length)
        return logits


class _Block(nn.Sequential):
    """Two convolutions of width 3, the first of which may halve the resolution."""

    def __init__(
        self, layers: AxisLayers, in_channels: int, channels: int, norm: Norm, stride: int = 1
    ) -> None:
        super().__init__(
            layers.conv(in_channels, channels, 3, stride=stride, padding=1, bias=norm == "none"),
            _norm(layers, channels, norm),
            nn.ReLU(inplace=True),
            layers.conv(channels, channels, 3, padding=1, bias=norm == "none"),
            _norm(layers, channels, norm),
            nn.ReLU(inplace=True),
        )


class _Up(nn.Module):
    """Double the resolution and concatenate the encoder's features."""

    def __init__(self, layers: AxisLayers, in_channels: int, channels: int, norm: Norm) -> None:
        super().__init__()
        self.enlarge = layers.conv_transpose(in_channels, channels, kernel_size=2, stride=2)
        self.block = _Block(layers, 2 * channels, channels, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.block(torch.cat([skip, self.enlarge(x)], 1))
        return joined


def _norm(layers: AxisLayers, channels: int, norm: Norm) -> nn.Module:
    if norm == "group":
        return nn.GroupNorm(math.gcd(8, channels), channels)
    if norm == "batch":
        return layers.batch_norm(channels)
    if norm == "instance":
        return layers.instance_norm(channels, affine=True)
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm={norm!r}: expected 'group', 'batch', 'instance' or 'none'.")


def _pad(x: Tensor, multiple: int) -> Tensor:
    missing = [-length % multiple for length in x.shape[2:]]
    if not any(missing):
        return x
    padding = [side for length in reversed(missing) for side in (0, length)]
    return F.pad(x, padding, mode="replicate")


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
