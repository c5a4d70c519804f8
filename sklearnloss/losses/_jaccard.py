"""Soft Jaccard loss."""

from __future__ import annotations

from torch import Tensor

from ._core.region import RegionLoss
from ._core.soft_counts import SoftCounts


class JaccardLoss(RegionLoss):
    r"""One minus the soft intersection over union (Jaccard index) of each class.

    For segmentation scored by IoU. It ranks masks as Dice does; its gradient is up to
    twice that of Dice on good masks, and down to half of it on bad ones. ::

        l = 1 - (TP + eps) / (sum p + sum t - TP + eps)

    where, over the pixels of one sample and one class,

    - TP = sum min(p, t), the soft intersection, which is sum p t where t is 0 or 1;
      the denominator is the soft union
    - p: sigmoid or softmax probability; t: target in [0, 1]

    Domain: l in [0, 1); 0 for a perfect mask. Bounded, so its gradient fades on
    confident mistakes and, unless ``eps`` is large, on empty masks. It is
    ``TverskyLoss(1, 1, eps)`` and, with d the Dice loss, 2 d / (1 + d) at eps = 0.

    Parameters
    ----------
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    M. A. Rahman, Y. Wang, "Optimizing intersection-over-union in deep neural
    networks for image segmentation", ISVC 2016.
    https://doi.org/10.1007/978-3-319-50835-1_22

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import JaccardLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> JaccardLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.5844)
    """

    search_space = {"eps": (1e-6, 1.0, "log"), "batch": [False, True]}

    def ratio(self, counts: SoftCounts) -> tuple[Tensor, Tensor]:
        return counts.tp, counts.p + counts.t - counts.tp
