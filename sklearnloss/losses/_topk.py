"""Cross entropy of the hardest elements."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs
from ._core.label import LabelLoss
from ._core.pixel import sample_factor


class TopKCrossEntropyLoss(LabelLoss):
    r"""Mean cross entropy of the hardest part of the batch (online hard examples).

    For segmentation in which most pixels are easy. With Dice it did best among
    twenty losses on livers in a published comparison. ::

        l = mean of -w_y log p_y over the fraction k of elements where it is largest

    where p_y is the softmax probability of the label and w_y its class weight.
    The fraction is of the total sample weight of the valid elements in the batch;
    an element that straddles the limit counts partially.

    Domain: l >= 0, unbounded as p_y -> 0, with a gradient on confident mistakes
    and none on the other elements. ``k=1`` is :class:`CrossEntropyLoss`.

    Parameters
    ----------
    k : float, default=0.1
        The fraction to keep, in (0, 1].
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`; the elements are chosen from the whole batch.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        Weights of the classes, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    Notes
    -----
    The share of each element comes from a sum along the sorted batch, which on
    CUDA is not bit-reproducible and not allowed in torch's deterministic mode.

    References
    ----------
    Z. Wu, C. Shen, A. van den Hengel, "Bridging category-level and instance-level
    semantic image segmentation", 2016. https://arxiv.org/abs/1605.06885

    J. Ma et al., "Loss odyssey in medical image segmentation", Medical Image
    Analysis 71, 2021. https://doi.org/10.1016/j.media.2021.102035

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import TopKCrossEntropyLoss
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    >>> TopKCrossEntropyLoss(k=1 / 3)(logits, torch.tensor([0, 0, 0]))
    tensor(1.3133)
    """

    search_space = {"k": (0.05, 0.5)}
    _intervals = {"k": "(0, 1]"}

    def __init__(
        self,
        k: float = 0.1,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.k = k
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def of_log_p(self, log_p: Tensor) -> Tensor:
        return -log_p

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        inputs = self._read(logits, target, sample_weight)
        values = self.values(inputs)
        return self._reduce(values, inputs._replace(mask=self._share(values.detach(), inputs)))

    def _share(self, values: Tensor, inputs: Inputs) -> Tensor:
        """Return the fraction of each element that counts, in [0, 1]."""
        weight = torch.ones_like(values) if inputs.mask is None else inputs.mask
        if inputs.sample_weight is not None:
            weight = weight * sample_factor(inputs.sample_weight, values)
        hardness = torch.where(weight > 0, values, -1)
        order = hardness.flatten().argsort(descending=True)
        ordered = weight.flatten()[order]
        before = ordered.cumsum(0) - ordered
        room = (self.k * ordered.sum() - before).clamp(min=0)
        share = (room / torch.where(ordered == 0, 1, ordered)).clamp(max=1)
        share = torch.zeros_like(share).scatter(0, order, share).reshape(values.shape)
        return share if inputs.mask is None else share * inputs.mask
