"""Brier loss."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.inputs import Inputs
from ._core.pixel import PixelLoss


class BrierLoss(PixelLoss):
    r"""Squared error of the probabilities: a proper score that is robust to outliers.

    Bounded, so wrong labels do less harm than under cross entropy; learning
    starts more slowly. ::

        sigmoid form    l = (p - t)^2
        softmax form    l = sum_c (p_c - t_c)^2

    where p = sigmoid(z) or softmax(z), and t is the target (one-hot for class
    indices).

    Domain: l in [0, 1], or [0, 2] in the softmax form, which for two classes is
    twice the sigmoid form of z_1 - z_0. Its gradient fades on confident mistakes.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    ignore_index : int, default=None
        Target value of ignored elements.

    References
    ----------
    G. W. Brier, "Verification of forecasts expressed in terms of probability",
    Monthly Weather Review 78, 1950.
    https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    L. Hui, M. Belkin, "Evaluation of neural architectures trained with square
    loss vs cross-entropy in classification tasks", ICLR 2021.
    https://arxiv.org/abs/2006.07322

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import BrierLoss
    >>> BrierLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.0681)
    """

    def __init__(self, reduction: Reduction = "mean", *, ignore_index: int | None = None) -> None:
        self.reduction = reduction
        self.ignore_index = ignore_index

    def values(self, inputs: Inputs) -> Tensor:
        if inputs.softmax:
            return (inputs.logits.softmax(1) - inputs.one_hot()).square().sum(1)
        return (inputs.logits.sigmoid() - inputs.target).square()
