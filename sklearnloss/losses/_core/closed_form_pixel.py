"""Closed forms of losses per element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import Function
from torch.nn import functional as F

from .closed_form import blocks, differentiable_gradient, new_gradient, one_hot_block


class ClosedForm(Protocol):
    """A loss as a function of a block of logits z, (n, C, pixels), and its target t.

    The target is of the same shape, or holds class indices (n, pixels).
    """

    softmax: ClassVar[bool]

    def values(self, z: Tensor, t: Tensor, out: Tensor) -> None:
        """Write the loss of each element, (n, C, pixels) or, with softmax, (n, pixels)."""

    def slope(self, z: Tensor, t: Tensor, g: Tensor, out: Tensor) -> None:
        """Write the gradient of (g * values).sum() by z."""


Formula: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def closed_form_values(form: ClosedForm, z: Tensor, t: Tensor, formula: Formula) -> Tensor:
    """Return formula(z, t), the loss of each element, using its closed form."""
    values: Tensor = _Closed.apply(z, t, form, formula, False)
    return values


def closed_form_total(form: ClosedForm, z: Tensor, t: Tensor, formula: Formula) -> Tensor:
    """Return the sum of formula(z, t), using its closed form; the values are never stored."""
    total: Tensor = _Closed.apply(z, t, form, lambda z, t: formula(z, t).sum(), True)
    return total


def small_total(form: MaskForm, z: Tensor, t: Tensor, count: int, formula: Formula) -> Tensor:
    """Return the sum of formula(z, t) / count for masks of 0 and 1, in few operations."""
    total: Tensor = _SmallTotal.apply(z, t, form, count, formula)
    return total


class _SmallTotal(Function):
    """The sum for small inputs, which stores its gradient for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, t: Tensor, form: MaskForm, count: int, formula: Formula
    ) -> Tensor:
        total, slope = form.sum_and_slope(z, t)
        ctx.save_for_backward(z, t, slope)
        ctx.count, ctx.formula = count, formula
        return total.div_(count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, t, slope = ctx.saved_tensors
        g = gradients[0] / ctx.count
        if torch.is_grad_enabled():  # create_graph=True
            slope = differentiable_gradient(lambda z: (ctx.formula(z, t).sum(),), z, (g,))
            return slope, None, None, None, None
        return slope * g, None, None, None, None


class _Closed(Function):
    """The loss of each element, or its sum, added up in float64.

    Only the arguments are stored for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, t: Tensor, form: ClosedForm, formula: Formula, summed: bool
    ) -> Tensor:
        ctx.save_for_backward(z, t)
        ctx.form, ctx.formula = form, formula
        if not summed:
            values = z.new_empty(_shape_of_values(form, z))
            flat_z, flat_t, flat = _flat(z, t, values)
            for block in blocks(flat_z):
                form.values(flat_z[block], flat_t[block], flat[block])
            return values
        total = z.new_zeros((), dtype=torch.float64)
        flat_z, flat_t = _flat(z, t)
        for block in blocks(flat_z):
            part = flat_z[block]
            values = part.new_empty(_shape_of_values(form, part))
            form.values(part, flat_t[block], values)
            total += values.sum()
        return total.to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, t = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            slope = differentiable_gradient(lambda z: (ctx.formula(z, t),), z, gradients)
            return slope, None, None, None, None
        slope, flat = new_gradient(z)
        flat_z, flat_t, g = _flat(z, t, gradients[0].expand(_shape_of_values(ctx.form, z)))
        for block in blocks(flat_z):
            ctx.form.slope(flat_z[block], flat_t[block], g[block], flat[block])
        return slope, None, None, None, None


def _shape_of_values(form: ClosedForm, z: Tensor) -> torch.Size:
    return z[:, 0].shape if form.softmax else z.shape


def _flat(z: Tensor, *others: Tensor) -> list[Tensor]:
    """Return views with the spatial axes flattened into one."""
    return [x.flatten(2 - z.ndim) for x in (z, *others)]


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """w t softplus(-z) + (1 - t) softplus(z)."""

    positive_weight: float
    smoothing: float
    hard: bool  # whether the target contains only 0 and 1
    softmax: ClassVar[bool] = False

    def values(self, z: Tensor, t: Tensor, out: Tensor) -> None:
        t, w = self._smoothed(t), self.positive_weight
        if self.hard and self.smoothing == 0:
            torch.ops.aten.softplus.out(_wrong_score(z, t), out=out)
            if w != 1:
                out.mul_(_weight(t, w, 1))
            return
        # softplus(+-z) = log(1 + exp(-|z|)) + relu(+-z): no cancellation.
        if w == 1:
            small = z.abs().neg_().exp_().log1p_()
            torch.clamp(z, min=0, out=out).addcmul_(t, z, value=-1).add_(small)
        else:
            torch.abs(z, out=out).neg_().exp_().log1p_()
            out.mul_(_weight(t, w, 1))
            out.addcmul_(t, z.clamp(max=0), value=-w).addcmul_(1 - t, z.relu())

    def slope(self, z: Tensor, t: Tensor, g: Tensor, out: Tensor) -> None:
        t, w = self._smoothed(t), self.positive_weight
        torch.sigmoid(z, out=out)
        if w != 1:
            out.mul_(_weight(t, w, 1))
        out.sub_(t, alpha=w).mul_(g)

    def sum_and_slope(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the values and its gradient by z, for masks of 0 and 1."""
        if self.smoothing != 0:
            values, slope = torch.empty_like(z), torch.empty_like(z)
            self.values(z, t, values)
            self.slope(z, t, z.new_ones(()), slope)
            return values.sum(), slope
        sign = torch.rsub(t, 1, alpha=2)
        x = z * sign
        values, slope = F.softplus(x), x.sigmoid_().mul_(sign)  # p - t, without subtracting
        if self.positive_weight != 1:
            weight = _weight(t, self.positive_weight, 1)
            values, slope = values.mul_(weight), slope.mul_(weight)
        return values.sum(), slope

    def _smoothed(self, t: Tensor) -> Tensor:
        return t if self.smoothing == 0 else t * (1 - self.smoothing) + self.smoothing / 2


@dataclass(frozen=True)
class CrossEntropy:
    """-w_y sum_c q_c log p_c with q = (1 - smoothing) t + smoothing / C."""

    smoothing: float
    weight: Tensor | None  # (C,), for class indices
    softmax: ClassVar[bool] = True

    def values(self, z: Tensor, t: Tensor, out: Tensor) -> None:
        log_p = z.log_softmax(1)
        if t.ndim == z.ndim:
            label = (log_p * t).sum(1)
        else:
            label = log_p.gather(1, t.unsqueeze(1)).squeeze(1)
        torch.mul(label, self.smoothing - 1, out=out)
        if self.smoothing != 0:
            out.sub_(log_p.mean(1), alpha=self.smoothing)
        if self.weight is not None:
            out.mul_(self.weight[t])

    def slope(self, z: Tensor, t: Tensor, g: Tensor, out: Tensor) -> None:
        torch.softmax(z, 1, out=out)
        if t.ndim == z.ndim and self.smoothing != 1:  # probabilities need not sum to 1 exactly
            out.mul_(t.sum(1, keepdim=True).mul_(1 - self.smoothing).add_(self.smoothing))
        out.sub_(one_hot_block(t, z), alpha=1 - self.smoothing)
        if self.smoothing != 0:
            out.sub_(self.smoothing / z.shape[1])
        out.mul_((g if self.weight is None else g * self.weight[t]).unsqueeze(1))


@dataclass(frozen=True)
class SigmoidFocal:
    """a t f(-z) + b (1 - t) f(z), f as in :func:`_cost`."""

    gamma: float
    a: float
    b: float
    hard: bool
    softmax: ClassVar[bool] = False

    def values(self, z: Tensor, t: Tensor, out: Tensor) -> None:
        if self.hard:
            torch.mul(_cost(_wrong_score(z, t), self.gamma), _weight(t, self.a, self.b), out=out)
        else:
            torch.mul(_cost(-z, self.gamma), t, out=out).mul_(self.a)
            out.addcmul_(_cost(z, self.gamma), 1 - t, value=self.b)

    def slope(self, z: Tensor, t: Tensor, g: Tensor, out: Tensor) -> None:
        if self.hard:
            slope = _cost_slope(_wrong_score(z, t), self.gamma)
            torch.mul(slope, _weight(t, -self.a, self.b), out=out)
        else:
            torch.mul(_cost_slope(-z, self.gamma), t, out=out).mul_(-self.a)
            out.addcmul_(_cost_slope(z, self.gamma), 1 - t, value=self.b)
        out.mul_(g)

    def sum_and_slope(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the values and its gradient by z, for masks of 0 and 1."""
        sign = torch.rsub(t, 1, alpha=2)
        x = z * sign
        softplus, s, other = F.softplus(x), x.sigmoid(), x.neg().sigmoid_()
        s = torch.where(x > 0, 1 - other, s)  # with half the rounding error near 1
        weight = s.square() if self.gamma == 2 else s.pow(self.gamma)
        weight.mul_(_weight(t, self.a, self.b))
        total = (weight * softplus).sum()
        slope = softplus.mul_(self.gamma).mul_(other).add_(s)  # as in _cost_slope
        return total, slope.mul_(weight).mul_(sign)


MaskForm: TypeAlias = BinaryCrossEntropy | SigmoidFocal


@dataclass(frozen=True)
class SoftmaxFocal:
    """a f(x) with x = log(1 - p_y) - log p_y, f as in :func:`_cost`."""

    gamma: float
    a: float
    softmax: ClassVar[bool] = True

    def values(self, z: Tensor, t: Tensor, out: Tensor) -> None:
        _, _, x = self._parts(z, t, z.softmax(1))
        torch.mul(_cost(x, self.gamma), self.a, out=out)

    def slope(self, z: Tensor, t: Tensor, g: Tensor, out: Tensor) -> None:
        label, s, x = self._parts(z, t, torch.softmax(z, 1, out=out))
        slope = _cost_slope(x, self.gamma).mul_(g).mul_(self.a)
        # dx / dz_y = -1 and dx / dz_j = p_j / s: the softmax of the others.
        share = slope / s.clamp(min=torch.finfo(s.dtype).tiny)
        out.mul_(share.unsqueeze(1)).addcmul_(label, slope.unsqueeze(1), value=-1)

    def _parts(self, z: Tensor, t: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Set p to 0 at the label; return where that is, the sum s = 1 - p_y unrounded, and x."""
        label = one_hot_block(t, z)
        # log p_y computed from the largest p, which does not underflow.
        log_p = (z * label).sum(1).sub_(z.amax(1)).add_(p.amax(1).log_())
        s = p.addcmul_(p, label, value=-1).sum(1)
        return label, s, s.log().sub_(log_p)


def _wrong_score(z: Tensor, t: Tensor) -> Tensor:
    """(1 - 2 t) z: how strongly the score favors the wrong side of a hard target.

    Its softplus replaces those of z and -z.
    """
    return torch.addcmul(z, t, z, value=-2)


def _weight(t: Tensor, a: float, b: float) -> Tensor:
    """Return a t + b (1 - t)."""
    return t.mul(a - b).add_(b)


def _cost(x: Tensor, gamma: float) -> Tensor:
    """f(x) = s^gamma softplus(x), the cost of a score x for the wrong side; s = sigmoid(x)."""
    return F.softplus(x).mul_(_power(x.sigmoid(), gamma))


def _cost_slope(x: Tensor, gamma: float) -> Tensor:
    """f'(x) = s^gamma (gamma (1 - s) softplus(x) + s)."""
    s = x.sigmoid()
    slope = F.softplus(x).mul_(gamma)
    slope.addcmul_(slope, s, value=-1).add_(s)
    return slope.mul_(_power(s, gamma))


def _power(s: Tensor, gamma: float) -> Tensor:
    return s.square_() if gamma == 2 else s.pow_(gamma)
