"""Poly-1 cross entropy."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.label import LabelLoss


class Poly1CrossEntropyLoss(LabelLoss):
    r"""Cross entropy with its first polynomial coefficient changed.

    One number tunes the weight of labels with intermediate probability: above 0 for
    balanced classes, below 0 for strong imbalance, in the paper's experience. ::

        l = -log p_y + epsilon (1 - p_y)

    where p_y is the softmax probability of the label.

    Domain: l >= 0 for epsilon >= -1, unbounded as p_y -> 0, with a gradient on
    confident mistakes. ``epsilon=0`` is :class:`CrossEntropyLoss`;
    epsilon = -1 removes the leading term of the expansion in 1 - p_y.

    Parameters
    ----------
    epsilon : float, default=1.0
        Change of the first coefficient, >= -1.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    Z. Leng et al., "PolyLoss: A polynomial expansion perspective of
    classification loss functions", ICLR 2022. https://arxiv.org/abs/2204.12511

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import Poly1CrossEntropyLoss
    >>> Poly1CrossEntropyLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.4526)
    """

    search_space = {"epsilon": (-1.0, 6.0)}
    _intervals = {"epsilon": "[-1, inf)"}

    def __init__(
        self,
        epsilon: float = 1.0,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.epsilon = epsilon
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def of_log_p(self, log_p: Tensor) -> Tensor:
        return -log_p - self.epsilon * log_p.expm1()  # 1 - p = -expm1(log p)
