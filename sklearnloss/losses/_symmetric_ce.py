"""Symmetric cross entropy."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs
from ._core.label import LabelLoss


class SymmetricCrossEntropyLoss(LabelLoss):
    r"""Cross entropy plus its reverse, which exchanges labels and predictions.

    For labels with many errors. ::

        l = -alpha log p_y + beta A (1 - p_y)

    where

    - p_y: softmax probability of the label
    - A = ``-log_zero``, the cost in the reverse cross entropy -sum_c p_c log t_c
      where a label has no mass; for class probabilities log t_c is clipped there

    Domain: l >= 0, unbounded as p_y -> 0 unless alpha = 0. ``alpha=1, beta=0`` is
    :class:`CrossEntropyLoss`; alpha = 0 a scaled mean absolute error. With a
    fixed label it is Poly-1 of epsilon = beta A / alpha, scaled by alpha.

    Parameters
    ----------
    alpha : float, default=0.1
        Weight of the cross entropy, >= 0.
    beta : float, default=1.0
        Weight of the reverse cross entropy, >= 0.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    log_zero : float, default=-4.0
        Value used for log 0, < 0.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    Y. Wang et al., "Symmetric cross entropy for robust learning with noisy
    labels", ICCV 2019. https://arxiv.org/abs/1908.06112

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import SymmetricCrossEntropyLoss
    >>> SymmetricCrossEntropyLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.8760)
    """

    search_space = {"alpha": (0.01, 10.0, "log"), "beta": (0.1, 10.0, "log")}
    _intervals = {"alpha": "[0, inf)", "beta": "[0, inf)", "log_zero": "(-inf, 0)"}

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        reduction: Reduction = "mean",
        *,
        log_zero: float = -4.0,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.log_zero = log_zero
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def of_log_p(self, log_p: Tensor) -> Tensor:
        return -self.alpha * log_p + self.beta * self.log_zero * log_p.expm1()

    def values(self, inputs: Inputs) -> Tensor:
        t = inputs.target
        if not t.is_floating_point():
            return super().values(inputs)
        log_p = inputs.logits.log_softmax(1)
        forward = -inputs.at_label(log_p)
        reverse = -(log_p.exp() * t.log().clamp(min=self.log_zero)).sum(1)
        values = self.alpha * forward + self.beta * reverse
        weight = self._label_weight(inputs)
        return values if weight is None else weight * values
