"""Losses that depend on how often each class occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from torch import Tensor, nn

from .class_weight import class_vector
from .inputs import Inputs
from .label import LabelLoss

ClassCounts = Literal["auto"] | Sequence[float] | Tensor


class ClassCountsLoss(LabelLoss):
    """Base class of label losses whose ``class_counts="auto"`` is filled in by ``bind``."""

    class_counts: ClassCounts
    _bound_counts: Tensor | None = None

    def bind(self, module: nn.Module, class_counts: Tensor | None = None) -> Self:
        if class_counts is not None:
            self._bound_counts = class_counts
        return self

    def _counts(self, inputs: Inputs) -> Tensor:
        """Return the counts, at least 1, of shape (n_classes, 1, ...)."""
        counts = self._bound_counts if isinstance(self.class_counts, str) else self.class_counts
        name = type(self).__name__
        if counts is None:
            raise RuntimeError(
                f"{name} does not know how often each class occurs. An estimator's fit sets this; "
                f"elsewhere pass class_counts=[...] or call loss.bind(network, class_counts)."
            )
        z = inputs.logits
        vector = class_vector(counts, z.shape[1], z, f"{name}: class_counts")
        return vector.clamp(min=1).reshape(-1, *[1] * (z.ndim - 2))

    def _check_params(self) -> None:
        super()._check_params()
        if isinstance(self.class_counts, str) and self.class_counts != "auto":
            raise ValueError(
                f"{type(self).__name__}: class_counts={self.class_counts!r} is unknown. Expected "
                f"'auto' or one number per class."
            )

    def of_log_p(self, log_p: Tensor) -> Tensor:
        return -log_p
