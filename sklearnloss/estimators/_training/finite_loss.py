"""A check that the loss stays finite during training."""

from __future__ import annotations

import math
from typing import Any


def require_finite(net: Any, value: float, *, first: bool) -> None:
    """Raise a FloatingPointError if the loss is infinite or NaN.

    Parameters
    ----------
    net : LossNet
        The net in training.
    value : float
        The loss of a batch.
    first : bool
        Whether it is the first training batch of its epoch.
    """
    if math.isfinite(value):
        return
    lr = net.optimizer_.param_groups[0]["lr"]
    advice = "Try a smaller lr, or clip_norm=1.0."
    if first and len(net.history) == 1:
        advice = (
            "No step has been made yet, so a smaller lr does not help: check the images for "
            "extreme values, and the loss and its weights, for instance with check_loss."
        )
    raise FloatingPointError(
        f"The loss became {value} in epoch {len(net.history)} (lr={lr:.3g}, "
        f"loss={net.criterion_.loss!r}). {advice}"
    )
