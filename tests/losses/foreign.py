"""What is made of a loss that is not built in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from sklearnloss import UNetSegmenter
from sklearnloss.losses import CompoundLoss


def value_of(loss: Any, z: Tensor, t: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """Return the value of a sum of this loss alone."""
    value: Tensor = CompoundLoss([loss])(z, t, sample_weight)
    return value


def form_of(loss: Any) -> str:
    """Return the form of a sum of this loss alone."""
    return CompoundLoss([loss]).form


def accept(loss: Any) -> None:
    """Give a segmenter a loss; raise what it is refused with, but do not train."""
    X = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    model = UNetSegmenter(loss, width=1, depth=1, weights="not_there.pt")
    with pytest.raises(FileNotFoundError, match="not_there"):  # read after the loss
        model.fit(X, (X > 0).astype(int))
