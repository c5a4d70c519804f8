"""Soft counts: the entries of a confusion matrix for probabilities."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor


class SoftCounts(NamedTuple):
    """Soft counts of shape (n, C), the entries of a confusion matrix for masks.

    Soft targets are counted as in Z. Wang et al., "Dice semimetric losses: Optimizing
    the Dice score with soft labels", MICCAI 2023 (https://arxiv.org/abs/2303.16296):
    only a prediction that equals it has neither false positives nor misses.

    Attributes
    ----------
    tp : Tensor
        True positives, sum min(p, t): sum p t where t is 0 or 1.
    p : Tensor
        Predicted positives, sum p.
    t : Tensor
        Actual positives, sum t.
    n : Tensor
        Number of valid pixels.
    """

    tp: Tensor
    p: Tensor
    t: Tensor
    n: Tensor

    @property
    def fp(self) -> Tensor:
        """False positives, sum max(p - t, 0): sum p (1 - t) where t is 0 or 1."""
        return self.p - self.tp

    @property
    def fn(self) -> Tensor:
        """False negatives, sum max(t - p, 0): sum (1 - p) t where t is 0 or 1."""
        return self.t - self.tp

    @property
    def tn(self) -> Tensor:
        """True negatives, sum min(1 - p, 1 - t)."""
        return self.n - self.p - self.fn

    def of_background(self) -> SoftCounts:
        """Return the counts of 1 - p and 1 - t."""
        return SoftCounts(self.tn, self.n - self.p, self.n - self.t, self.n)

    def with_background(self) -> SoftCounts:
        """Return the counts of both classes for one channel, (n, 2)."""
        other = self.of_background()
        return SoftCounts(
            tp=torch.cat([other.tp, self.tp], 1),
            p=torch.cat([other.p, self.p], 1),
            t=torch.cat([other.t, self.t], 1),
            n=torch.cat([other.n, self.n], 1),
        )


Ratio: TypeAlias = Callable[[SoftCounts], tuple[Tensor, Tensor]]
Slopes: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


def soft_slopes(ratio: Ratio) -> Slopes | None:
    """Return the derivatives by TP and by sum p of a and b, where a, b = ratio(counts) is linear.

    None if they are not plain numbers, because a hyperparameter is a tensor.
    """
    numbers_too: Any = SoftCounts
    by_tp: Any = ratio(numbers_too(1.0, 0.0, 0.0, 0.0))
    by_p: Any = ratio(numbers_too(0.0, 1.0, 0.0, 0.0))
    if not all(isinstance(slope, numbers.Real) for slope in (*by_tp, *by_p)):
        return None
    return by_tp, by_p
