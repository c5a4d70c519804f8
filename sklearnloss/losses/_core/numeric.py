"""Arithmetic whose textbook form is not finite everywhere."""

from __future__ import annotations

import torch
from torch import Tensor

from .transfer import as_like


def safe_power(base: Tensor, exponent: float | Tensor) -> Tensor:
    """Return base ** exponent for base >= 0, with a finite gradient at 0.

    0 ** 0 is 1, and the gradient at 0 is 0 where that of a root would be infinite.
    """
    positive = ~(base <= 0)  # keeps nan
    zero = as_like(exponent, base) == 0
    return torch.where(positive, torch.where(positive, base, 1).pow(exponent), zero.to(base.dtype))
