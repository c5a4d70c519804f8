"""Closed forms of soft counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import Function

from .closed_form import Block, blocks, differentiable_gradient, new_gradient, one_hot_block
from .inputs import Inputs
from .soft_counts import Ratio, Slopes, SoftCounts

Sums: TypeAlias = tuple[Tensor, ...]
Formula: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Sums]


def closed_form_counts(inputs: Inputs, squared: bool, linear: bool, formula: Formula) -> Sums:
    """Return formula(logits, target, mask): true positives, sum p and sum t, each (n, C)."""
    z, t, softmax, mask, *_ = inputs
    sums: Sums = _Counts.apply(z, t, mask, softmax, squared, linear, formula)
    return sums


def mean_ratio(
    inputs: Inputs, ratio: Ratio, slopes: Slopes, eps: float, formula: Callable[[Inputs], Tensor]
) -> Tensor:
    """Return formula(inputs), the mean of 1 - (a + eps) / (b + eps) with a, b = ratio(counts).

    For small masks of 0 and 1, where the number of operations matters.
    """
    z, t, *_ = inputs
    mean: Tensor = _MeanRatio.apply(z, t, ratio, slopes, eps, formula)
    return mean


class _MeanRatio(Function):
    """The mean over samples and classes of ratios of soft counts."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        t: Tensor,
        ratio: Ratio,
        slopes: Slopes,
        eps: float,
        formula: Callable[[Inputs], Tensor],
    ) -> Tensor:
        axes = tuple(range(2, z.ndim))
        p = z.sigmoid()
        t_sum = t.sum(axes)
        a, b = ratio(SoftCounts((p * t).sum(axes), p.sum(axes), t_sum, t_sum))
        b = b + eps
        similarity = (a + eps).div_(b)
        ctx.save_for_backward(z, t, p, b, similarity)
        ctx.slopes, ctx.formula = slopes, formula
        values, n_classes = 1 - similarity, z.shape[1]
        return (values if n_classes == 1 else values.sum(1).div_(n_classes)).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, t, p, b, similarity = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            inputs = Inputs(z, t, False, None, hard=True)
            slope = differentiable_gradient(
                lambda z: (ctx.formula(inputs._replace(logits=z)),), z, gradients
            )
            return slope, None, None, None, None, None
        # In autograd's order, so that the result equals that of the formula to the last bit.
        g = gradients[0] / len(b) if z.shape[1] == 1 else gradients[0] / len(b) / z.shape[1]
        by_a, by_b = -g / b, (similarity / b).mul_(g)
        (a_tp, b_tp), (a_p, b_p) = ctx.slopes
        shape = (*b.shape, *[1] * (z.ndim - 2))
        by_tp = _combination(a_tp, by_a, b_tp, by_b).view(shape)
        by_p = _combination(a_p, by_a, b_p, by_b).view(shape)
        slope = torch.addcmul(by_p, t, by_tp)
        return torch.ops.aten.sigmoid_backward(slope, p), None, None, None, None, None


def _combination(a: float, x: Tensor, b: float, y: Tensor) -> Tensor:
    """Return a x + b y, which is often just one of the two."""
    if a == 0:
        return y if b == 1 else y * b
    if b == 0:
        return x if a == 1 else x * a
    return torch.add(x if a == 1 else x * a, y, alpha=b)


class _Counts(Function):
    """Soft counts that only store their arguments for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        t: Tensor,
        mask: Tensor | None,
        softmax: bool,
        squared: bool,
        linear: bool,
        formula: Formula,
    ) -> Sums:
        ctx.save_for_backward(z, t, mask)
        ctx.softmax, ctx.squared, ctx.linear, ctx.formula = softmax, squared, linear, formula
        tp, p_sum, t_sum = (z.new_zeros(z.shape[:2]) for _ in range(3))
        for index, z_block, t_block, valid in _blocks(z, t, mask):
            rows = index[0]
            p = z_block.softmax(1) if softmax else z_block.sigmoid()
            if valid is not None:
                p, t_block = p.mul_(valid), t_block * valid
            if squared:
                tp[rows] += (p * t_block).sum(2)
                p, t_block = p.square_(), t_block.square()
            p_sum[rows] += p.sum(2)
            t_sum[rows] += t_block.sum(2)
            if not squared:
                tp[rows] += torch.minimum(p, t_block, out=p).sum(2)
        ctx.mark_non_differentiable(t_sum)
        return tp, p_sum, t_sum

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, t, mask = ctx.saved_tensors
        by_tp, by_p, _ = gradients
        if torch.is_grad_enabled():  # create_graph=True
            slope = differentiable_gradient(lambda z: ctx.formula(z, t, mask)[:2], z, (by_tp, by_p))
            return slope, None, None, None, None, None, None
        slope, flat = new_gradient(z)
        by_tp, by_p = by_tp.unsqueeze(2), by_p.unsqueeze(2)
        for index, z_block, t_block, valid in _blocks(z, t, mask):
            rows, p = index[0], flat[index]
            torch.softmax(z_block, 1, out=p) if ctx.softmax else torch.sigmoid(z_block, out=p)
            g = t_block if ctx.linear else _slope_of_minimum(p, t_block)
            g = (g * by_tp[rows]).add_(2 * by_p[rows] * p if ctx.squared else by_p[rows])
            if valid is not None:
                g.mul_(valid)
            if ctx.softmax:  # dp_c / dz_k = p_c (1_ck - p_k)
                p.mul_(g.sub_((p * g).sum(1, keepdim=True)))
            else:  # dp / dz = p (1 - p)
                torch.ops.aten.sigmoid_backward.grad_input(g, p, grad_input=p)
        return slope, None, None, None, None, None, None


def _slope_of_minimum(p: Tensor, t: Tensor) -> Tensor:
    """Return d min(p, t) / dp: 1 below the target, 0 above it and 1/2 at it."""
    return torch.sub(t, p).sign_().add_(1).mul_(0.5)


def _blocks(
    z: Tensor, t: Tensor, mask: Tensor | None
) -> Iterator[tuple[Block, Tensor, Tensor, Tensor | None]]:
    """Yield blocks of logits, target and, with a channel axis, mask: (n, C, pixels)."""
    spatial = 2 - z.ndim  # the first spatial axis, counted from the end
    z, t = z.flatten(spatial), t.flatten(spatial)
    if mask is not None:
        mask = mask.flatten(spatial).reshape(len(z), -1, z.shape[2])
    for index in blocks(z):
        valid = None if mask is None else mask[index]
        yield index, z[index], one_hot_block(t[index], z[index]), valid
