"""Log-cosh Dice loss."""

from __future__ import annotations

from torch import Tensor

from ._core.region import RegionLoss, soft_ratio
from ._core.soft_counts import SoftCounts


class LogCoshDiceLoss(RegionLoss):
    r"""Logarithm of the hyperbolic cosine of the Dice loss: a smoothed square.

    Gentle near the optimum, where the Dice loss keeps its slope. ::

        l = log cosh(d),   d = 1 - (2 TP + eps) / (sum p + sum t + eps)

    where d is :class:`DiceLoss` of one sample and one class.

    Domain: l in [0, log cosh 1) = [0, 0.434); about d^2 / 2 for small d. Bounded,
    so its gradient fades on confident mistakes and, unless ``eps`` is large, on
    empty masks.

    Parameters
    ----------
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    S. Jadon, "A survey of loss functions for semantic segmentation", CIBCB 2020.
    https://arxiv.org/abs/2006.14822

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LogCoshDiceLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> LogCoshDiceLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.0829)
    """

    search_space = {"eps": (1e-6, 1.0, "log"), "batch": [False, True]}

    def per_class(self, counts: SoftCounts) -> Tensor:
        dice = 1 - soft_ratio(2 * counts.tp, counts.p + counts.t, self.eps)
        return dice.cosh().log()  # dice <= 1, so nothing overflows
