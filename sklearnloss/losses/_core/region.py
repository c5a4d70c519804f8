"""Losses with a value per sample and class, from soft counts."""

from __future__ import annotations

import functools
import math
import numbers

import torch
from torch import Tensor

from .base import Loss, Reduction
from .class_weight import ClassWeight, class_vector
from .closed_form import is_plain, is_small
from .closed_form_region import closed_form_counts, mean_ratio
from .inputs import Inputs, read_inputs
from .pixel import ratio, sum_per_sample
from .soft_counts import SoftCounts, soft_slopes

# The smallest eps that is not rounded to 0 in float32.
_VISIBLE = 1e-37


class RegionLoss(Loss):
    """Base class of losses that compare a predicted region with a true one.

    A subclass defines its formula in :meth:`per_class`, from :class:`SoftCounts`
    over all pixels of one sample and one class, or in :meth:`ratio`; this class
    checks, ignores, averages over classes, weights and reduces. Absent classes are
    included.

    A loss that is not a function of soft counts defines :meth:`per_sample`.

    ================  ==========================================================
    "none", "sample"  (n,)
    "mean"            sum w_i l_i / sum w_i over samples with a valid pixel
    "sum"             sum w_i l_i
    ================  ==========================================================

    Parameters
    ----------
    eps : float, default=1e-6
        Added to numerator and denominator, so that an empty prediction for an
        empty mask costs nothing; >= 0.
    batch : bool, default=False
        Pool the counts of the whole batch before comparing, as if it were one
        image. Helps where many masks are empty.
    include_background : bool, default=True
        False leaves out class 0 if there are two or more classes.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        The mean over the classes is sum w_c l_c / sum w_c.
    ignore_index : int, default=None
        Target value of ignored pixels.
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
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def _store(
        self,
        eps: float,
        batch: bool,
        include_background: bool,
        class_weight: ClassWeight | None,
        ignore_index: int | None,
        reduction: Reduction,
    ) -> None:
        """Store the parameters shared by region losses; called by constructors."""
        self.eps = eps
        self.batch = batch
        self.include_background = include_background
        self.class_weight = class_weight
        self.ignore_index = ignore_index
        self.reduction = reduction

    def ratio(self, counts: SoftCounts) -> tuple[Tensor, Tensor]:
        """Return a and b of the loss 1 - (a + eps) / (b + eps), both linear in the counts."""
        raise NotImplementedError

    def per_class(self, counts: SoftCounts) -> Tensor:
        """Return the loss of each sample and class, (n, C), or of each sample, (n,)."""
        return 1 - soft_ratio(*self.ratio(counts), self.eps)

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        """Return the loss of each sample, (n,), or with weights (n,) that of the pool, (1,)."""
        counts = SoftCounts(*pooled(soft_counts(inputs, self.squared), pool))
        values = self.per_class(counts)
        return values if values.ndim == 1 else self._class_mean(values)

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
            A weight of 2 is equivalent to including the sample twice; with
            ``batch=True`` the pooled counts are weighted.

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
            saturates=type(self).per_sample is RegionLoss.per_sample,
        )
        if self.reduction != "sample":  # where the caller applies the weights
            inputs = inputs.without_weightless()
        if inputs.counts_alike() and not self.batch and self.reduction == "mean":
            slopes = soft_slopes(self.ratio) if self._is_plain_ratio(inputs) else None
            if slopes is not None:
                formula = lambda x: self.per_sample(x).mean()  # noqa: E731
                return mean_ratio(inputs, self.ratio, slopes, self.eps, formula)
            return self.per_sample(inputs).mean()
        valid = _has_valid(inputs)
        weight = valid if inputs.sample_weight is None else inputs.sample_weight * valid
        if self.batch:
            return self.per_sample(inputs, weight).sum() * (weight.sum() > 0)
        values = self.per_sample(inputs)
        if self.reduction == "mean":
            return ratio((weight * values).sum(), weight.sum())
        if self.reduction == "sum":
            return (weight * values).sum()
        return values * (weight if self.reduction == "none" else valid)

    def _is_plain_ratio(self, inputs: Inputs) -> bool:
        """Return whether this is an unweighted mean of 1 - a / b on small masks."""
        return (
            inputs.hard
            and type(self).per_class is RegionLoss.per_class
            and type(self).per_sample is RegionLoss.per_sample
            and self.class_weight is None
            and (self.include_background or inputs.logits.shape[1] == 1)
            and not self.squared
            and isinstance(self.eps, float)
            and self.eps >= _VISIBLE
            and is_small(inputs)
            and is_plain(inputs)
        )

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
        """Return the weights of the classes, 0 for an excluded background."""
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


def pooled(sums: tuple[Tensor, ...], weight: Tensor | None) -> tuple[Tensor, ...]:
    """Add up sums (n, C) over the samples to (1, C) if there are weights (n,)."""
    if weight is None:
        return sums
    return tuple((weight.unsqueeze(1) * each).sum(0, keepdim=True) for each in sums)


def soft_counts(inputs: Inputs, squared: bool = False) -> SoftCounts:
    """Return soft counts over all axes but the first two."""
    z, target, softmax, mask, *_ = inputs
    # True positives are linear in p for products, and for targets of 0 and 1.
    linear = squared or inputs.hard or not target.is_floating_point()
    if not is_small(inputs) and is_plain(inputs):
        formula = functools.partial(_sums, softmax=softmax, squared=squared, linear=linear)
        tp, p, t = closed_form_counts(inputs, squared, linear, formula)
    else:
        tp, p, t = _sums(z, target, mask, softmax=softmax, squared=squared, linear=linear)
    return SoftCounts(tp, p, t, _n_valid(inputs, tp))


def _sums(
    z: Tensor, target: Tensor, mask: Tensor | None, *, softmax: bool, squared: bool, linear: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return true positives, sum p and sum t over the pixels.

    With ``squared`` they are sum p t, sum p^2 and sum t^2, which also have their
    minimum at p = t for soft targets.
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
    mask = inputs.channel_mask()
    if mask is None:
        return like.new_full(like.shape, math.prod(inputs.logits.shape[2:]))
    return sum_spatial(mask).expand(like.shape)


def soft_masks(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return p and t of shape (n, C, *spatial), 0 where ignored, and the mask.

    The mask has shape (n, 1 or C, *spatial), or is None if all pixels are valid.
    """
    mask = inputs.channel_mask()
    if inputs.softmax:
        p, t = inputs.logits.softmax(1), inputs.one_hot()
    else:
        p, t = inputs.logits.sigmoid(), inputs.target
    if mask is not None:
        p, t = p * mask, t * mask
    return p, t, mask


def soft_ratio(numerator: Tensor, denominator: Tensor, eps: float | Tensor) -> Tensor:
    """Return (numerator + eps) / (denominator + eps), with 0 / 0 defined as 1."""
    if isinstance(eps, numbers.Real) and eps >= _VISIBLE:  # no denominator is 0
        return (numerator + eps) / (denominator + eps)
    below = denominator + eps
    empty = below == 0
    return torch.where(empty, 1, numerator + eps) / torch.where(empty, 1, below)


def sum_spatial(values: Tensor) -> Tensor:
    """Sum over all axes but the first two."""
    return values.sum(tuple(range(2, values.ndim))) if values.ndim > 2 else values


def _has_valid(inputs: Inputs) -> Tensor:
    """Return 1 for samples with a valid pixel, else 0: (n,)."""
    n, *rest = inputs.logits.shape
    if inputs.mask is None:
        return inputs.logits.new_full((n,), float(math.prod(rest) > 0))
    return (sum_per_sample(inputs.mask) != 0).to(inputs.logits.dtype)
