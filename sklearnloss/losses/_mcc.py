"""Matthews correlation coefficient loss."""

from __future__ import annotations

from torch import Tensor

from ._core.region import RegionLoss
from ._core.soft_counts import SoftCounts


class MCCLoss(RegionLoss):
    r"""One minus the Matthews correlation of prediction and target (phi).

    Unlike Dice it also counts true negatives, so a trivial prediction never
    looks good. ::

        l = 1 - (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))

    where TP, TN, FP and FN are soft counts over the pixels of one sample and one
    class, as shares of all its valid pixels; ``eps`` is added to TP and TN above
    and to each sum below.

    Domain: l in [0, 2]; 0 for a perfect mask, 1 for an unrelated one, 2 for its
    opposite. Bounded, so its gradient fades on confident mistakes. Predicting an
    empty or a full mask costs nothing where it is right, and about 1 elsewhere.

    Parameters
    ----------
    eps : float, default=1e-6
        Keeps empty masks from dividing by 0, relative to all pixels; > 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`.

    References
    ----------
    K. Abhishek, G. Hamarneh, "Matthews correlation coefficient loss for deep
    convolutional networks: Application to skin lesion segmentation", ISBI 2021.
    https://arxiv.org/abs/2010.13454

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import MCCLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> MCCLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.5603)
    """

    search_space = {"eps": (1e-6, 1e-2, "log"), "batch": [False, True]}
    _intervals = {"eps": "(0, inf)"}

    def per_class(self, counts: SoftCounts) -> Tensor:
        n = counts.n.clamp(min=1)
        tp, fp, fn, tn = (c / n for c in (counts.tp, counts.fp, counts.fn, counts.tn))
        eps = self.eps
        above = (tp + eps) * (tn + eps) - fp * fn
        below = (tp + fp + eps) * (tp + fn + eps) * (tn + fp + eps) * (tn + fn + eps)
        return 1 - above / below.sqrt()
