"""Multiclass hinge loss of Crammer and Singer."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.inputs import Inputs
from ._core.pixel import PixelLoss


class MultiClassHingeLoss(PixelLoss):
    r"""Crammer-Singer hinge: the support vector machine's loss for many classes.

    Requires a margin rather than a probability, and then ignores the example;
    often as accurate as cross entropy, and slower to overfit easy examples. Its
    scores are not calibrated. ::

        l = max(0, margin + max_{j != y} z_j - z_y)^p

    where

    - z: C logits, y: the label
    - class probabilities t in place of a label give sum_c t_c l_c

    Domain: l >= 0, linear in a mistake, or with p = 2 quadratic, so its gradient
    never vanishes there; 0 once the label leads by the margin. For two classes it
    is the binary hinge of z_1 - z_0; one channel scores (0, z). It is not torch's
    ``MultiMarginLoss``, which sums over all wrong classes (Weston and Watkins).

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    margin : float, default=1.0
        Lead that the label must have, > 0. Scaling it scales the best logits.
    p : float, default=1
        Exponent, >= 1; 2 is the squared hinge.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    K. Crammer, Y. Singer, "On the algorithmic implementation of multiclass
    kernel-based vector machines", JMLR 2, 2001.
    https://www.jmlr.org/papers/v2/crammer01a.html

    Y. Tang, "Deep learning using linear support vector machines", 2013 (p = 2).
    https://arxiv.org/abs/1306.0239

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import MultiClassHingeLoss
    >>> logits = torch.tensor([[2.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
    >>> MultiClassHingeLoss()(logits, torch.tensor([0, 1]))
    tensor(0.2500)
    """

    form = "softmax"
    search_space = {"margin": (0.1, 10.0, "log"), "p": [1, 2]}
    _intervals = {"margin": "(0, inf)", "p": "[1, inf)"}

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        margin: float = 1.0,
        p: float = 1,
        ignore_index: int | None = -100,
    ) -> None:
        self.reduction = reduction
        self.margin = margin
        self.p = p
        self.ignore_index = ignore_index

    def values(self, inputs: Inputs) -> Tensor:
        z = inputs.logits
        best, second = z.topk(2, dim=1).values.split(1, dim=1)  # (n, 1, *spatial)
        rival = torch.where(z == best, second, best)  # max_{j != c} z_j for every c
        return inputs.at_label((rival - z + self.margin).relu() ** self.p)
