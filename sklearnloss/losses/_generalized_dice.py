"""Generalized Dice loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.region import RegionLoss, soft_ratio
from ._core.soft_counts import SoftCounts

WeightType = Literal["square", "simple", "uniform"]


class GeneralizedDiceLoss(RegionLoss):
    r"""One Dice over all classes, each weighted by the inverse of its size.

    For classes of very different sizes. It can collapse where classes are
    absent: prefer :class:`DiceLoss` with a cross entropy there. ::

        l = 1 - (2 sum_c w_c TP_c + eps) / (sum_c w_c (sum p_c + sum t_c) + eps)

    where, for each sample,

    - TP_c = sum min(p, t) over the pixels of class c: sum p t where t is 0 or 1
    - w_c = 1 / (sum t_c)^2 ("square"), 1 / sum t_c ("simple") or 1 ("uniform");
      an absent class gets the largest weight of the classes present, or 1 if none is
    - with one channel, the classes are background and foreground

    Domain: l in [0, 1); 0 for perfect masks. An image without any of the classes,
    such as an empty mask whose background is left out, costs 0 if nothing is
    predicted and about 1 otherwise, as with :class:`DiceLoss` (MONAI's loss is 0
    there, so false alarms cost nothing). Bounded, so its gradient fades on
    confident mistakes. ``weight_type="uniform"`` pools the classes' counts. With
    "square" the sums are of the order of 1 / size; ``eps`` should be well below
    that.

    Parameters
    ----------
    weight_type : {"square", "simple", "uniform"}, default="square"
        How a class's weight depends on its size.
    eps : float, default=1e-6
        Added to numerator and denominator; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`; ``class_weight`` multiplies w_c, and with one channel
        has two entries.

    References
    ----------
    C. H. Sudre et al., "Generalized Dice overlap as a deep learning loss function
    for highly unbalanced segmentations", DLMIA 2017.
    https://arxiv.org/abs/1707.03237

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import GeneralizedDiceLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> GeneralizedDiceLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.3870)
    """

    search_space = {
        "weight_type": ["square", "simple", "uniform"],
        "eps": (1e-6, 1.0, "log"),
        "batch": [False, True],
    }

    def __init__(
        self,
        weight_type: WeightType = "square",
        eps: float = 1e-6,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.weight_type = weight_type
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def per_class(self, counts: SoftCounts) -> Tensor:
        """Return the loss of each sample, (n,): the classes are weighted here."""
        if counts.tp.shape[1] == 1:
            counts = counts.with_background()
        weight = self._size_weight(counts.t) * self._class_vector(counts.t)
        above = (2 * weight * counts.tp).sum(1)
        below = (weight * (counts.p + counts.t)).sum(1)
        return 1 - soft_ratio(above, below, self.eps)

    def _size_weight(self, size: Tensor) -> Tensor:
        power = {"square": 2, "simple": 1, "uniform": 0}[self.weight_type]
        present = size > 0
        weight = torch.where(present, 1 / torch.where(present, size, 1) ** power, 0)
        largest = weight.amax(1, keepdim=True)
        return torch.where(present, weight, torch.where(largest > 0, largest, 1))

    def _check_params(self) -> None:
        super()._check_params()
        if self.weight_type not in ("square", "simple", "uniform"):
            raise ValueError(
                f"GeneralizedDiceLoss: weight_type={self.weight_type!r} is unknown. Expected "
                f"'square', 'simple' or 'uniform'."
            )
