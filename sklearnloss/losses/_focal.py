"""Focal loss, in its binary and multiclass forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.class_weight import check_weight, class_vector, per_channel
from ._core.closed_form import as_number
from ._core.closed_form_pixel import ClosedForm, SigmoidFocal, SoftmaxFocal
from ._core.inputs import Inputs
from ._core.pixel import PixelLoss


class FocalLoss(PixelLoss):
    r"""Cross entropy in which easy elements count less: ``gamma`` is how much less.

    ``gamma=0`` is cross entropy. With 2, the usual value, an element that is right with
    probability 0.9 counts a hundredth. For rare objects on a large, easy background.
    Tends to make a network less confident, which often helps calibration. ::

        sigmoid form    l = t alpha (1 - p)^gamma (-log p)
                            + (1 - t) (1 - alpha) p^gamma (-log(1 - p))
        softmax form    l = alpha_y (1 - p_y)^gamma (-log p_y)

    where

    - p = sigmoid(z), or p_y the softmax probability of the label
    - t: target in [0, 1]; the loss is linear in it

    Domain: l >= 0, unbounded as p -> 0, and with a gradient on confident
    mistakes. ``gamma=0, alpha=None`` is binary cross entropy or cross entropy.
    Powers are taken in log space, so gamma < 1 has a finite gradient too. With
    two classes the softmax form is the sigmoid form of z_1 - z_0.

    Parameters
    ----------
    gamma : float, default=2.0
        Focus, >= 0. Values from 0.5 to 5 work in the paper.
    alpha : "auto", None, float or sequence of shape (n_classes,), default="auto"
        In the sigmoid form, the weight of positives, in [0, 1], with 1 - alpha for
        negatives: one for all channels or one per channel. For class indices, a
        scale factor, or a weight per class. Not normalized. "auto" means 0.25 in
        the sigmoid form, as in the paper, and None for class indices.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    ignore_index : int, default=None
        Target value of ignored elements.

    References
    ----------
    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.
    https://arxiv.org/abs/1708.02002

    J. Mukhoti et al., "Calibrating deep neural networks using focal loss",
    NeurIPS 2020. https://arxiv.org/abs/2002.09437

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import FocalLoss
    >>> logits = torch.tensor([[2.0], [-1.0]])
    >>> FocalLoss(gamma=2.0)(logits, torch.tensor([[1.0], [0.0]]))
    tensor(0.0087)
    >>> FocalLoss(gamma=2.0)(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.0109)
    """

    search_space = {"gamma": (0.0, 5.0), "alpha": (0.05, 0.95)}
    _sigmoid_only = ("alpha",)
    _intervals = {"gamma": "[0, inf)"}

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: Literal["auto"] | float | Sequence[float] | Tensor | None = "auto",
        reduction: Reduction = "mean",
        *,
        ignore_index: int | None = None,
    ) -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.reduction = reduction
        self.ignore_index = ignore_index

    def values(self, inputs: Inputs) -> Tensor:
        if inputs.softmax:
            return self._softmax_values(inputs)
        z, t = inputs.logits, inputs.target
        log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)  # log p and log(1 - p)
        positive = -t * (self.gamma * log_q).exp() * log_p
        negative = -(1 - t) * (self.gamma * log_p).exp() * log_q
        alpha = 0.25 if isinstance(self.alpha, str) else self.alpha
        if alpha is not None:
            alpha = per_channel(alpha, z, "FocalLoss: alpha", high=1.0)
            positive, negative = alpha * positive, (1 - alpha) * negative
        return positive + negative

    def _softmax_values(self, inputs: Inputs) -> Tensor:
        z = inputs.logits
        label = inputs.target.unsqueeze(1)
        # With m = z_y - log sum_{j != y} exp z_j, p_y = sigmoid(m): no 1 - p is rounded.
        others = z.scatter(1, label, -torch.inf).logsumexp(1)
        margin = z.gather(1, label).squeeze(1) - others
        values = -(self.gamma * F.logsigmoid(-margin)).exp() * F.logsigmoid(margin)
        if self.alpha is None or isinstance(self.alpha, str):
            return values
        weight = class_vector(self.alpha, z.shape[1], z, "FocalLoss: alpha")
        return weight[inputs.target] * values

    def _closed_form(self, inputs: Inputs) -> ClosedForm | None:
        auto = isinstance(self.alpha, str)
        unweighted = self.alpha is None or (auto and inputs.softmax)
        gamma = as_number(self.gamma)
        alpha = as_number(0.25 if auto else self.alpha)
        if gamma is None or (alpha is None and not unweighted):
            return None
        if alpha is None or unweighted:
            if inputs.softmax:
                return SoftmaxFocal(gamma, 1.0)
            return SigmoidFocal(gamma, 1.0, 1.0, inputs.hard)
        high = math.inf if inputs.softmax else 1.0
        check_weight(alpha, "FocalLoss: alpha", high)
        if inputs.softmax:
            return SoftmaxFocal(gamma, alpha)
        return SigmoidFocal(gamma, alpha, 1 - alpha, inputs.hard)

    def _check_params(self) -> None:
        super()._check_params()
        if isinstance(self.alpha, str) and self.alpha != "auto":
            raise ValueError(
                f"FocalLoss: alpha={self.alpha!r} is unknown. Expected 'auto', None, a number or "
                f"one number per class."
            )
