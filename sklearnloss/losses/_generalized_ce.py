"""Generalized cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.label import LabelLoss


class GeneralizedCrossEntropyLoss(LabelLoss):
    r"""Between cross entropy and mean absolute error: robust to wrong labels.

    For labels with many errors. ::

        l = (1 - p_y^q) / q

    where

    - p_y: softmax probability of the label
    - q: robustness in (0, 1]

    Domain: l in [0, 1 / q). q -> 0 is :class:`CrossEntropyLoss`, q = 1 the
    mean absolute error 1 - p_y. Bounded: its gradient fades on confident
    mistakes, which makes it robust, but slow at first with q near 1.

    Parameters
    ----------
    q : float, default=0.7
        In (0, 1].
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    Z. Zhang, M. R. Sabuncu, "Generalized cross entropy loss for training deep
    neural networks with noisy labels", NeurIPS 2018.
    https://arxiv.org/abs/1805.07836

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import GeneralizedCrossEntropyLoss
    >>> GeneralizedCrossEntropyLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.2205)
    """

    search_space = {"q": (0.1, 0.9)}
    _intervals = {"q": "(0, 1]"}

    def __init__(
        self,
        q: float = 0.7,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.q = q
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def of_log_p(self, log_p: Tensor) -> Tensor:
        return -torch.expm1(self.q * log_p) / self.q
