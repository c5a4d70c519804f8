"""ResNet for classification."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ._axes import AxisLayers, axis_layers

Stem = Literal["tiny", "small", "large"]


class ResNet(nn.Module):
    """Residual network with torchvision's parameter names.

    Checkpoints of torchvision's ``resnet18``, ``resnet34`` and ``resnet50`` load
    with ``stem="large"`` and ``width=64``.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of the images.
    n_classes : int, default=1000
        Scores per image.
    depth : {18, 34, 50}, default=18
        Number of layers.
    width : int, default=64
        Channels of the first stage; they double from stage to stage.
    stem : {"tiny", "small", "large"}, default="large"
        "large" reduces images fourfold at the start, as in the paper; "small" keeps
        their size, for images of up to about 64 pixels; "tiny", for fewer than 16
        pixels, doubles it first, since the network halves the resolution three times.
    n_axes : {1, 2, 3}, default=2
        Spatial axes: signals, images or volumes.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
    recognition", CVPR 2016. https://arxiv.org/abs/1512.03385

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.networks import ResNet
    >>> ResNet(in_channels=1, n_classes=10, width=8, stem="small")(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        n_classes: int = 1000,
        *,
        depth: int = 18,
        width: int = 64,
        stem: Stem = "large",
        n_axes: int = 2,
    ) -> None:
        super().__init__()
        if depth not in _STAGES:
            raise ValueError(f"depth={depth!r}: expected one of {', '.join(map(str, _STAGES))}.")
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}.")
        block, repeats = _STAGES[depth]
        layers = axis_layers(n_axes)
        if stem == "large":
            self.conv1 = layers.conv(in_channels, width, 7, stride=2, padding=3, bias=False)
            self.maxpool = layers.max_pool(kernel_size=3, stride=2, padding=1)
        elif stem in ("small", "tiny"):
            self.conv1 = layers.conv(in_channels, width, 3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            raise ValueError(f"stem={stem!r}: expected 'tiny', 'small' or 'large'.")
        self.enlarge = layers.upsample(scale_factor=2) if stem == "tiny" else nn.Identity()
        self.bn1 = layers.batch_norm(width)
        self.relu = nn.ReLU(inplace=True)
        channels = width
        stages = []
        for level, n_blocks in enumerate(repeats):
            blocks = []
            for k in range(n_blocks):
                stride = 2 if k == 0 and level > 0 else 1
                blocks.append(block(layers, channels, width * 2**level, stride))
                channels = width * 2**level * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(channels, n_classes)
        self.multiple, self.values_per_pixel = _REDUCTIONS[stem], width
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, *spatial) to logits (n, n_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.enlarge(x)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(x.flatten(2).mean(2))
        return logits


class _BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, layers: AxisLayers, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = layers.conv(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = layers.batch_norm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = layers.conv(channels, channels, 3, padding=1, bias=False)
        self.bn2 = layers.batch_norm(channels)
        nn.init.zeros_(self.bn2.weight)  # type: ignore[arg-type]  # start as the identity
        self.downsample = _shortcut(layers, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x)) + identity
        activated: Tensor = self.relu(x)
        return activated


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, layers: AxisLayers, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = layers.conv(in_channels, channels, 1, bias=False)
        self.bn1 = layers.batch_norm(channels)
        self.conv2 = layers.conv(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = layers.batch_norm(channels)
        self.conv3 = layers.conv(channels, 4 * channels, 1, bias=False)
        self.bn3 = layers.batch_norm(4 * channels)
        nn.init.zeros_(self.bn3.weight)  # type: ignore[arg-type]  # start as the identity
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(layers, in_channels, 4 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x)) + identity
        activated: Tensor = self.relu(x)
        return activated


def _shortcut(layers: AxisLayers, in_channels: int, channels: int, stride: int) -> _Shortcut | None:
    if stride == 1 and in_channels == channels:
        return None
    return _Shortcut(
        layers.conv(in_channels, channels, 1, bias=False), layers.batch_norm(channels), stride
    )


class _Shortcut(nn.Sequential):
    """Project the input to the size and channels of a block's output.

    The convolution is 1 x 1, so instead of striding, it is given every other pixel.
    With strides, torch 2.13 on CPUs writes out of bounds in the backward pass if the
    channels are innermost and fewer than 16.
    """

    def __init__(self, conv: nn.Module, norm: nn.Module, stride: int) -> None:
        super().__init__(conv, norm)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            every_other = [slice(None, None, self.stride)] * (x.ndim - 2)
            x = x[(slice(None), slice(None), *every_other)]
        shortened: Tensor = super().forward(x)
        return shortened


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


_REDUCTIONS: dict[Stem, int] = {"tiny": 4, "small": 8, "large": 32}
_STAGES: dict[int, tuple[type[_BasicBlock | _Bottleneck], list[int]]] = {
    18: (_BasicBlock, [2, 2, 2, 2]),
    34: (_BasicBlock, [3, 4, 6, 3]),
    50: (_Bottleneck, [3, 4, 6, 3]),
}
