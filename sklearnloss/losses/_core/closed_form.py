"""When closed forms pay off, and how they traverse memory.

Written in plain torch, a formula stores every intermediate result for the backward pass,
up to eight times the size of the logits. The closed forms only keep the logits and
compute the gradient from them, block by block in the processor's cache. For small masks
of 0 and 1, where the number of operations matters, closed forms need few of them. Like
the formulas, all are torch operations, but they only cover what is usual in training on
images: float32 tensors, plain numbers as hyperparameters, no transformations. Everything
else uses the formula, which remains the specification.
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

# Below this, the calls cost more than the passes over memory that they save.
SMALLEST = LARGE
# Elements per block, few enough for the cache of a core. A GPU needs more of them.
BLOCK = {"cpu": 2**19, "cuda": 2**25}


def is_small(inputs: Inputs) -> bool:
    """Return whether working in blocks would be slower than the formula."""
    return inputs.logits.numel() < SMALLEST


def is_plain(inputs: Inputs) -> bool:
    """Return whether a closed form can be used here."""
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
    """Return whether only reverse-mode autograd tracks the operations."""
    return not (
        torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
        or type(z) not in (Tensor, nn.Parameter)
        or forward_ad.unpack_dual(z).tangent is not None
    )


def as_number(value: Any) -> float | None:
    """Return a plain number, None for values that may have a gradient or a vmapped axis."""
    return float(value) if isinstance(value, numbers.Real) else None


def blocks(z: Tensor) -> Iterator[Block]:
    """Cut logits (n, C, pixels) into index tuples, which also cut values (n, pixels)."""
    n, n_channels, n_pixels = z.shape
    size = BLOCK[z.device.type] // n_channels
    if z.device.type == "cpu" and torch.get_num_threads() > 1:
        # Threads wait for each other after every operation, which is slow on a busy machine.
        size *= 2 * torch.get_num_threads()
    columns = max(1, min(size, n_pixels))
    rows = max(1, size // n_pixels)
    for i in range(0, n, rows):
        for j in range(0, n_pixels, columns):
            yield slice(i, i + rows), ..., slice(j, j + columns)


def one_hot_block(target: Tensor, like: Tensor) -> Tensor:
    """Return the target for logits (n, C, pixels), with indices as one-hot floats."""
    if target.ndim == like.ndim:
        return target
    classes = torch.arange(like.shape[1], dtype=like.dtype, device=like.device)
    # Comparing floats with float output is several times faster than integers to booleans.
    labels = target.to(like.dtype).unsqueeze(1)
    return torch.eq(labels, classes.unsqueeze(1), out=torch.empty_like(like))


def new_gradient(z: Tensor) -> tuple[Tensor, Tensor]:
    """Allocate a gradient in the memory layout of z; return it and its view (n, C, pixels)."""
    gradient = torch.empty_like(z)
    flat = gradient.flatten(2)
    if flat.data_ptr() != gradient.data_ptr():  # a copy: the axes are in a different order
        gradient = z.new_empty(z.shape)
        flat = gradient.flatten(2)
    return gradient, flat


def differentiable_gradient(
    formula: Callable[[Tensor], tuple[Tensor, ...]], z: Tensor, gradients: tuple[Tensor, ...]
) -> Tensor:
    """Return the formula's gradient, which autograd can differentiate again."""
    (gradient,) = torch.autograd.grad(formula(z), z, gradients, create_graph=True)
    return gradient
