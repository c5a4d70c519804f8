"""Binary cross entropy."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.class_weight import ClassWeight, check_weight, per_channel
from ._core.closed_form import as_number
from ._core.closed_form_pixel import BinaryCrossEntropy, ClosedForm
from ._core.inputs import Inputs
from ._core.pixel import PixelLoss


class BCEWithLogitsLoss(PixelLoss):
    r"""Binary cross entropy on raw scores, one sigmoid per channel.

    The negative log-likelihood, and the first choice for masks that cover a fair
    part of the image, and for labels that may occur together. ::

        l = pos_weight t softplus(-z) + (1 - t) softplus(z)

    where

    - z: logit, any real number; p = sigmoid(z) is the probability it stands for
    - t: target in [0, 1], after smoothing t (1 - s) + s / 2
    - softplus(x) = log(1 + exp(x)), so softplus(-z) = -log p

    Domain: l >= 0. It is unbounded as p -> 0 on a positive, and its gradient
    p - t never vanishes on a confident mistake. ``FocalLoss(gamma=0, alpha=None)``
    equals it; ``pos_weight`` scales positives without entering the mean's
    denominator, as in torch. It is exact in float32 where torch's own rounds to
    0 (z = -15, t = 0).

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    pos_weight : float, sequence, dict or Tensor of shape (n_channels,), default=None
        Weight of the positives, > 0; n_negative / n_positive balances a class.
    label_smoothing : float, default=0.0
        s, in [0, 1].
    ignore_index : int, default=None
        Target value of ignored elements.

    References
    ----------
    D. R. Cox, "The regression analysis of binary sequences", Journal of the
    Royal Statistical Society B 20, 1958. https://www.jstor.org/stable/2983890

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import BCEWithLogitsLoss
    >>> logits = torch.tensor([[2.0], [-1.0]])
    >>> BCEWithLogitsLoss()(logits, torch.tensor([[1.0], [0.0]]))
    tensor(0.2201)
    """

    form = "sigmoid"
    search_space = {"pos_weight": (0.1, 100.0, "log"), "label_smoothing": (0.0, 0.2)}
    _intervals = {"label_smoothing": "[0, 1]"}

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        pos_weight: ClassWeight | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        self.reduction = reduction
        self.pos_weight = pos_weight
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index

    def values(self, inputs: Inputs) -> Tensor:
        z, t = inputs.logits, inputs.target
        if isinstance(self.label_smoothing, Tensor) or self.label_smoothing > 0:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / 2
        positive = t * -F.logsigmoid(z)  # -log p = softplus(-z)
        if self.pos_weight is not None:
            positive = positive * per_channel(self.pos_weight, z, "BCEWithLogitsLoss: pos_weight")
        return positive + (1 - t) * -F.logsigmoid(-z)

    def _closed_form(self, inputs: Inputs) -> ClosedForm | None:
        weight = as_number(1.0 if self.pos_weight is None else self.pos_weight)
        smoothing = as_number(self.label_smoothing)
        if weight is None or smoothing is None:
            return None
        check_weight(weight, "BCEWithLogitsLoss: pos_weight")
        return BinaryCrossEntropy(weight, smoothing, inputs.hard)
