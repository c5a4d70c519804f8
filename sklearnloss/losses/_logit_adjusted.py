"""Logit-adjusted cross entropy."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_counts import ClassCounts, ClassCountsLoss
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs


class LogitAdjustedLoss(ClassCountsLoss):
    r"""Cross entropy of scores shifted by the logarithm of the class frequencies.

    For long-tailed class distributions scored by balanced accuracy: trained with
    the shift and used without it, the network predicts as if classes were equally
    frequent, consistently so for tau = 1. ::

        l = -log softmax(z + tau log pi)_y

    where

    - z: C logits, y: the label
    - pi_c: share of class c in the training data

    Domain: l >= 0, unbounded as p_y -> 0, with a gradient on confident mistakes.
    ``tau=0`` is :class:`CrossEntropyLoss`, as are classes of equal size. A class
    that never occurs gets a count of 1.

    Parameters
    ----------
    class_counts : "auto" or sequence of shape (n_classes,), default="auto"
        How often each class occurs; "auto" is filled in by an estimator's ``fit``.
    tau : float, default=1.0
        Strength of the shift, >= 0.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.
    https://arxiv.org/abs/2007.07314

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LogitAdjustedLoss
    >>> LogitAdjustedLoss([900, 90, 10])(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([2]))
    tensor(6.5147)
    """

    search_space = {"tau": (0.25, 2.0)}
    _intervals = {"tau": "[0, inf)"}

    def __init__(
        self,
        class_counts: ClassCounts = "auto",
        tau: float = 1.0,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.class_counts = class_counts
        self.tau = tau
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def values(self, inputs: Inputs) -> Tensor:
        counts = self._counts(inputs)
        z = inputs.logits + self.tau * (counts / counts.sum()).log()
        return super().values(inputs._replace(logits=z))
