"""Soft Dice loss."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.region import RegionLoss
from ._core.soft_counts import SoftCounts


class DiceLoss(RegionLoss):
    r"""One minus the soft Dice coefficient (F1 score) of each class.

    For segmentation scored by Dice or IoU and for small objects: a class has the same
    weight however few pixels it has. Adding a cross entropy stabilizes training. ::

        l = 1 - (2 TP + eps) / (sum p + sum t + eps)

    where

    - TP = sum min(p, t) over the pixels of one sample and one class, which is
      sum p t where t is 0 or 1 (with ``squared`` it is sum p t throughout)
    - p: sigmoid or softmax probability; t: target in [0, 1]
    - ``squared`` has sum p^2 + sum t^2 in the denominator

    Domain: l in [0, 1); 0 for p = t, also for soft targets. It is bounded, so its gradient
    fades on confident mistakes; on an empty mask it is about 1 with almost no
    gradient unless ``eps`` is large: there use ``batch=True`` or add
    :class:`BCEWithLogitsLoss`. ``DiceLoss(2 * eps)`` is
    ``TverskyLoss(0.5, 0.5, eps)``; 2 l / (1 + l) is the Jaccard loss at eps = 0.

    Parameters
    ----------
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    squared : bool, default=False
        Square the probabilities in the denominator, as V-Net does.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully convolutional neural
    networks for volumetric medical image segmentation", 3DV 2016.
    https://arxiv.org/abs/1606.04797

    Z. Wang et al., "Dice semimetric losses: Optimizing the Dice score with soft
    labels", MICCAI 2023. https://arxiv.org/abs/2303.16296

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import DiceLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> DiceLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.4128)
    """

    search_space = {"eps": (1e-6, 1.0, "log"), "squared": [False, True], "batch": [False, True]}

    def __init__(
        self,
        eps: float = 1e-6,
        *,
        squared: bool = False,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.squared = squared
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def ratio(self, counts: SoftCounts) -> tuple[Tensor, Tensor]:
        return 2 * counts.tp, counts.p + counts.t
