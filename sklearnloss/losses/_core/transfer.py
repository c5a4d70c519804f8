"""Non-blocking transfers of tensors to a device."""

from __future__ import annotations

import numbers
from typing import Any

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return a tensor on a device; transfers to a GPU are non-blocking."""
    to_gpu = tensor.device.type == "cpu" and torch.device(device).type == "cuda"
    if not to_gpu or tensor.requires_grad or torch.compiler.is_compiling():
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def as_tensor(value: Any) -> Tensor:
    """Return a tensor unchanged, and numbers in float64 on the CPU, whatever torch's defaults."""
    if isinstance(value, Tensor):
        return value
    return torch.as_tensor(value, dtype=torch.float64, device="cpu")


def as_like(value: Any, like: Tensor) -> Tensor:
    """Return a number, numbers or a tensor in the dtype and on the device of another tensor.

    ``torch.as_tensor`` on that device would wait for a GPU in every training step.
    """
    if isinstance(value, numbers.Real):
        return torch.full((), float(value), dtype=like.dtype, device=like.device)
    return send(as_tensor(value).to(like.dtype), like.device)
