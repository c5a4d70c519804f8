"""First and last layers, replaced by ones with other numbers of channels and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def convolutions(network: nn.Module) -> Iterator[str]:
    """Yield the names of the convolutions, except transposed ones."""
    return (name for name, module in network.named_modules() if isinstance(module, _CONVOLUTIONS))


def adapt_kernel(kernel: Tensor, n_channels: int) -> Tensor:
    """Adapt a kernel (out, in, *size) to another number of channels.

    For one channel the kernel is summed over its channels; otherwise it is repeated and
    rescaled, so that equal channels give the same result as before.
    """
    n_given = kernel.shape[1]
    if n_given == n_channels or not kernel.is_floating_point():
        return kernel
    if n_channels == 1:
        return kernel.sum(1, keepdim=True)
    index = torch.arange(n_channels, device=kernel.device) % n_given
    return kernel[:, index] * (n_given / n_channels)


def exchange_first(network: nn.Module, in_channels: int, *, keep: bool) -> None:
    """Replace the first convolution by one with another number of channels.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    in_channels : int
        Number of channels of the images.
    keep : bool
        Whether to keep the weights; otherwise new ones are drawn.
    """
    name = next(convolutions(network), None)
    first: Any = None if name is None else network.get_submodule(name)
    if name is None or first.in_channels == in_channels:
        return
    other = type(first)(
        in_channels,
        first.out_channels,
        first.kernel_size,
        first.stride,
        first.padding,
        first.dilation,
        bias=first.bias is not None,
        padding_mode=first.padding_mode,
    )
    if keep:
        with torch.no_grad():
            other.weight.copy_(adapt_kernel(first.weight, in_channels))
            if first.bias is not None:
                other.bias.copy_(first.bias)
    _put(network, name, other)


def exchange_outputs(network: nn.Module, names: Iterable[str], n_outputs: int) -> None:
    """Replace layers by random ones with another number of outputs.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    names : iterable of str
        Names of linear layers and convolutions.
    n_outputs : int
        Their new number of outputs.
    """
    for name in names:
        old: Any = network.get_submodule(name)
        bias = old.bias is not None
        if isinstance(old, nn.Linear):
            new: nn.Module = nn.Linear(old.in_features, n_outputs, bias=bias)
        else:
            new = type(old)(old.in_channels, n_outputs, old.kernel_size, bias=bias)
        _put(network, name, new)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
