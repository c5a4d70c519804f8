"""Multiclass hinge loss of Weston and Watkins."""

from __future__ import annotations

from torch import Tensor

from ._core.inputs import Inputs
from ._core.transfer import as_like
from ._hinge import MultiClassHingeLoss


class WestonWatkinsHingeLoss(MultiClassHingeLoss):
    r"""Weston-Watkins hinge: a margin to every wrong class, not only the closest.

    Learns from all classes at once, which helps if many are close. ::

        l = sum_{j != y} max(0, margin + z_j - z_y)^p / C

    where

    - z: C logits, y: the label
    - class probabilities t in place of a label give sum_c t_c l_c

    Domain: l >= 0, linear in a mistake, or with p = 2 quadratic, so its gradient
    never vanishes there; 0 once the label leads every class by the margin. It is torch's
    ``MultiMarginLoss``. For two classes it is half of
    :class:`MultiClassHingeLoss`; one channel scores (0, z). Its scores are not
    calibrated.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    margin : float, default=1.0
        Lead that the label must have, > 0.
    p : float, default=1
        Exponent, >= 1; 2 is the squared hinge.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    J. Weston, C. Watkins, "Support vector machines for multi-class pattern
    recognition", ESANN 1999.
    https://www.esann.org/sites/default/files/proceedings/legacy/es1999-461.pdf

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import WestonWatkinsHingeLoss
    >>> logits = torch.tensor([[2.0, 1.5, 1.0], [0.0, 1.0, 0.5]])
    >>> WestonWatkinsHingeLoss()(logits, torch.tensor([0, 1]))
    tensor(0.1667)
    """

    def values(self, inputs: Inputs) -> Tensor:
        z = inputs.logits
        if not inputs.target.is_floating_point():
            return self._of_label(z, inputs.at_label(z).unsqueeze(1))
        return inputs.over_labels(lambda c: self._of_label(z, z[:, c : c + 1]))

    def _of_label(self, z: Tensor, own: Tensor) -> Tensor:
        margin = as_like(self.margin, z)
        # The label itself adds the margin to the sum.
        total = ((z - own + margin).relu() ** self.p).sum(1) - margin**self.p
        return total / z.shape[1]
