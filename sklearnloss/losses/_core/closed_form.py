"""When closed forms pay, and how they go through memory.

Written in plain torch, a formula keeps every intermediate result for the backward pass,
up to eight times the logits. The closed forms keep the logits alone and compute the
slope from them again, block by block in the processor's cache. Small masks of 0 and 1
have closed forms of few operations, each of which counts there. All are torch
operations as the formulas are, but only for what training on images looks like:
float32 tensors, plain numbers as hyperparameters, no transformations. All else takes
the formula, which remains the specification.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .inputs import LARGE, Inputs

Block: TypeAlias = tuple[slice, EllipsisType, slice]

# Below it, the calls cost more than the passes over memory they save.
SMALLEST = LARGE
# Elements at a time, few enough for the cache of a core. A GPU wants more of them.
BLOCK = {"cpu": 2**19, "cuda": 2**25}


def is_small(inputs: Inputs) -> bool:
    """Return whether the way through blocks is slower than the formula."""
    return inputs.logits.numel() < SMALLEST


def is_plain(inputs: Inputs) -> bool:
    """Return whether a closed form is possible here."""
    z, t = inputs.logits, inputs.target
    return (
        not torch.compiler.is_compiling()
        and z.ndim > 2
        and z.dtype == torch.float32
        and z.device.type in BLOCK
        and not t.requires_grad
        and _is_untransformed(z)
    )


def _is_untransformed(z: Tensor) -> bool:
    """Return whether nothing but autograd's reverse mode looks at the operations."""
    return not (
        torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
        or type(z) not in (Tensor, nn.Parameter)
        or forward_ad.unpack_dual(z).tangent is not None
    )


def as_number(value: Any) -> float | None:
    """Return a plain number, None for what may have a gradient or an axis of its own."""
    return float(value) if isinstance(value, numbers.Real) else None


def blocks(z: Tensor) -> Iterator[Block]:
    """Cut logits (n, C, pixels) into index tuples, which also cut values (n, pixels)."""
    n, n_channels, n_pixels = z.shape
    size = BLOCK[z.device.type] // n_channels
    if z.device.type == "cpu" and torch.get_num_threads() > 1:
        # Threads wait for each other after every operation: long, if the machine is busy.
        size *= 2 * torch.get_num_threads()
    columns = max(1, min(size, n_pixels))
    rows = max(1, size // n_pixels)
    for i in range(0, n, rows):
        for j in range(0, n_pixels, columns):
            yield slice(i, i + rows), ..., slice(j, j + columns)


def one_hot_block(target: Tensor, like: Tensor) -> Tensor:
    """Return the target of logits (n, C, pixels), indices as one-hot floats."""
    if target.ndim == like.ndim:
        return target
    classes = torch.arange(like.shape[1], dtype=like.dtype, device=like.device)
    # Comparing floats into floats is several times faster than integers into booleans.
    labels = target.to(like.dtype).unsqueeze(1)
    return torch.eq(labels, classes.unsqueeze(1), out=torch.empty_like(like))


def new_gradient(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return memory for a gradient, laid out as z is, and its view (n, C, pixels)."""
    gradient = torch.empty_like(z)
    flat = gradient.flatten(2)
    if flat.data_ptr() != gradient.data_ptr():  # a copy: the axes lie in another order
        gradient = z.new_empty(z.shape)
        flat = gradient.flatten(2)
    return gradient, flat


def differentiable_gradient(
    formula: Callable[[Tensor], tuple[Tensor, ...]], z: Tensor, gradients: tuple[Tensor, ...]
) -> Tensor:
    """Return the formula's gradient, of which autograd can take another one."""
    (gradient,) = torch.autograd.grad(formula(z), z, gradients, create_graph=True)
    return gradient
