"""A third-party network with the interface that estimators need."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from .interface import USUAL_MULTIPLE
from .outputs import read_outputs
from .sizes import Sizes
from .wanted import Wanted

_INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}


class AdaptedNetwork(nn.Module):
    """A network for images of any size, with one tensor of scores.

    With scores per pixel, images are padded by repeating the edge and scores are
    cropped; with scores per image, images are enlarged.

    Parameters
    ----------
    network : nn.Module
        Maps images (n, in_channels, *spatial) to scores, or to several tensors of them.
    wanted : Wanted
        The data that it is for.
    sizes : Sizes
        The sizes of images that it accepts.
    """

    def __init__(self, network: nn.Module, wanted: Wanted, sizes: Sizes) -> None:
        super().__init__()
        # A module that was in evaluation mode is trained like any other one.
        self.network = network if network.training else network.train()
        self.wanted = wanted
        self.sizes = sizes
        # Tiles also start where a usual network samples the whole image.
        usual = math.lcm(sizes.multiple, USUAL_MULTIPLE)
        self.multiple = usual if sizes.fixed is None else max(sizes.fixed)
        self.values_per_pixel = sizes.values_per_pixel

    @property
    def only_size(self) -> tuple[int, ...] | None:
        """The only size of images that is accepted, None if there are several."""
        return self.sizes.fixed

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, *spatial) to scores."""
        return self.outputs(x)[0]

    def outputs(self, x: Tensor) -> list[Tensor]:
        """Return the scores of all heads, starting with the first head."""
        spatial = tuple(x.shape[2:])
        size = self.sizes.enlarged(spatial)
        if size != spatial:
            x = self._fitted(x, size)
        scores = read_outputs(self.network(x), self.wanted, size)
        if not self.wanted.per_pixel:
            return scores
        return [_cropped(_resized(each, size), spatial) for each in scores]

    def _fitted(self, x: Tensor, size: tuple[int, ...]) -> Tensor:
        spatial = x.shape[2:]
        if not self.wanted.per_pixel:
            return _resized(x, size)
        if any(side > limit for side, limit in zip(spatial, size, strict=True)):
            raise ValueError(
                f"The network accepts only images of {' x '.join(map(str, size))} pixels, but "
                f"these have {' x '.join(map(str, spatial))}. Set tile={max(size)} to predict them "
                f"and cut images to that size before training."
            )
        missing = [wanted - side for side, wanted in zip(spatial, size, strict=True)]
        padding = [side for length in reversed(missing) for side in (0, length)]
        return F.pad(x, padding, mode="replicate")


def _resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size=size, mode=_INTERPOLATION[len(size)], align_corners=False)


def _cropped(scores: Tensor, spatial: tuple[int, ...]) -> Tensor:
    for axis, length in enumerate(spatial, start=2):
        scores = scores.narrow(axis, 0, length)
    return scores


def all_outputs(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the scores of all heads of a network; most have only one."""
    module = getattr(module, "_orig_mod", module)
    if isinstance(module, AdaptedNetwork):
        return module.outputs(x)
    scores: Tensor = module(x)
    return [scores]


def inner_network(module: nn.Module) -> nn.Module:
    """Return the network as the user knows it, without the adapter around it."""
    return module.network if isinstance(module, AdaptedNetwork) else module


def n_outputs_in_training(module: nn.Module) -> int:
    """Return how many tensors of scores a network returns in training."""
    return module.sizes.n_heads if isinstance(module, AdaptedNetwork) else 1
