"""Losses whose arguments are named in the order of Keras and scikit-learn: target first."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

_TARGETS = {
    "actual",
    "ground_truth",
    "gt",
    "label",
    "labels",
    "mask",
    "masks",
    "target",
    "targets",
    "true",
    "truth",
    "y_true",
    "ytrue",
}
_PREDICTIONS = {
    "input",
    "inputs",
    "logit",
    "logits",
    "out",
    "output",
    "outputs",
    "pred",
    "prediction",
    "predictions",
    "preds",
    "prob",
    "probs",
    "score",
    "scores",
    "y_hat",
    "y_pred",
    "yhat",
    "ypred",
}


def refuse_target_first(loss: Any) -> None:
    """Raise a ValueError for a loss whose first argument is by its name the target.

    ``y`` is the target in ``(y, y_pred)``, but the prediction in ``(y, t)``.
    """
    names = _first_two(loss)
    if len(names) < 2:
        return
    first, second = (name.lower() for name in names)
    certain = first in _TARGETS and second not in _TARGETS
    if certain or (first in ("y", "t") and second in _PREDICTIONS):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ValueError(
            f"The arguments of {name} are ({', '.join(names)}), but a loss is called as "
            f"loss(logits, target), in torch's order. Exchange the two, or wrap it: "
            f"def my_loss(logits, target): return {name}(target, logits)"
        )


def _first_two(loss: Any) -> list[str]:
    function = loss.forward if isinstance(loss, nn.Module) else loss
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters[:2] if p.kind in kinds]
