"""Bi-tempered logistic loss."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight, per_channel
from ._core.inputs import Inputs
from ._core.label import LabelLoss
from ._core.transfer import as_like


class BiTemperedLoss(LabelLoss):
    r"""Cross entropy with a bounded logarithm and a heavy-tailed softmax.

    For partly wrong labels: ``t1`` below 1 bounds the cost of mistakes far from the
    decision boundary, ``t2`` above 1 keeps mistakes near it from weighing too
    much. ::

        l = -log_t1 p_y - (1 - sum_c p_c^(2 - t1)) / (2 - t1)
        p_c = exp_t2(z_c - lambda),   lambda such that sum_c p_c = 1

    where

    - z: C logits, y: the label
    - log_t x = (x^(1 - t) - 1) / (1 - t), which is log x at t = 1
    - exp_t x = max(0, 1 + (1 - t) x)^(1 / (1 - t)), its inverse
    - class probabilities t in place of a label give sum_c t_c l_c

    Domain: l in [0, 1 / (1 - t1)]. Bounded for t1 < 1, so its gradient fades on
    confident mistakes, more slowly with a larger ``t2``. ``t1=1, t2=1`` is
    :class:`CrossEntropyLoss`; ``t1=0, t2=1`` half of the softmax form of
    :class:`BrierLoss`. One channel scores (0, z). lambda is found by Newton's
    method, whose last two steps carry the exact first and second derivatives.

    Parameters
    ----------
    t1 : float, default=0.8
        Temperature of the logarithm, in [0, 1]; lower is more robust to outliers.
    t2 : float, default=1.2
        Temperature of the softmax, >= 1; higher has heavier tails.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    E. Amid et al., "Robust bi-tempered logistic loss based on Bregman
    divergences", NeurIPS 2019. https://arxiv.org/abs/1906.03361

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import BiTemperedLoss
    >>> BiTemperedLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
    tensor(0.2148)
    """

    search_space = {"t1": (0.2, 1.0), "t2": (1.0, 4.0)}
    _intervals = {"t1": "[0, 1]", "t2": "[1, inf)"}

    def __init__(
        self,
        t1: float = 0.8,
        t2: float = 1.2,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.t1 = t1
        self.t2 = t2
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def values(self, inputs: Inputs) -> Tensor:
        log_p = tempered_log_softmax(inputs.logits, self.t2)
        power = 2 - self.t1
        spread = (1 - (power * log_p).exp().sum(1, keepdim=True)) / power
        values = -_scaled_expm1(log_p, 1 - self.t1) - spread  # (n, C, *spatial)
        if self.class_weight is not None:
            values = values * per_channel(self.class_weight, values, "class_weight")
        return inputs.at_label(values)


def tempered_log_softmax(z: Tensor, t: float | Tensor, n_steps: int = 7) -> Tensor:
    """Return log exp_t(z - lambda), with exp_t summing to 1 over axis 1, for t >= 1.

    With a = lambda - z and k = t - 1 this is -log(1 + k a) / k.
    """
    behind = z.amax(1, keepdim=True) - z
    k = as_like(t, z) - 1
    lead = torch.zeros_like(behind[:, :1])  # lambda - max z
    for step in range(n_steps):
        # At the root, two Newton steps have its first and second derivatives.
        exact = step >= n_steps - 2
        lead = _newton_step(lead, behind, k) if exact else _newton_step(lead, behind.detach(), k)
        lead = lead if exact else lead.detach()
    return -_scaled_log1p(lead + behind, k)


def _newton_step(lead: Tensor, behind: Tensor, k: Tensor) -> Tensor:
    """Improve lambda - max z so that the probabilities sum to one.

    The equation (sum p)^-k = 1 is concave in lambda and nearly linear: from 0
    the steps rise to the root, reaching float64 precision in at most 6.
    """
    log_p = -_scaled_log1p(lead + behind, k)
    log_sum = log_p.logsumexp(1, keepdim=True)
    slope = ((1 + k) * log_p).logsumexp(1, keepdim=True)  # d p / d lambda = -p^(1 + k)
    return lead + _scaled_expm1(log_sum, k) * (log_sum - slope).exp()


def _scaled_log1p(x: Tensor, k: Tensor) -> Tensor:
    """Return log(1 + k x) / k, which is x at k = 0."""
    zero = k == 0
    return torch.where(zero, x, (k * x).log1p() / torch.where(zero, 1, k))


def _scaled_expm1(x: Tensor, k: float | Tensor) -> Tensor:
    """Return (exp(k x) - 1) / k, which is x at k = 0."""
    k = as_like(k, x)
    zero = k == 0
    return torch.where(zero, x, (k * x).expm1() / torch.where(zero, 1, k))
