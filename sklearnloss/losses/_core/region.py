"""Losses with a value per sample and class, from soft counts."""

from __future__ import annotations

import functools
import math
import numbers
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .base import Loss, Reduction
from .class_weight import ClassWeight, class_vector
from .closed_form import pays
from .closed_form_region import closed_form_counts
from .inputs import Inputs, read_inputs
from .pixel import ratio, sum_per_sample

# An eps that is not rounded to 0 in float32.
_VISIBLE = 1e-37


@dataclass(frozen=True)
class SoftCounts:
    """Soft counts of shape (n, C): what a confusion matrix holds for masks.

    A soft target counts as in Z. Wang et al., "Dice semimetric losses: Optimizing
    the Dice score with soft labels", MICCAI 2023 (https://arxiv.org/abs/2303.16296):
    only a prediction that equals it has neither false positives nor misses.

    Attributes
    ----------
    tp : Tensor
        True positives, sum min(p, t): sum p t where t is 0 or 1.
    p : Tensor
        Predicted, sum p.
    t : Tensor
        True, sum t.
    n : Tensor
        All valid pixels.
    """

    tp: Tensor
    p: Tensor
    t: Tensor
    n: Tensor

    @property
    def fp(self) -> Tensor:
        """False positives, sum max(p - t, 0): sum p (1 - t) where t is 0 or 1."""
        return self.p - self.tp

    @property
    def fn(self) -> Tensor:
        """False negatives, sum max(t - p, 0): sum (1 - p) t where t is 0 or 1."""
        return self.t - self.tp

    @property
    def tn(self) -> Tensor:
        """True negatives, sum min(1 - p, 1 - t)."""
        return self.n - self.p - self.fn

    def of_background(self) -> SoftCounts:
        """Return the counts of 1 - p and 1 - t."""
        return SoftCounts(self.tn, self.n - self.p, self.n - self.t, self.n)

    def pooled(self, weight: Tensor) -> SoftCounts:
        """Return the counts of the whole batch, (1, C), by weights (n,) of the samples."""
        parts = (self.tp, self.p, self.t, self.n)
        return SoftCounts(*((weight.unsqueeze(1) * part).sum(0, keepdim=True) for part in parts))

    def with_background(self) -> SoftCounts:
        """Return the counts of both classes of one channel, (n, 2)."""
        other = self.of_background()
        return SoftCounts(
            tp=torch.cat([other.tp, self.tp], 1),
            p=torch.cat([other.p, self.p], 1),
            t=torch.cat([other.t, self.t], 1),
            n=torch.cat([other.n, self.n], 1),
        )


