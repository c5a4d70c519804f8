"""Cross entropy over competing classes, plain and smoothed."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ._core.base import Reduction
from ._core.class_weight import ClassWeight, class_vector, per_channel
from ._core.closed_form import as_number
from ._core.closed_form_pixel import ClosedForm, CrossEntropy
from ._core.inputs import Inputs
from ._core.label import LabelLoss


class CrossEntropyLoss(LabelLoss):
    r"""Cross entropy of the softmax, the standard loss of classification.

    The negative log-likelihood: consistent, well calibrated, and the baseline for
    other losses. It learns rare classes slowly. ::

        l = -sum_c w_c q_c log p_c,    p = softmax(z),    q = (1 - s) t + s / C

    where

    - z: C logits; t: one-hot label, or class probabilities; s: ``label_smoothing``
    - w_c: ``class_weight``; a mean divides by the sum of the labels' weights w_y

    Domain: l >= 0, unbounded as p_y -> 0; the gradient p - q never vanishes on a
    confident mistake. Equals ``FocalLoss(gamma=0, alpha=None)``,
    ``LabelSmoothingCrossEntropy(eps=s)`` and, for two classes, the binary cross
    entropy of z_1 - z_0. One channel scores (0, z). A class whose logit is -inf
    has probability 0 and gradient 0. For weighted class *probabilities* torch
    divides by the number of elements; this loss divides by sum_c w_c t_c, so that
    one-hot probabilities are equivalent to class indices.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    label_smoothing : float, default=0.0
        s, in [0, 1]: how much of the label is spread over all classes.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        w_c, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    D. R. Cox, "The regression analysis of binary sequences", Journal of the
    Royal Statistical Society B 20, 1958. https://www.jstor.org/stable/2983890

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import CrossEntropyLoss
    >>> logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> CrossEntropyLoss()(logits, torch.tensor([0, 1]))
    tensor(0.3955)
    """

    search_space = {"label_smoothing": (0.0, 0.2)}
    _intervals = {"label_smoothing": "[0, 1]"}

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        label_smoothing: float = 0.0,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.label_smoothing = label_smoothing
        super().__init__(reduction, class_weight=class_weight, ignore_index=ignore_index)

    def values(self, inputs: Inputs) -> Tensor:
        z, smoothing = inputs.logits, self.label_smoothing
        if self._has_labels_alone(inputs):
            return F.cross_entropy(z, inputs.target, reduction="none")
        nll = -z.log_softmax(1)  # (n, C, *spatial)
        if self.class_weight is not None:
            nll = nll * per_channel(self.class_weight, z, "class_weight", some_positive=True)
        values = inputs.at_label(nll)
        if isinstance(smoothing, Tensor) or smoothing > 0:
            values = (1 - smoothing) * values + smoothing * nll.mean(1)
        return values

    def _has_labels_alone(self, inputs: Inputs) -> bool:
        """Return whether torch's own call will do: one backward node instead of four."""
        # For pixels it is not deterministic on a GPU.
        indices = inputs.logits.ndim == 2 and not inputs.target.is_floating_point()
        return indices and self.class_weight is None and as_number(self.label_smoothing) == 0

    def _closed_form(self, inputs: Inputs) -> ClosedForm | None:
        smoothing = as_number(self.label_smoothing)
        if smoothing is None or self.class_weight is None:
            return None if smoothing is None else CrossEntropy(smoothing, None)
        if smoothing != 0 or inputs.target.is_floating_point():
            return None
        z = inputs.logits
        weight = class_vector(self.class_weight, z.shape[1], z, "class_weight", some_positive=True)
        return None if weight.requires_grad else CrossEntropy(0.0, weight)


class LabelSmoothingCrossEntropy(CrossEntropyLoss):
    r"""Cross entropy with labels softened toward the uniform distribution.

    Keeps a network from becoming overconfident: often slightly more accurate,
    better calibrated, and more robust to wrong labels. ::

        l = -(1 - eps) w_y log p_y - eps / C sum_c w_c log p_c

    where

    - p = softmax(z), y: the label, C: the number of classes
    - w_c: ``class_weight``; a mean divides by the sum of the labels' weights w_y

    Domain: l >= 0, with its minimum above 0 at p_y = 1 - eps + eps / C. ``eps=0``
    is :class:`CrossEntropyLoss`; ``CrossEntropyLoss(label_smoothing=eps)`` is
    this loss; ``eps=1`` ignores the label. A class excluded by a logit of -inf
    makes the loss practically infinite, since smoothing gives it some mass.

    Parameters
    ----------
    eps : float, default=0.1
        The mass that is spread over all classes, in [0, 1].
    reduction : {"mean", "sum", "none", "sample"}, default="mean"
        See :class:`PixelLoss`.
    class_weight : float, sequence, dict or Tensor of shape (n_classes,), default=None
        w_c, >= 0.
    ignore_index : int, default=-100
        Label of ignored elements.

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer
    vision", CVPR 2016. https://arxiv.org/abs/1512.00567

    R. Müller, S. Kornblith, G. Hinton, "When does label smoothing help?",
    NeurIPS 2019. https://arxiv.org/abs/1906.02629

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import LabelSmoothingCrossEntropy
    >>> logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> LabelSmoothingCrossEntropy(eps=0.1)(logits, torch.tensor([0, 1]))
    tensor(0.4955)
    """

    search_space = {"eps": (0.0, 0.3)}
    _intervals = {"eps": "[0, 1]"}

    def __init__(
        self,
        eps: float = 0.1,
        reduction: Reduction = "mean",
        *,
        class_weight: ClassWeight | None = None,
        ignore_index: int | None = -100,
    ) -> None:
        self.eps = eps
        LabelLoss.__init__(self, reduction, class_weight=class_weight, ignore_index=ignore_index)

    @property
    def label_smoothing(self) -> float:  # type: ignore[override]
        """The name of ``eps`` in :class:`CrossEntropyLoss`."""
        return self.eps
