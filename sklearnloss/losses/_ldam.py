"""Label-distribution-aware margin loss."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_counts import ClassCounts, ClassCountsLoss
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs


class LDAMLoss(ClassCountsLoss):
    r"""Cross entropy with a margin that is larger for rarer classes.

    For long-tailed class distributions. ::

        l = -log softmax(scale (z - m_y onehot(y)))_y,  m_c = max_margin (n_min / n_c)^(1/4)

    where

    - z: C logits, y: the label
    - n_c: how often class c occurs; the rarest class gets ``max_margin``

    Domain: l >= 0, unbounded as p_y -> 0, with a gradient on confident mistakes.
    ``max_margin=0, scale=1`` is :class:`CrossEntropyLoss`. The paper bounds the
    scores by normalizing features and weights and then scales by 30; for plain
    networks, whose scores are not bounded, 1 keeps probabilities meaningful.

    Parameters
    ----------
    class_counts : "auto" or sequence of shape (n_classes,), default="auto"
        How often each class occurs; "auto" is filled in by an estimator's ``fit``.
    max_margin : float, default=0.5
        Margin of the rarest class, >= 0.
    scale : float, default=1.0
        Factor of the scores, > 0.
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    K. Cao et al., "Learning imbalanced datasets with label-distribution-aware
    margin loss", NeurIPS 2019. https://arxiv.org/abs/1906.07413

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LDAMLoss
    >>> LDAMLoss([900, 90, 10])(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([2]))
    tensor(2.6967)
    """

    search_space = {"max_margin": (0.1, 5.0, "log")}
    _intervals = {"max_margin": "[0, inf)", "scale": "(0, inf)"}

    def __init__(
        self,
        class_counts: ClassCounts = "auto",
        max_margin: float = 0.5,
        scale: float = 1.0,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.class_counts = class_counts
        self.max_margin = max_margin
        self.scale = scale
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def values(self, inputs: Inputs) -> Tensor:
        if inputs.target.is_floating_point():
            # With class probabilities, each class in turn is the label, with its own margin.
            label, of = inputs.target.argmax(1), self.values
            return inputs.over_labels(
                lambda c: of(inputs._replace(target=torch.full_like(label, c)))
            )
        counts = self._counts(inputs)
        margin = self.max_margin * (counts.amin() / counts) ** 0.25
        z = self.scale * (inputs.logits - margin * inputs.one_hot())
        return super().values(inputs._replace(logits=z))
