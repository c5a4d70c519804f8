"""Layers by the number of spatial axes."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class AxisLayers(NamedTuple):
    """The layer classes for one number of spatial axes."""

    conv: type[nn.Module]
    conv_transpose: type[nn.Module]
    batch_norm: type[nn.Module]
    instance_norm: type[nn.Module]
    max_pool: type[nn.Module]


_LAYERS = {
    1: AxisLayers(nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.MaxPool1d),
    2: AxisLayers(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.MaxPool2d),
    3: AxisLayers(nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.InstanceNorm3d, nn.MaxPool3d),
}


def axis_layers(n_axes: int) -> AxisLayers:
    """Return the layer classes for 1, 2 or 3 spatial axes."""
    if n_axes not in _LAYERS:
        raise ValueError(f"n_axes={n_axes!r}: expected 1, 2 or 3 spatial axes.")
    return _LAYERS[n_axes]
