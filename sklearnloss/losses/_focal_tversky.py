"""Focal Tversky loss."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.numeric import safe_power
from ._core.soft_counts import SoftCounts
from ._tversky import TverskyLoss


class FocalTverskyLoss(TverskyLoss):
    r"""A power of the Tversky loss, which shifts weight between good and bad masks.

    For small lesions: ``gamma`` below 1 emphasizes classes that are nearly
    right, above 1 those that are still bad. ::

        l = (1 - TI)^gamma,  TI = (TP + eps) / (TP + alpha FP + beta FN + eps)

    where, over the pixels of one sample and one class,

    - TP = sum min(p, t), FP = sum p - TP false positives, FN = sum t - TP misses:
      sum p t, sum p (1 - t) and sum (1 - p) t where t is 0 or 1
    - gamma: 1 / gamma in the paper's notation, whose 4/3 is 0.75 here

    Domain: l in [0, 1); 0 for a perfect mask. ``gamma=1`` is
    ``TverskyLoss(alpha, beta, eps)``. Bounded, so its gradient fades on confident
    mistakes; with gamma < 1 it is steep, but finite, near a perfect mask.

    Parameters
    ----------
    alpha : float, default=0.3
        Weight of false positives, >= 0.
    beta : float, default=0.7
        Weight of false negatives, >= 0.
    gamma : float, default=0.75
        The exponent, > 0.
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    N. Abraham, N. M. Khan, "A novel focal Tversky loss function with improved
    attention U-Net for lesion segmentation", ISBI 2019.
    https://arxiv.org/abs/1810.07842

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import FocalTverskyLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> FocalTverskyLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.4279)
    """

    search_space = {"alpha": (0.05, 1.0), "beta": (0.05, 1.0), "gamma": (0.5, 2.0)}
    _intervals = {
        "alpha": "[0, inf)",
        "beta": "[0, inf)",
        "gamma": "(0, inf)",
        "eps": "[0, inf)",
    }

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 0.75,
        eps: float = 1e-6,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def per_class(self, counts: SoftCounts) -> Tensor:
        return safe_power(super().per_class(counts).clamp(min=0), self.gamma)
