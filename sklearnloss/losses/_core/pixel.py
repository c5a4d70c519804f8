"""Losses with a value per element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .base import Loss, Reduction
from .closed_form import is_plain, is_small
from .closed_form_pixel import (
    ClosedForm,
    MaskForm,
    closed_form_total,
    closed_form_values,
    small_total,
)
from .inputs import Inputs, read_inputs


class PixelLoss(Loss):
    """Base class of losses that score each element on its own.

    A subclass defines its formula in :meth:`values`; this class checks, ignores,
    weights and reduces. The elements are pixels, voxels or, for
    classification, whole samples.

    ========  ==================================================================
    "none"    a value per element (times its sample's weight)
    "sample"  (n,): the mean over each sample's valid elements
    "mean"    sum w_i l_ij / sum w_i n_i over valid elements
    "sum"     sum w_i l_ij
    ========  ==================================================================

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import PixelLoss
    >>> class AbsoluteError(PixelLoss):
    ...     form = "sigmoid"
    ...     def values(self, inputs):
    ...         return (inputs.logits.sigmoid() - inputs.target).abs()
    >>> AbsoluteError()(torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8))
    tensor(0.5000)
    """

    reduction: Reduction = "mean"
    ignore_index: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "values" in vars(cls) and "_closed_form" not in vars(cls):
            # The inherited one belongs to another formula.
            cls._closed_form = PixelLoss._closed_form  # type: ignore[method-assign]

    def values(self, inputs: Inputs) -> Tensor:
        """Return the loss of each element.

        Parameters
        ----------
        inputs : Inputs
            Checked logits and target.

        Returns
        -------
        values : Tensor
            Of shape (n, C, *spatial) in the sigmoid form, (n, *spatial) in the
            softmax form.
        """
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
            A weight of 2 is equivalent to including the sample twice.

        Returns
        -------
        loss : Tensor
            float32, or float64 if the logits are.
        """
        inputs = self._read(logits, target, sample_weight)
        if inputs.counts_alike() and self.reduction in ("mean", "sum"):
            total = self._total(inputs)
            if total is not None:
                return total
        return self._reduce(self._fast_values(inputs), inputs)

    def _closed_form(self, inputs: Inputs) -> ClosedForm | None:
        """Return a faster way to compute the values than their formula, None if there is none."""
        return None

    def _label_weight(self, inputs: Inputs) -> Tensor | None:
        """Return each element's weight in the denominator of a mean, None for 1."""
        return None

    def _read(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None) -> Inputs:
        """Check the parameters and the arguments of a call."""
        self._check_params()
        inputs = read_inputs(
            logits, target, sample_weight, form=self.form, ignore_index=self.ignore_index
        )
        # With values per sample, the caller applies the weights.
        return inputs if self.reduction == "sample" else inputs.without_weightless()

    def _total(self, inputs: Inputs) -> Tensor | None:
        """Return the mean or sum by a closed form, None if the formula is as fast."""
        small = is_small(inputs)
        if (small and not inputs.hard) or not is_plain(inputs):
            return None
        form = self._closed_form(inputs)
        if form is None:
            return None
        z, t = inputs.logits, inputs.target
        mean = self.reduction == "mean"
        count = z.numel() // (z.shape[1] if form.softmax else 1) if mean else 1
        if small and isinstance(form, MaskForm):
            return small_total(form, z, t, count, self._formula(form))
        total = closed_form_total(form, z, t, self._formula(form))
        weight = self._label_weight(inputs) if mean else None
        return total / count if weight is None else ratio(total, weight.sum())

    def _fast_values(self, inputs: Inputs) -> Tensor:
        """Return the loss of each element, by a closed form if there is one."""
        form = None if is_small(inputs) or not is_plain(inputs) else self._closed_form(inputs)
        if form is None:
            return self.values(inputs)
        return closed_form_values(form, inputs.logits, inputs.target, self._formula(form))

    def _formula(self, form: ClosedForm) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the values as a function of logits and target."""
        return lambda z, t: self.values(Inputs(z, t, form.softmax, None))

    def _reduce(self, values: Tensor, inputs: Inputs) -> Tensor:
        """Reduce the values (n, ...) of the elements, weighted by the mask.

        Without any valid element the result is 0, still connected to the graph.
        """
        mask, sample_weight = inputs.mask, inputs.sample_weight
        weight = self._label_weight(inputs)
        if mask is not None:
            values = values * mask
        if self.reduction == "none":
            if sample_weight is not None:
                values = values * sample_factor(sample_weight, values)
            return values
        factors = [each for each in (mask, weight) if each is not None]
        if self.reduction == "mean" and not factors and sample_weight is None:
            # Backward, mean() writes a gradient for each element, sum() only one number.
            return values.sum() / max(values.numel(), 1)
        total = sum_per_sample(values)
        if self.reduction == "sum":
            return total.sum() if sample_weight is None else (total * sample_weight).sum()
        if factors:
            count = sum_per_sample(math.prod(factors[1:], start=factors[0]))
        else:
            count = values.new_full(values.shape[:1], math.prod(values.shape[1:]))
        if self.reduction == "sample":
            return ratio(total, count)
        if sample_weight is not None:
            total, count = total * sample_weight, count * sample_weight
        return ratio(total.sum(), count.sum())


def sum_per_sample(values: Tensor) -> Tensor:
    """Sum over all axes but the first."""
    return values.sum(tuple(range(1, values.ndim))) if values.ndim > 1 else values


def sample_factor(weight: Tensor, values: Tensor) -> Tensor:
    """Reshape (n,) so that it multiplies values (n, ...)."""
    return weight.reshape(-1, *[1] * (values.ndim - 1))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, with 0 / 0 defined as 0."""
    return numerator / torch.where(denominator == 0, 1, denominator)
