"""Layers by the number of spatial axes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

from torch import nn


class AxisLayers(NamedTuple):
    """The layer classes for one number of spatial axes."""

    conv: type[nn.Module]
    conv_transpose: type[nn.Module]
    batch_norm: type[nn.Module]
    instance_norm: type[nn.Module]
    max_pool: type[nn.Module]
    upsample: Callable[..., nn.Module]


def _layers(n_axes: int, interpolation: str) -> AxisLayers:
    kinds = ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm", "MaxPool")
    upsample = functools.partial(nn.Upsample, mode=interpolation)
    return AxisLayers._make([*(getattr(nn, f"{kind}{n_axes}d") for kind in kinds), upsample])


_LAYERS = {1: _layers(1, "linear"), 2: _layers(2, "bilinear"), 3: _layers(3, "trilinear")}


def axis_layers(n_axes: int) -> AxisLayers:
    """Return the layer classes for 1, 2 or 3 spatial axes."""
    if n_axes not in _LAYERS:
        raise ValueError(f"n_axes={n_axes!r}: expected 1, 2 or 3 spatial axes.")
    return _LAYERS[n_axes]
