"""Lovász losses: the convex extension of the Jaccard index."""

from __future__ import annotations

import torch
from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs
from ._core.pixel import ratio
from ._core.region import RegionLoss, soft_ratio


class _LovaszLoss(RegionLoss):
    """Sort pixels by error and weight each by its contribution to the Jaccard loss."""

    def __init__(
        self,
        eps: float = 0.0,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def errors(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return errors, and targets in [0, 1], of shape (n, C, *spatial)."""
        raise NotImplementedError

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        errors, t = self.errors(inputs)
        mask = inputs.channel_mask()
        mask = torch.ones_like(t) if mask is None else mask.expand_as(t)
        errors, t, mask = map(_pixels_last, (errors, t, mask))
        if pool is not None:
            mask = mask * pool.reshape(-1, 1, 1)
            errors, t, mask = (x.movedim(0, 1).flatten(1).unsqueeze(0) for x in (errors, t, mask))
        return self._class_mean(lovasz_extension(errors, t, mask, self.eps))


class LovaszHingeLoss(_LovaszLoss):
    r"""Lovász hinge: the convex surrogate of one minus the IoU of a binary mask.

    Optimizes the IoU of whole masks rather than of pixels. The authors
    pretrain with a cross entropy. ::

        l = sum_i max(0, m_i) (J_i - J_{i-1}),   m = 1 - z (2 t - 1) sorted in descending order

    where

    - z: logits of one sample and one channel; t: target, 0 or 1
    - J_i: Jaccard loss of the mask in which the i worst pixels are wrong

    Domain: l >= 0; 0 once every pixel is right by a margin of 1. Linear in a
    mistake, so its gradient does not vanish there. An empty mask costs the
    largest error at eps = 0. For one pixel it is the hinge loss. Class indices become one
    mask per class.

    Parameters
    ----------
    eps : float, default=0.0
        Added to intersection and union; >= 0. It spreads the cost of an empty
        mask over about ``eps`` pixels instead of only the worst.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`; ``batch=False`` is "per image".

    Notes
    -----
    The sums run along sorted pixels, which on CUDA is not bit-reproducible and
    not allowed in torch's deterministic mode.

    References
    ----------
    M. Berman, A. R. Triki, M. B. Blaschko, "The Lovász-softmax loss: A tractable
    surrogate for the optimization of the intersection-over-union measure in
    neural networks", CVPR 2018. https://arxiv.org/abs/1705.08790

    J. Yu, M. B. Blaschko, "Learning submodular losses with the Lovász hinge",
    ICML 2015. https://proceedings.mlr.press/v37/yub15.html

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LovaszHingeLoss
    >>> logits = torch.tensor([[[2.0, 0.5, -0.5, -2.0]]])
    >>> LovaszHingeLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.8333)
    """

    form = "sigmoid"
    search_space = {"batch": [False, True]}

    def errors(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        t = inputs.target
        return (1 - inputs.logits * (2 * t - 1)).relu(), t


class LovaszSoftmaxLoss(_LovaszLoss):
    r"""Lovász extension of one minus the IoU, at the errors of probabilities.

    Optimizes the IoU of each class over whole images. The authors pretrain
    with a cross entropy. ::

        l_c = sum_i m_i (J_i - J_{i-1}),   m = |t_c - p_c| sorted in descending order

    where

    - p_c: softmax probability of class c, or a channel's sigmoid; t_c: 0 or 1
    - J_i: Jaccard loss of the mask in which the i worst pixels are wrong

    Domain: l in [0, 1]; at probabilities of 0 and 1 it is one minus the IoU
    exactly. Bounded, so its gradient fades on confident mistakes. Absent classes
    are included; the authors leave them out.

    Parameters
    ----------
    eps : float, default=0.0
        Added to intersection and union; >= 0. It spreads the cost of an empty
        mask over about ``eps`` pixels instead of only the worst.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`; ``batch=False`` is "per image".

    Notes
    -----
    The sums run along sorted pixels, which on CUDA is not bit-reproducible and
    not allowed in torch's deterministic mode.

    References
    ----------
    M. Berman, A. R. Triki, M. B. Blaschko, "The Lovász-softmax loss: A tractable
    surrogate for the optimization of the intersection-over-union measure in
    neural networks", CVPR 2018. https://arxiv.org/abs/1705.08790

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LovaszSoftmaxLoss
    >>> logits = torch.tensor([[[2.0, 0.5, -0.5, -2.0]]])
    >>> LovaszSoftmaxLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.4139)
    """

    search_space = {"batch": [False, True]}

    def errors(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        if inputs.softmax:
            p, t = inputs.logits.softmax(1), inputs.one_hot()
        else:
            p, t = inputs.logits.sigmoid(), inputs.target
        return (t - p).abs(), t


def _pixels_last(values: Tensor) -> Tensor:
    """Flatten the spatial axes: (n, C, *spatial) -> (n, C, pixels)."""
    return values.flatten(2) if values.ndim > 2 else values.unsqueeze(2)


def lovasz_extension(
    errors: Tensor, t: Tensor, weight: Tensor, eps: float | Tensor = 0.0
) -> Tensor:
    """Return the Lovász extension of the Jaccard loss over the last axis.

    Parameters
    ----------
    errors : Tensor of shape (..., n)
        Not negative.
    t : Tensor of shape (..., n)
        Targets in [0, 1].
    weight : Tensor of shape (..., n)
        Weight of each element; 0 leaves it out.
    eps : float, default=0.0
        Number of positive pixels to add that are always right.
    """
    errors, order = errors.sort(dim=-1, descending=True)
    missed = (weight * t).gather(-1, order)
    added = (weight * (1 - t)).gather(-1, order)
    positive, negative = missed.cumsum(-1), added.cumsum(-1)
    # Of the mask and of one in which the pixels up to each are wrong.
    intersection = positive[..., -1:] - positive + eps
    union = positive[..., -1:] + negative + eps
    # J_i - J_{i-1}; computed as a difference it would lose precision in large images.
    iou_before = soft_ratio(intersection + missed, union - added, 0.0)
    step = ratio(missed + added * iou_before, union)
    return (errors * step).sum(-1)
