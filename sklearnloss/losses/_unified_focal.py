"""Unified focal loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs
from ._core.numeric import safe_power
from ._core.pixel import ratio
from ._core.region import RegionLoss, pooled, soft_counts, soft_ratio, sum_spatial
from ._core.soft_counts import SoftCounts


class UnifiedFocalLoss(RegionLoss):
    r"""A focal cross entropy and a focal Tversky loss with shared parameters.

    For very unequal class sizes, with three numbers to tune instead of six. This
    asymmetric form does not suppress rare classes in the cross entropy, and
    enhances them in the Tversky part. ::

        l = weight CE + (1 - weight) FT
        CE = mean over pixels and classes of
             -(1 - delta) (1 - p_0)^gamma t_0 log p_0   for the background, class 0
             -delta t_c log p_c                         for other classes
        FT = mean over classes of
             1 - TI_0                                   for the background
             (1 - TI_c)^(1 - gamma)                     for other classes
        TI = (TP + eps) / (TP + delta FN + (1 - delta) FP + eps)

    where p is the softmax; with one channel, and for multilabel masks, p_c is the
    sigmoid of a channel, and p_0 = 1 - p_c, t_0 = 1 - t_c is its background.

    Domain: l >= 0; 0 for a perfect mask; its cross entropy keeps a gradient on
    confident mistakes unless weight = 0. ``weight=0, gamma=0`` is
    ``TverskyLoss(1 - delta, delta)`` over both classes.

    Parameters
    ----------
    weight : float, default=0.5
        Share of the cross entropy, in [0, 1].
    delta : float, default=0.6
        Weight of foreground and of misses, in [0, 1].
    gamma : float, default=0.5
        Suppression of the background and enhancement of rare classes, in [0, 1).
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    M. Yeung et al., "Unified focal loss: Generalizing Dice and cross entropy-based
    losses to handle class imbalanced medical image segmentation", Computerized
    Medical Imaging and Graphics 95, 2022. https://arxiv.org/abs/2102.04525

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import UnifiedFocalLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> UnifiedFocalLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.2783)
    """

    search_space = {"weight": (0.1, 0.9), "delta": (0.1, 0.9), "gamma": (0.1, 0.9)}
    _intervals = {"weight": "[0, 1]", "delta": "[0, 1]", "gamma": "[0, 1)", "eps": "[0, inf)"}

    def __init__(
        self,
        weight: float = 0.5,
        delta: float = 0.6,
        gamma: float = 0.5,
        eps: float = 1e-6,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.weight = weight
        self.delta = delta
        self.gamma = gamma
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        total, *rest = pooled((self._cross_entropy(inputs), *soft_counts(inputs)), pool)
        counts = SoftCounts(*rest)
        tversky = self._tversky(counts, inputs.softmax)
        cross_entropy = ratio(total, counts.n)
        return self._class_mean(self.weight * cross_entropy + (1 - self.weight) * tversky)

    def _cross_entropy(self, inputs: Inputs) -> Tensor:
        """Return the focal cross entropy of each class, summed over pixels: (n, C)."""
        z, mask = inputs.logits, inputs.channel_mask()
        if inputs.softmax:
            log_p, t = z.log_softmax(1), inputs.one_hot()
            back = self._background(log_p[:, :1], log_p[:, 1:].logsumexp(1, keepdim=True), t[:, :1])
            values = torch.cat([back, -self.delta * t[:, 1:] * log_p[:, 1:]], 1)
        else:
            log_p, log_q, t = F.logsigmoid(z), F.logsigmoid(-z), inputs.target
            values = (self._background(log_q, log_p, 1 - t) - self.delta * t * log_p) / 2
        return sum_spatial(values if mask is None else mask * values)

    def _background(self, log_p: Tensor, log_q: Tensor, t: Tensor) -> Tensor:
        return -(1 - self.delta) * (self.gamma * log_q).exp() * t * log_p

    def _tversky(self, counts: SoftCounts, softmax: bool) -> Tensor:
        """Return the focal Tversky loss of each class, (n, C)."""
        enhanced = safe_power(self._error(counts), 1 - self.gamma)
        if not softmax:
            return (self._error(counts.of_background()) + enhanced) / 2
        return torch.cat([self._error(counts)[:, :1], enhanced[:, 1:]], 1)

    def _error(self, counts: SoftCounts) -> Tensor:
        below = counts.tp + self.delta * counts.fn + (1 - self.delta) * counts.fp
        return (1 - soft_ratio(counts.tp, below, self.eps)).clamp(min=0)
