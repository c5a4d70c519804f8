"""Boundary loss."""

from __future__ import annotations

from torch import Tensor

from ._core.base import Reduction
from ._core.class_weight import ClassWeight
from ._core.distance_maps import Spacing, distances, pixel_mean
from ._core.inputs import Inputs
from ._core.region import RegionLoss, soft_masks


class BoundaryLoss(RegionLoss):
    r"""Mean signed distance to the true boundary over the predicted region.

    Penalizes a wrong pixel by its distance to the boundary. Add it to a region loss
    with a small, growing weight: ``DiceLoss() + 0.01 * BoundaryLoss()``. ::

        l = sum p phi / sum 1

    where, over the valid pixels of one sample and one class,

    - p: sigmoid or softmax probability
    - phi: distance to the true region outside of it; inside, minus the distance
      to its outside plus one pixel; 0 everywhere for empty and full masks

    Domain: negative for a good prediction, lowest for a perfect one, unbounded
    above with the image's size; linear in p. Bounded in the logits, so its
    gradient fades on confident mistakes.

    Parameters
    ----------
    spacing : float or sequence of float, default=None
        Size of a pixel along each axis; None for 1.
    batch, include_background, class_weight, ignore_index, reduction
        See :class:`RegionLoss`. For the distances, ignored pixels are background.

    Notes
    -----
    The distances are computed with SciPy on the CPU, for each sample and class:
    about 20 ms for 512 x 512 pixels, and on CUDA a synchronization. They only
    depend on the target. Cannot be compiled or vmapped.

    References
    ----------
    H. Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL
    2019. https://arxiv.org/abs/1812.07032

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import BoundaryLoss
    >>> logits = torch.tensor([[[2.0, 2.0, -2.0, -2.0]]])
    >>> BoundaryLoss()(logits, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.3692)
    """

    _intervals = {}

    def __init__(
        self,
        spacing: Spacing = None,
        *,
        batch: bool = False,
        include_background: bool = True,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.spacing = spacing
        self._store(0.0, batch, include_background, class_weight, ignore_index, reduction)

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        p, t, mask = soft_masks(inputs)
        inside, outside = distances(t.detach() > 0.5, self.spacing)
        # The innermost and the outermost pixels of the region have phi = 0 and 1.
        phi = outside - (inside - 1).clamp(min=0)
        return self._class_mean(pixel_mean(p * phi, mask, pool))
