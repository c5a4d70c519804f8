"""A loss in the form that a skorch net trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...losses import Loss
from ...losses._core.foreign import AnyLoss, call_loss, is_built_in, weighted_mean
from ...losses._core.inputs import legal_target
from ...losses._core.terms import data_terms
from .gradient_check import SoftmaxOfOne


class Criterion(nn.Module):
    """A loss that takes codes instead of one-hot targets, reduced to a scalar.

    Parameters
    ----------
    loss : Loss, nn.Module or function
        The loss to minimize.
    masks : bool
        Whether the target is a float mask per channel, rather than class indices.

    Attributes
    ----------
    is_checked : bool
        Whether the loss is known to depend on the scores.
    is_constant : bool
        Whether it takes a softmax over one channel.
    is_built_in : bool
        Whether all its terms are built in: encoding has already checked their targets.
    """

    def __init__(self, loss: AnyLoss, masks: bool) -> None:
        super().__init__()
        self.loss = loss
        self.masks = masks
        self.is_checked = False
        self.is_constant = False
        self.is_built_in = all(is_built_in(term) for term in data_terms(loss))

    def forward(self, logits: Tensor, codes: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, a scalar."""
        target = codes.reshape(logits.shape).float() if self.masks else codes.long()
        checked = self.is_built_in and not codes.is_floating_point()
        if checked and not torch.compiler.is_compiling():
            with legal_target(target):
                return self._reduced(logits, target, sample_weight)
        return self._reduced(logits, target, sample_weight)

    def _reduced(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None) -> Tensor:
        if self.is_checked or logits.shape[1] > 1 or torch.compiler.is_compiling():
            value = call_loss(self.loss, logits, target, sample_weight)
        else:
            with SoftmaxOfOne(logits) as mode:
                value = call_loss(self.loss, logits, target, sample_weight)
            self.is_constant = mode.seen
        if value.ndim == 0:
            return value
        if sample_weight is not None and isinstance(self.loss, Loss):
            value = self.loss(logits, target)  # not weighted twice
        return weighted_mean(value, sample_weight)
