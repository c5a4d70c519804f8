"""Region losses of other sums over the pixels than soft counts."""

from __future__ import annotations

from torch import Tensor

from .inputs import Inputs
from .region import RegionLoss


class SumsLoss(RegionLoss):
    """Base class of region losses that are functions of sums over the pixels.

    A sub-class returns its sums from :meth:`sums`, so that ``batch=True`` can
    add them up over the samples, and writes its formula in :meth:`of_sums`.
    """

    _of_soft_counts = False

    def sums(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return sums over the pixels of each sample and class, all of shape (n, C)."""
        raise NotImplementedError

    def of_sums(self, sums: tuple[Tensor, ...], softmax: bool) -> Tensor:
        """Return the loss of each sample and class from its sums, (n, C)."""
        raise NotImplementedError

    def _sample_values(self, inputs: Inputs) -> Tensor:
        return self._class_mean(self.of_sums(self.sums(inputs), inputs.softmax))

    def _pooled_value(self, inputs: Inputs, weight: Tensor) -> Tensor:
        weight = weight.unsqueeze(1)
        pooled = tuple((weight * each).sum(0, keepdim=True) for each in self.sums(inputs))
        return self._class_mean(self.of_sums(pooled, inputs.softmax)).sum()
