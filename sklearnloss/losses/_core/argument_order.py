"""Losses whose arguments are named in the order of Keras and scikit-learn: target first."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

from torch import nn

from .known_losses import bare

# Words in argument names.
_TARGETS = {
    *("actual", "annotation", "annotations", "expected", "ground", "groundtruth", "gt", "gts"),
    *("label", "labels", "lbl", "lbls", "mask", "masks", "observed", "real", "ref", "reference"),
    *("targ", "target", "targets", "targs", "tgt", "true", "trues", "truth", "yt", "ytrue"),
}
_PREDICTIONS = {
    *("estimate", "estimated", "fake", "hat", "input", "inputs", "logit", "logits", "out"),
    *("output", "outputs", "outs", "pr", "prd", "pred", "predicted", "prediction", "predictions"),
    *("preds", "prob", "probability", "probabilities", "probs", "score", "scores"),
    *("yhat", "yp", "ypred"),
}
# Suffixes that mark an ambiguous name as the target.
_AFTER = {"y": ("prediction", "p"), "t": ("prediction", "p", "x", "y", "z")}


def refuse_target_first(loss: Any) -> None:
    """Raise a ValueError for a loss whose first argument is, by its name, the target.

    ``y`` is the target in ``(y, y_pred)``, but the prediction in ``(y, t)``.
    """
    names = _first_two(loss)
    if len(names) < 2:
        return
    first, second = map(_role, names)
    certain = first == "target" and second != "target"
    if certain or second in _AFTER.get(first, ()):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ValueError(
            f"The arguments of {name} are ({', '.join(names)}), but a loss is called as "
            f"loss(logits, target), in torch's order. Swap the two, or wrap it: "
            f"def my_loss(logits, target): return {name}(target, logits)"
        )


def _role(name: str) -> str:
    """Return "target", "prediction" or, if no word of the name decides, the name itself.

    "pred_mask" is a prediction, "mask_true" a target; "y_p" is "p", "y_t" a target.
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if _PREDICTIONS & {*words}:
        return "prediction"
    if _TARGETS & {*words} or words == ["y", "t"]:
        return "target"
    return "p" if words == ["y", "p"] else "_".join(words)


def _first_two(loss: Any) -> list[str]:
    function = loss if isinstance(loss, functools.partial) else bare(loss)
    if isinstance(function, nn.Module):
        function = function.forward
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters[:2] if p.kind in kinds]
