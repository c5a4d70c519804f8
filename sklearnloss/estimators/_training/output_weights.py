"""The weights of a network's outputs in the loss."""

from __future__ import annotations

import math
import numbers
from typing import Any

import torch
from torch import Tensor, nn

from ...losses import Penalty
from ...networks._adapt.adapted import n_outputs_in_training
from .criterion import Criterion
from .gradient_check import weighted_data_terms


def read_output_weights(estimator: Any, module: nn.Module) -> tuple[float, ...]:
    """Return a weight for each tensor of scores that a network returns in training.

    Parameters
    ----------
    estimator : ImageEstimator
        It may have ``output_weights``.
    module : nn.Module
        Its network.

    Raises
    ------
    ValueError
        If their number is wrong, or a weight is invalid.
    """
    number = n_outputs_in_training(module)
    given = getattr(estimator, "output_weights", None)
    if given is None:
        return tuple(0.5**k for k in range(number))
    weights = tuple(given)
    if len(weights) != number or not all(map(_is_weight, weights)):
        raise ValueError(
            f"output_weights={given!r}. Expected {number} nonnegative number{'s' * (number > 1)}, "
            f"one for each output of the network in training."
        )
    if not any(weights):
        raise ValueError(f"output_weights={given!r} are all 0: nothing would be learned.")
    return tuple(map(float, weights))


def _is_weight(value: Any) -> bool:
    return isinstance(value, numbers.Real) and 0 <= float(value) < math.inf


class OutputsLoss:
    """The weighted sum of the losses of several outputs, with penalties counted once.

    Parameters
    ----------
    criterion : Criterion
        The loss of one output.
    weights : tuple of float
        The weights of the outputs.
    """

    def __init__(self, criterion: Criterion, weights: tuple[float, ...]) -> None:
        self.criterion = criterion
        self.weights = weights
        terms = list(weighted_data_terms(criterion.loss))
        whole = not any(isinstance(part, Penalty) for part in criterion.modules())
        # The parts of the loss that depend on the data, None if that is the whole loss.
        self.parts = None if whole else [(Criterion(t, criterion.masks), f) for t, f in terms]

    def __call__(self, outputs: list[Tensor], codes: Tensor, weight: Tensor | None) -> Tensor:
        """Return the loss of a batch, a scalar."""
        first, *others = outputs
        value: Tensor = self.criterion(first, codes, weight)
        share, *shares = self.weights
        if share != 1 and self.parts is None:
            value = share * value
        elif share != 1:
            value = value + (share - 1) * self._data_loss(first, codes, weight)
        for scores, share in zip(others, shares, strict=True):
            if share:
                value = value + share * self._data_loss(scores, codes, weight)
        return value

    def _data_loss(self, scores: Tensor, codes: Tensor, weight: Tensor | None) -> Tensor:
        if self.parts is None:
            value: Tensor = self.criterion(scores, codes, weight)
            return value
        values = [factor * part(scores, codes, weight) for part, factor in self.parts]
        return torch.stack(values).sum()
