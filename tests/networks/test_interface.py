"""The interface of our networks, and what is assumed of others."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sklearnloss.networks import ResNet, UNet
from sklearnloss.networks._adapt.interface import as_network


@pytest.mark.parametrize(
    ("network", "multiple", "width"),
    [
        (UNet(depth=3, width=6), 8, 6),
        (UNet(depth=1, width=4, n_axes=1), 2, 4),
        (ResNet(width=4, n_classes=2, stem="tiny"), 4, 4),
        (ResNet(width=5, n_classes=2, stem="small"), 8, 5),
        (ResNet(width=4, n_classes=2, stem="large"), 32, 4),
    ],
)
def test_our_networks_have_the_interface(network: Any, multiple: int, width: int) -> None:
    assert as_network(network) is network
    assert (network.multiple, network.values_per_pixel) == (multiple, width)


@pytest.mark.parametrize(
    ("stem", "side"), [*itertools.product(["tiny", "small", "large"], [32, 64])]
)
def test_multiple_is_the_reduction_of_the_resolution(stem: Any, side: int) -> None:
    network = ResNet(in_channels=1, n_classes=2, width=4, stem=stem)
    sizes: list[int] = []
    network.layer4.register_forward_hook(lambda *args: sizes.append(args[2].shape[-1]))
    network(torch.zeros(2, 1, side, side))
    assert sizes == [side // network.multiple]


def test_other_networks_get_usual_values() -> None:
    known = as_network(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3), nn.Conv2d(6, 9, 1)))
    assert (known.multiple, known.values_per_pixel) == (32, 6)
    assert as_network(nn.Identity()).values_per_pixel == 1


def test_a_part_of_the_interface_is_enough() -> None:
    class Halving(nn.Module):
        multiple = 2

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 7, 3)

        def forward(self, x: Tensor) -> Any:
            return self.layer(x)

    known = as_network(Halving())
    assert (known.multiple, known.values_per_pixel) == (2, 7)
