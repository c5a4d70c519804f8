"""What is trained in the benchmarks of the estimators: data, network and settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss import ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter
from sklearnloss.networks import ResNet, UNet

LR, WEIGHT_DECAY = 3e-3, 0.1


class Task(NamedTuple):
    """Images, labels or masks, and how to train on them."""

    name: str
    X: np.ndarray  # (n, C, H, W)
    y: np.ndarray  # (n,) or (n, H, W)
    width: int
    batch_size: int
    epochs: int
    depth: int = 18
    library: str = ""  # the name of another network than ours

    @property
    def masks(self) -> bool:
        """Whether there is a label per pixel."""
        return self.y.ndim > 1

    def network(self) -> nn.Module:
        """Return the network that our estimators train on this."""
        in_channels, side = self.X.shape[1:3]
        if self.library:
            return library_network(self.library, in_channels, self.n_scores)
        if self.masks:
            return UNet(in_channels, 1, depth=self.depth, width=self.width)
        stem: Any = "tiny" if side < 16 else "small"
        return ResNet(in_channels, self.n_scores, depth=self.depth, width=self.width, stem=stem)

    @property
    def n_scores(self) -> int:
        """Scores per image or pixel."""
        return 1 if self.masks else len(np.unique(self.y))

    def estimator(self, **settings: Any) -> Any:
        """Return our estimator for this."""
        own = {"depth": self.depth, "width": self.width}
        cls: Any = UNetSegmenter if self.masks else ResNetClassifier
        if self.library:
            cls, own = ImageSegmenter if self.masks else ImageClassifier, {"network": self.library}
        given = {
            **own,
            "lr": LR,
            "weight_decay": WEIGHT_DECAY,
            "batch_size": self.batch_size,
            "max_epochs": self.epochs,
            "random_state": 0,
        }
        return cls(**{**given, **settings})

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """What is minimized, written by hand."""
        return dice_and_bce if self.masks else F.cross_entropy

    def targets(self) -> Tensor:
        """Return the targets as that loss takes them."""
        y = torch.from_numpy(self.y)
        return y.unsqueeze(1).float() if self.masks else y.long()


def dice_and_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum of the Dice loss and binary cross entropy, as one writes it by hand."""
    p = logits.sigmoid()
    overlap = (p * target).sum((1, 2, 3))
    total = p.sum((1, 2, 3)) + target.sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1e-6) / (total + 1e-6)
    return dice.mean() + F.binary_cross_entropy_with_logits(logits, target)


def digits(*, quick: bool = False, width: int = 8, epochs: int = 3) -> Task:
    """Return the 1797 digits of scikit-learn, 8x8."""
    X, y = load_digits(return_X_y=True)
    n = 96 if quick else len(X)
    images = X[:n].reshape(n, 1, 8, 8).astype(np.float32)
    return Task(f"digits {n}x8x8", images, y[:n], 2 if quick else width, 32, epochs)


def color(*, quick: bool = False, n: int = 5000, side: int = 32, width: int = 16) -> Task:
    """Return random images of bytes in ten classes, as large as those of CIFAR."""
    n, side, width = (64, 16, 2) if quick else (n, side, width)
    generator = np.random.default_rng(0)
    y = np.arange(n) % 10
    noise = generator.integers(0, 156, (n, 3, side, side), dtype=np.uint8)
    X = noise + (10 * y)[:, None, None, None].astype(np.uint8)
    return Task(f"color {n}x3x{side}x{side}", X, y, width, 32, 1)


def blobs(*, quick: bool = False, n: int = 256, side: int = 128, width: int = 8) -> Task:
    """Return noisy images of discs, and their masks."""
    n, side, width = (16, 32, 2) if quick else (n, side, width)
    generator = np.random.default_rng(0)
    centers = generator.uniform(0.3, 0.7, (2, n, 1, 1)) * side
    rows, columns = np.ogrid[:side, :side]
    far = np.hypot(rows - centers[0], columns - centers[1])
    y = (far < side / 4).astype(np.uint8)
    X = (y + generator.normal(0, 0.5, y.shape)).astype(np.float32)
    return Task(f"masks {n}x{side}x{side}", X[:, None], y, width, 8, 1, depth=2 if quick else 4)


def library_network(name: str, in_channels: int, n_scores: int) -> nn.Module:
    """Return a network as one makes it without us."""
    if name == "timm:resnet10t":
        import timm

        return timm.create_model("resnet10t", in_chans=in_channels, num_classes=n_scores)
    if name == "smp:Unet/resnet18":
        import segmentation_models_pytorch as smp

        return smp.Unet("resnet18", encoder_weights=None, in_channels=in_channels, classes=n_scores)
    from monai.networks.nets import SegResNet

    return SegResNet(spatial_dims=2, in_channels=in_channels, out_channels=n_scores)


def library_tasks(*, quick: bool) -> list[Task]:
    """Return three tasks with networks of timm, segmentation-models-pytorch and MONAI."""
    images, masks = color(quick=quick, n=1000), blobs(quick=quick, n=64)
    return [
        images._replace(name=f"{images.name}, timm's ResNet-10", library="timm:resnet10t"),
        masks._replace(name=f"{masks.name}, smp's U-Net", library="smp:Unet/resnet18"),
        masks._replace(name=f"{masks.name}, MONAI's SegResNet", library="monai:SegResNet"),
    ]


def all_tasks(*, quick: bool) -> list[Task]:
    """Return the three tasks that training and prediction are measured on."""
    return [digits(quick=quick), color(quick=quick), blobs(quick=quick)]