class RegionLoss(Loss):
    """Base class of losses that compare a predicted region with a true one.

    A sub-class writes its formula in :meth:`per_class`, on :class:`SoftCounts`
    over all pixels of one sample and one class; checking, ignoring, averaging
    over classes, weighting and reducing happen here. Absent classes count.

    ================  ==========================================================
    "none", "sample"  (n,)
    "mean"            sum w_i l_i / sum w_i over samples with a valid pixel
    "sum"             sum w_i l_i
    ================  ==========================================================

    Parameters
    ----------
    eps : float, default=1e-6
        Added to numerator and denominator, so that an empty prediction of an
        empty mask costs nothing; >= 0.
    batch : bool, default=False
        Pool the counts of the whole batch before comparing, as if it were one
        image. Helps where many masks are empty.
    include_background : bool, default=True
        False leaves out class 0 where there are two classes or more.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        The mean over the classes is sum w_c l_c / sum w_c.
    ignore_index : int, default=None
        Value of pixels that do not count.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See the table.

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import RegionLoss
    >>> class SensitivityLoss(RegionLoss):
    ...     def per_class(self, counts):
    ...         return 1 - (counts.tp + self.eps) / (counts.t + self.eps)
    >>> SensitivityLoss()(torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8))
    tensor(0.5000)
    """

    tasks = ("segmentation",)
    squared: bool = False  # whether p and t are counted as sum p^2 and sum t^2
    batch: bool = False
    _of_soft_counts: ClassVar[bool] = True
    _intervals = {"eps": "[0, inf)"}

    def __init__(
        self,
        eps: float = 1e-6,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.eps = eps
        self.batch = batch
        self.include_background = include_background
        self.class_weight = class_weight
        self.ignore_index = ignore_index
        self.reduction = reduction

    def per_class(self, counts: SoftCounts) -> Tensor:
        """Return the loss of each sample and class, of shape (n, C)."""
        raise NotImplementedError

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor of shape (n, C, *spatial)
            Raw scores.
        target : Tensor of shape (n, C, *spatial) or (n, *spatial)
            Masks in [0, 1] or class indices, see :class:`Loss`.
        sample_weight : Tensor of shape (n,), default=None
            A weight of 2 is exactly the sample twice; with ``batch=True`` it
            weighs the pooled counts.

        Returns
        -------
        loss : Tensor
            float32, or float64 if the logits are.
        """
        self._check_params()
        inputs = read_inputs(
            logits,
            target,
            sample_weight,
            form=self.form,
            ignore_index=self.ignore_index,
            notice_hard=True,
            small_too=True,
            saturates=self._of_soft_counts,
        )
        if self.reduction != "sample":  # which leaves the weights to others
            inputs = inputs.without_weightless()
        if inputs.counts_alike() and not self.batch and self.reduction == "mean":
            values = self._sample_values(inputs)
            return values.mean()
        valid = _has_valid(inputs)
        weight = valid if inputs.sample_weight is None else inputs.sample_weight * valid
        if self.batch:
            return self._pooled_value(inputs, weight) * (weight.sum() > 0)
        values = self._sample_values(inputs)
        if self.reduction == "mean":
            return ratio((weight * values).sum(), weight.sum())
        if self.reduction == "sum":
            return (weight * values).sum()
        return values * (weight if self.reduction == "none" else valid)

    def _sample_values(self, inputs: Inputs) -> Tensor:
        """Return the loss of each sample, (n,)."""
        return self._combine(soft_counts(inputs, self.squared))

    def _pooled_value(self, inputs: Inputs, weight: Tensor) -> Tensor:
        """Return the loss of the whole batch as one image, samples weighted."""
        counts = soft_counts(inputs, self.squared)
        pooled = counts.pooled(weight)
        return self._combine(pooled).sum()

    def _combine(self, counts: SoftCounts) -> Tensor:
        """Return the loss of each sample from its counts: (n, C) -> (n,)."""
        return self._class_mean(self.per_class(counts))

    def _class_mean(self, values: Tensor) -> Tensor:
        """Average over the classes: (n, C) -> (n,)."""
        n_classes = values.shape[1]
        if self.class_weight is None and n_classes == 1:
            return values.squeeze(1)
        if self.class_weight is None and self.include_background:
            return values.sum(1) / n_classes
        weight = self._class_vector(values)
        return ratio((values * weight).sum(1), weight.sum())

    def _class_vector(self, like: Tensor) -> Tensor:
        """Return the weights of the classes, 0 for a background left out."""
        n_classes = like.shape[1]
        if self.class_weight is None:
            weight = like.new_ones(n_classes)
        else:
            label = f"{type(self).__name__}: class_weight"
            weight = class_vector(self.class_weight, n_classes, like, label, some_positive=True)
        if self.include_background or n_classes == 1:
            return weight
        return weight * (torch.arange(n_classes, device=like.device) > 0)

    def _check_params(self) -> None:
        super()._check_params()
        if self.batch and self.reduction in ("none", "sample"):
            raise ValueError(
                f"{type(self).__name__}: batch=True gives one value for the whole batch, which "
                f"reduction={self.reduction!r} cannot split. Use reduction='mean' or batch=False."
            )


def soft_counts(inputs: Inputs, squared: bool = False) -> SoftCounts:
    """Count softly over all axes but the first two."""
    z, target, softmax, mask, *_ = inputs
    # Of products and of targets of 0 and 1 the true positives are linear in p.
    linear = squared or inputs.hard or not target.is_floating_point()
    if pays(inputs):
        formula = functools.partial(_sums, softmax=softmax, squared=squared, linear=linear)
        tp, p, t = closed_form_counts(inputs, squared, linear, formula)
    else:
        tp, p, t = _sums(z, target, mask, softmax=softmax, squared=squared, linear=linear)
    return SoftCounts(tp, p, t, _n_valid(inputs, tp))


def _sums(
    z: Tensor, target: Tensor, mask: Tensor | None, *, softmax: bool, squared: bool, linear: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return true positives, sum p and sum t over the pixels.

    With ``squared`` they are sum p t, sum p^2 and sum t^2, of which soft targets
    make a minimum at p = t as well.
    """
    p, t, _ = soft_masks(Inputs(z, target, softmax, mask))
    both = p * t if linear else torch.minimum(p, t)
    if squared:
        p, t = p * p, t * t
    if z.ndim == 2:
        return both, p, t
    axes = tuple(range(2, z.ndim))
    return both.sum(axes), p.sum(axes), t.sum(axes)


def _n_valid(inputs: Inputs, like: Tensor) -> Tensor:
    """Return the number of valid pixels in the shape of other counts, (n, C)."""
    mask = inputs.mask
    if mask is None:
        return like.new_full(like.shape, math.prod(inputs.logits.shape[2:]))
    return sum_spatial(mask.unsqueeze(1) if inputs.softmax else mask).expand(like.shape)


def soft_masks(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return p and t of shape (n, C, *spatial), 0 where ignored, and the mask.

    The mask is of shape (n, 1 or C, *spatial), or None where all counts.
    """
    mask = inputs.mask
    if inputs.softmax:
        p, t = inputs.logits.softmax(1), inputs.one_hot()
        mask = None if mask is None else mask.unsqueeze(1)
    else:
        p, t = inputs.logits.sigmoid(), inputs.target
    if mask is not None:
        p, t = p * mask, t * mask
    return p, t, mask


def soft_ratio(numerator: Tensor, denominator: Tensor, eps: float | Tensor) -> Tensor:
    """(numerator + eps) / (denominator + eps), where 0 / 0 is 1."""
    if isinstance(eps, numbers.Real) and eps >= _VISIBLE:  # no denominator is 0
        return (numerator + eps) / (denominator + eps)
    below = denominator + eps
    empty = below == 0
    return torch.where(empty, 1, numerator + eps) / torch.where(empty, 1, below)


def sum_spatial(values: Tensor) -> Tensor:
    """Sum over all axes but the first two."""
    return values.sum(tuple(range(2, values.ndim))) if values.ndim > 2 else values


def _has_valid(inputs: Inputs) -> Tensor:
    """1 for samples with something valid, else 0: (n,)."""
    n, *rest = inputs.logits.shape
    if inputs.mask is None:
        return inputs.logits.new_full((n,), float(math.prod(rest) > 0))
    return (sum_per_sample(inputs.mask) != 0).to(inputs.logits.dtype)
