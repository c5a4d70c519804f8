"""Tversky loss."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.region import RegionLoss
from ._core.soft_counts import SoftCounts


class TverskyLoss(RegionLoss):
    r"""One minus the soft Tversky index: Dice that can prefer recall or precision.

    For small or rare structures where a missed pixel costs more than a false
    alarm: raise ``beta``. ::

        l = 1 - (TP + eps) / (TP + alpha FP + beta FN + eps)

    where, over the pixels of one sample and one class,

    - TP = sum min(p, t), FP = sum p - TP false positives, FN = sum t - TP misses:
      sum p t, sum p (1 - t) and sum (1 - p) t where t is 0 or 1
    - p: sigmoid or softmax probability; t: target in [0, 1]

    Domain: l in [0, 1); 0 for a perfect mask. Bounded, so its gradient fades on
    confident mistakes. ``TverskyLoss(0.5, 0.5, eps)`` is ``DiceLoss(2 * eps)``,
    ``TverskyLoss(1, 1)`` is the Jaccard loss; with alpha = 0 false alarms cost nothing.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of false positives, >= 0.
    beta : float, default=0.5
        Weight of false negatives, >= 0; above ``alpha`` it favors recall.
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image
    segmentation using 3D fully convolutional deep networks", MLMI 2017.
    https://arxiv.org/abs/1706.05721

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import TverskyLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> TverskyLoss(alpha=0.3, beta=0.7)(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.3225)
    """

    search_space = {"alpha": (0.05, 1.0), "beta": (0.05, 1.0)}
    _intervals = {"alpha": "[0, inf)", "beta": "[0, inf)", "eps": "[0, inf)"}

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
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
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def ratio(self, counts: SoftCounts) -> tuple[Tensor, Tensor]:
        return counts.tp, counts.tp + self.alpha * counts.fp + self.beta * counts.fn
