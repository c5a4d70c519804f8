"""Asymmetric loss for multilabel targets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.inputs import Inputs
from ._core.numeric import safe_power
from ._core.pixel import PixelLoss
from ._core.transfer import as_like


class AsymmetricLoss(PixelLoss):
    r"""Focal loss with a separate focus for negatives, and a margin for easy ones.

    For many labels, few of which are present: negatives are down-weighted and, if
    improbable enough, ignored. ::

        l = -t (1 - p)^gamma_pos log p - (1 - t) p_m^gamma_neg log(1 - p_m)

    where

    - p = sigmoid(z); p_m = max(p - clip, 0)
    - t: target in [0, 1]; the loss is linear in it

    Domain: l >= 0; on a positive unbounded as p -> 0, with a gradient there, and
    at most -log(clip) on a negative. ``gamma_pos = gamma_neg, clip=0`` is
    ``FocalLoss(gamma, alpha=None)``; all 0 is binary cross entropy. The mean is
    over samples and channels, and the gradient passes through the focus.

    Parameters
    ----------
    gamma_pos : float, default=0.0
        Focus of the positives, >= 0.
    gamma_neg : float, default=4.0
        Focus of the negatives, >= 0.
    clip : float, default=0.05
        Probability below which negatives are ignored, in [0, 1).
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    ignore_index : int, default=None
        Target value of ignored elements.

    References
    ----------
    T. Ridnik et al., "Asymmetric loss for multi-label classification", ICCV 2021.
    https://arxiv.org/abs/2009.14119

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import AsymmetricLoss
    >>> AsymmetricLoss()(torch.tensor([[2.0, 1.0, -3.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
    tensor(0.1243)
    """

    form = "sigmoid"
    search_space = {"gamma_pos": (0.0, 2.0), "gamma_neg": (0.0, 6.0), "clip": (0.0, 0.2)}
    _intervals = {"gamma_pos": "[0, inf)", "gamma_neg": "[0, inf)", "clip": "[0, 1)"}

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        clip: float = 0.05,
        reduction: Reduction = "mean",
        *,
        ignore_index: int | None = None,
    ) -> None:
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip
        self.reduction = reduction
        self.ignore_index = ignore_index

    def values(self, inputs: Inputs) -> Tensor:
        z, t = inputs.logits, inputs.target
        log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)  # log p and log(1 - p)
        positive = (self.gamma_pos * log_q).exp() * log_p
        # log(1 - p_m) = min(0, log(1 - p + clip)), and p_m from it without rounding 1 - p.
        log_clip = as_like(self.clip, z).log()
        log_q_m = torch.logaddexp(log_q, log_clip).clamp(max=0)
        p_m = -torch.expm1(log_q_m)
        negative = safe_power(p_m, self.gamma_neg) * log_q_m
        return -t * positive - (1 - t) * negative
