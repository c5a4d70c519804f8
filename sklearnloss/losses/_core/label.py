"""Losses that depend only on the softmax probability of the label."""

from __future__ import annotations

from torch import Tensor

from .base import Reduction
from .class_weight import ClassWeight, per_channel
from .inputs import Inputs
from .pixel import PixelLoss


class LabelLoss(PixelLoss):
    """Base class of softmax losses of log p_y, with weights per class.

    A subclass defines its formula in :meth:`of_log_p`. For class probabilities t
    the loss is sum_c t_c l_c.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0; a mean divides by the labels' weights.
    ignore_index : int, default=-100
        Label of ignored elements.
    """

    form = "softmax"
    class_weight: ClassWeight | None = None

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.reduction = reduction
        self.class_weight = class_weight
        self.ignore_index = ignore_index

    def of_log_p(self, log_p: Tensor) -> Tensor:
        """Return the loss of labels from their log-probabilities, elementwise."""
        raise NotImplementedError

    def values(self, inputs: Inputs) -> Tensor:
        log_p = inputs.logits.log_softmax(1)
        if not inputs.target.is_floating_point():
            values = self.of_log_p(inputs.at_label(log_p))
            weight = self._label_weight(inputs)
            return values if weight is None else weight * values
        values = self.of_log_p(log_p)
        if self.class_weight is not None:
            values = per_channel(self.class_weight, values, "class_weight") * values
        return inputs.at_label(values)

    def _label_weight(self, inputs: Inputs) -> Tensor | None:
        """Return each element's class weight, (n, *spatial), whose sum is torch's denominator."""
        if self.class_weight is None:
            return None
        z = inputs.logits
        weight = per_channel(self.class_weight, z, "class_weight", some_positive=True)
        return inputs.at_label(weight.expand_as(z))
