"""The terms of a loss: the losses on the data in a sum, without penalties."""

from __future__ import annotations

from .compound import CompoundLoss
from .foreign import AnyLoss
from .penalty import Penalty


def data_terms(loss: AnyLoss) -> list[AnyLoss]:
    """Return the losses on the data in a loss: all terms except penalties."""
    if isinstance(loss, CompoundLoss):
        return [term for member in loss.members for term in data_terms(member.loss)]
    return [] if isinstance(loss, Penalty) else [loss]
