"""Losses that are not ours: torch modules, other libraries' losses and functions."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ._base import Form, Loss
from ._cross_entropy import CrossEntropyLoss
from ._pixel import ratio, sum_per_sample

# Losses over competing classes, which need C >= 2 channels and class indices.
_SOFTMAX_LOSSES = {
    "torch": {"CrossEntropyLoss", "MultiMarginLoss", "cross_entropy", "multi_margin_loss"},
    "kornia": {
        "DiceLoss",
        "FocalLoss",
        "LovaszSoftmaxLoss",
        "TverskyLoss",
        "dice_loss",
        "focal_loss",
        "lovasz_softmax_loss",
        "tversky_loss",
    },
    "timm": {"AsymmetricLossSingleLabel", "JsdCrossEntropy", "LabelSmoothingCrossEntropy"},
}
# Losses that expect probabilities, and what to use in their place.
_PROBABILITY_LOSSES = {
    "NLLLoss": "nn.CrossEntropyLoss or 'cross_entropy'",
    "nll_loss": "F.cross_entropy or 'cross_entropy'",
    "BCELoss": "nn.BCEWithLogitsLoss or 'bce'",
    "binary_cross_entropy": "F.binary_cross_entropy_with_logits or 'bce'",
}

AnyLoss = Loss | nn.Module | Callable[..., Tensor]


def loss_form(loss: AnyLoss) -> Form:
    """Tell whether a loss has only a softmax form, only a sigmoid form, or both."""
    if isinstance(loss, Loss):
        return loss.form
    for package, name in _origins(loss):
        if name in _SOFTMAX_LOSSES.get(package, ()):
            return "softmax"
    return "any"


def refuse_probability_loss(loss: AnyLoss) -> None:
    """Raise a ValueError for torch's losses on probabilities: networks give logits."""
    for package, name in _origins(loss):
        if package == "torch" and name in _PROBABILITY_LOSSES:
            raise ValueError(
                f"{name} expects probabilities, but losses are given raw scores (logits). "
                f"Use {_PROBABILITY_LOSSES[name]}."
            )


def _origins(loss: AnyLoss) -> list[tuple[str, str]]:
    """Return (package, name) of a function, or of a loss's class and its bases."""
    if isinstance(loss, functools.partial):
        loss = loss.func
    if inspect.isroutine(loss):
        return [((loss.__module__ or "").partition(".")[0], loss.__name__)]
    cls = loss if isinstance(loss, type) else type(loss)
    return [(base.__module__.partition(".")[0], base.__name__) for base in cls.__mro__]


def call_loss(
    loss: AnyLoss, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
) -> Tensor:
    """Call any loss, weighing the samples also where it cannot do so itself.

    Raises
    ------
    ValueError
        If samples are to be weighed, but the loss returns one number for the
        whole batch; or if it returns no tensor, or one of a wrong shape.
    """
    if sample_weight is None:
        return _checked(loss(logits, target), loss, logits)
    if isinstance(loss, Loss) or accepts(loss, "sample_weight"):
        return _checked(loss(logits, target, sample_weight=sample_weight), loss, logits)
    if type(loss) is nn.CrossEntropyLoss and loss.reduction == "mean":
        return _as_ours(loss).forward(logits, target, sample_weight)
    values = _checked(_unreduced(loss)(logits, target), loss, logits)
    if values.ndim == 0:
        raise ValueError(
            f"sample_weight was given, but {_name(loss)} returns a tensor of shape "
            f"{tuple(values.shape)} for {logits.shape[0]} samples. Let it return one value per "
            f"sample, or accept sample_weight."
        )
    if _reduction(loss) == "sum":
        return (sum_per_sample(values) * sample_weight.to(values.dtype)).sum()
    return weighted_mean(values, sample_weight)


def _checked(value: Any, loss: AnyLoss, logits: Tensor) -> Tensor:
    """Return what a loss returned, as a scalar or as values (n, ...)."""
    if isinstance(value, Tensor):
        if value.ndim == 0 or value.shape[0] == logits.shape[0]:
            return value
        if value.numel() == 1:
            return value.reshape(())
        what = f"a tensor of shape {tuple(value.shape)}"
    else:
        what = "None" if value is None else f"a {type(value).__name__}, {value!r},"
    raise ValueError(
        f"The loss {_name(loss)} returns {what} for logits of shape {tuple(logits.shape)}. "
        f"Expected a tensor: one number, or a value for each of the {len(logits)} samples."
    )


def _as_ours(loss: nn.CrossEntropyLoss) -> CrossEntropyLoss:
    """Return our cross entropy, whose weighted mean leaves out what is ignored too."""
    return CrossEntropyLoss(
        label_smoothing=loss.label_smoothing,
        class_weight=loss.weight,
        ignore_index=loss.ignore_index,
    )


def weighted_mean(values: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Reduce values (n, ...) to the mean over samples, in a weighted sense."""
    if sample_weight is None:
        return values.mean()
    per_sample = sum_per_sample(values) / max(values[:1].numel(), 1)
    weight = sample_weight.to(per_sample.dtype)
    return ratio((per_sample * weight).sum(), weight.sum())


def accepts(loss: AnyLoss, parameter: str) -> bool:
    """Tell whether a loss can be called with a keyword argument of this name."""
    function = loss.forward if isinstance(loss, nn.Module) else loss
    try:
        return parameter in inspect.signature(function).parameters
    except ValueError:  # written in C
        return False


def function_params(loss: AnyLoss) -> dict[str, Any]:
    """Return the parameters of a function after its first two, as far as they have values."""
    if isinstance(loss, (nn.Module, type)):
        return {}
    try:
        parameters = list(inspect.signature(loss).parameters.values())[2:]
    except ValueError:  # written in C
        return {}
    return {
        p.name: p.default
        for p in parameters
        if p.default is not inspect.Parameter.empty and p.name != "sample_weight"
    }


def _reduction(loss: AnyLoss) -> Any:
    """Return how a loss reduces the values of its samples, as far as it says so."""
    return getattr(loss, "reduction", None) or function_params(loss).get("reduction")


def _unreduced(loss: AnyLoss) -> Callable[..., Tensor]:
    """Return the loss with a value per sample where it has a switch for it."""
    if isinstance(getattr(loss, "reduction", None), str):
        loss = copy.copy(loss)  # the user's own object stays as it is
        loss.reduction = "none"  # type: ignore[union-attr]
    elif accepts(loss, "reduction"):
        return functools.partial(loss, reduction="none")
    return loss


def _name(loss: AnyLoss) -> str:
    return getattr(loss, "__name__", type(loss).__name__)
