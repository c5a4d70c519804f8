"""Soft center-line Dice loss."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.inputs import Inputs
from ._core.region import RegionLoss, pooled, soft_masks, soft_ratio, sum_spatial

_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


class SoftClDiceLoss(RegionLoss):
    r"""One minus the Dice of center lines: favors connected vessels, roads and nerves.

    For tubular structures, and never alone: a completely filled mask has no center
    line and thus no error. Add it to a region loss, with up to the
    same weight: ``DiceLoss() + 0.5 * SoftClDiceLoss()``. ::

        l = 1 - 2 P S / (P + S),  P = (sum min(s(p), t) + eps) / (sum s(p) + eps)
                                  S = (sum min(s(t), p) + eps) / (sum s(t) + eps)

    where, over the pixels of one sample and one class,

    - s(.): soft skeleton, by repeated min- and max-pooling
    - P: precision and S: sensitivity of the topology

    Domain: l in [0, 1); 0 for a perfect mask, and about 0 for a full one whatever
    the target. Bounded, so its gradient fades on confident mistakes. The width of
    a structure hardly matters; ``include_background=False`` leaves out the
    background, whose center line means little.

    Parameters
    ----------
    iterations : int, default=3
        Erosions of the skeleton, at most 1000; at least half the largest width in pixels.
    eps : float, default=1e-6
        Added to numerators and denominators; >= 0.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`. Needs one to three spatial axes.

    Notes
    -----
    Costs about four pooling operations per erosion of prediction and target: with 3
    erosions, about a hundred times as much as the Dice loss on a CPU.

    References
    ----------
    S. Shit et al., "clDice: A novel topology-preserving loss function for tubular
    structure segmentation", CVPR 2021. https://arxiv.org/abs/2003.07311

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import SoftClDiceLoss
    >>> target = torch.zeros(1, 1, 8, 8)
    >>> target[..., 3:5, :] = 1
    >>> SoftClDiceLoss()(6 * (2 * target - 1), target)
    tensor(0.0012)
    """

    search_space = {"iterations": (3, 20), "eps": (1e-6, 1.0, "log")}
    _intervals = {"iterations": "[0, 1000]", "eps": "[0, inf)"}

    def __init__(
        self,
        iterations: int = 3,
        eps: float = 1e-6,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.iterations = iterations
        self._store(eps, batch, include_background, class_weight, ignore_index, reduction)

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        p, t, _ = soft_masks(inputs)
        if p.ndim - 2 not in _POOLS:
            raise ValueError(
                f"SoftClDiceLoss needs one to three spatial axes, got logits of shape "
                f"{tuple(p.shape)}."
            )
        line_p, line_t = self._skeleton(p), self._skeleton(t)
        pairs = ((line_p, t), (line_t, p))
        # For hard masks the minimum is the product; for soft ones the loss is lowest at p = t.
        inside_p, inside_t = (torch.minimum(line, mask) for line, mask in pairs)
        sums = tuple(map(sum_spatial, (inside_p, line_p, inside_t, line_t)))
        inside_p, line_p, inside_t, line_t = pooled(sums, pool)
        precision = soft_ratio(inside_p, line_p, self.eps)
        sensitivity = soft_ratio(inside_t, line_t, self.eps)
        both = soft_ratio(2 * precision * sensitivity, precision + sensitivity, 0.0)
        return self._class_mean(1 - both)

    def _check_params(self) -> None:
        super()._check_params()
        if not isinstance(self.iterations, numbers.Integral):
            raise ValueError(
                f"SoftClDiceLoss: iterations={self.iterations!r} is not a whole number."
            )

    def _skeleton(self, mask: Tensor) -> Tensor:
        """Collect what opening removes, erosion by erosion."""
        if mask.numel() == 0:  # torch's pooling does not accept it
            return mask
        skeleton = (mask - _dilate(_erode(mask))).relu()
        # After as many erosions as there are steps across the image, no more is removed.
        for _ in range(min(self.iterations, sum(mask.shape[2:]))):
            mask = _erode(mask)
            ridge = (mask - _dilate(_erode(mask))).relu()
            skeleton = skeleton + (ridge - skeleton * ridge).relu()
        return skeleton


def _dilate(mask: Tensor) -> Tensor:
    n_axes = mask.ndim - 2
    grown: Tensor = _POOLS[n_axes](mask, 3, stride=1, padding=1)
    return grown


def _erode(mask: Tensor) -> Tensor:
    """Take the minimum along each axis in turn: a cross, not a square."""
    n_axes = mask.ndim - 2
    eroded = None
    for axis in range(n_axes):
        width = [3 if k == axis else 1 for k in range(n_axes)]
        padding = [w // 2 for w in width]
        along = -_POOLS[n_axes](-mask, width, stride=1, padding=padding)
        eroded = along if eroded is None else torch.minimum(eroded, along)
    assert eroded is not None
    return eroded
