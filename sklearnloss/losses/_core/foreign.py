"""Losses that are not ours: torch modules, other libraries' losses and functions."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..._utils.guides import OWN_LOSS
from ..._utils.text import describe, did_you_mean
from .base import FORMS, Form, Loss
from .inputs import one_hot
from .known_losses import bare, known_reading
from .pixel import ratio, sum_per_sample
from .torch_cross_entropy import mean_cross_entropy

AnyLoss = Loss | nn.Module | Callable[..., Tensor]

_PACKAGE = __name__.partition(".")[0] + "."
# Errors caused by a wrong shape or dtype, whose text can be extended.
_PLAIN_ERRORS = {AssertionError, IndexError, RuntimeError, TypeError, ValueError}


def _see() -> str:
    return f"See 'What a loss receives' in {OWN_LOSS}."


def loss_form(loss: AnyLoss) -> Form:
    """Return whether a loss has only a softmax form, only a sigmoid form, or both.

    An attribute ``form`` of a function, a module or a class declares it; otherwise
    losses of torch and other known libraries are recognized.

    Raises
    ------
    ValueError
        If the attribute has any other value.
    """
    declared = _declared_form(loss)
    if declared is not None:
        return declared
    reading = known_reading(loss)
    return "any" if reading is None else reading.form


def _declared_form(loss: AnyLoss) -> Form | None:
    """Return the attribute ``form`` of a loss, or of what is inside it."""
    form = getattr(loss, "form", None)
    if isinstance(form, str):
        if form not in FORMS:
            raise ValueError(
                f"The loss {loss_name(loss)} has form={form!r}. Expected one of "
                f"{', '.join(map(repr, FORMS))}.{did_you_mean(form, FORMS)}"
            )
        return form
    inner = bare(loss)
    return None if inner is loss else _declared_form(inner)


def is_built_in(loss: AnyLoss) -> bool:
    """Return whether a loss is part of this package, and not a subclass written by a user."""
    return isinstance(loss, Loss) and type(loss).__module__.startswith(_PACKAGE)


def is_own(loss: AnyLoss) -> bool:
    """Return whether a user wrote the loss: it is neither built in nor from a known library."""
    return not is_built_in(loss) and known_reading(loss) is None


def call_loss(
    loss: AnyLoss, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
) -> Tensor:
    """Call any loss, weighting the samples even if it cannot do so itself.

    Losses of known libraries get class indices in the format that they expect.

    Raises
    ------
    ValueError
        If there are sample weights, but the loss returns one number for the whole
        batch; or if it does not return a tensor, or one of a wrong shape.
    """
    mean = None if target.is_floating_point() else mean_cross_entropy(loss)
    if mean is not None:
        keywords = {} if sample_weight is None else {"sample_weight": sample_weight}
        return _checked(_call(mean, loss, logits, target, **keywords), loss, logits)
    if sample_weight is None:
        return _checked(call(loss, logits, target), loss, logits)
    if isinstance(loss, Loss) or accepts(loss, "sample_weight"):
        return _checked(call(loss, logits, target, sample_weight=sample_weight), loss, logits)
    values = _checked(call(_unreduced(loss), logits, target), loss, logits)
    if values.ndim == 0:
        raise ValueError(
            f"sample_weight was passed, but {loss_name(loss)} returns a tensor of shape "
            f"{tuple(values.shape)} for {logits.shape[0]} samples. Let it return one value per "
            f"sample, as values.flatten(1).mean(1) does, or accept sample_weight as a third "
            f"argument. (An estimator's class_weight weights the samples, too.) {_see()}"
        )
    reduction = _reduction(loss)
    if reduction == "sum":
        return (sum_per_sample(values) * sample_weight.to(values.dtype)).sum()
    if reduction == "batchmean":
        values = sum_per_sample(values)
    return weighted_mean(values, sample_weight)


def call(loss: AnyLoss, logits: Tensor, target: Tensor, **keywords: Tensor) -> Any:
    """Call a loss; errors from a loss that is not built in show its arguments."""
    if is_built_in(loss):
        return loss(logits, target, **keywords)
    z, t, restore = _as_read(loss, logits, target)
    return restore(_call(loss, loss, z, t, **keywords))


def _call(
    function: Callable[..., Any], loss: AnyLoss, logits: Tensor, target: Tensor, **keywords: Tensor
) -> Any:
    """Call a function that computes a loss; errors name the loss."""
    if torch.compiler.is_compiling():
        return function(logits, target, **keywords)
    try:
        return function(logits, target, **keywords)
    except Exception as error:
        given = {"logits": logits, "target": target, **keywords}
        shapes = [f"{n} of shape {tuple(x.shape)} and dtype {x.dtype}" for n, x in given.items()]
        what = f"The loss {loss_name(loss)} failed on {', '.join(shapes)}"
        if type(error) in _PLAIN_ERRORS:
            reason = str(error).rstrip(".") or type(error).__name__
            raise type(error)(f"{what}: {reason}. {_see()}") from error
        error.add_note(f"{what}. {_see()}")
        raise


def _as_read(
    loss: AnyLoss, logits: Tensor, target: Tensor
) -> tuple[Tensor, Tensor, Callable[[Any], Any]]:
    """Return logits and target in the format of a known library's loss, and the inverse."""
    reading = known_reading(loss)
    if reading is None:
        return logits, target, _same
    n, n_classes, *spatial = logits.shape
    is_indices = list(target.shape) == [n, *spatial] and not target.is_floating_point()
    if reading.target == "no channel" and target.shape == logits.shape and n_classes == 1:
        target = target.squeeze(1)
    elif is_indices and n_classes > 1:
        if reading.target == "masks":
            target = one_hot(target, n_classes).to(logits.dtype)
        elif reading.target == "channel":
            target = target.unsqueeze(1)
    if not reading.channels_last or not spatial:
        return logits, target, _same
    if target.ndim == logits.ndim:
        target = target.movedim(1, -1).flatten(0, -2)
    else:
        target = target.flatten()
    return logits.movedim(1, -1).flatten(0, -2), target, functools.partial(_by_sample, n)


def _same(value: Any) -> Any:
    return value


def _by_sample(n: int, value: Any) -> Any:
    """Restore the sample axis of flattened pixel values."""
    return (
        value if not isinstance(value, Tensor) or value.ndim == 0 else value.unflatten(0, (n, -1))
    )


def _checked(value: Any, loss: AnyLoss, logits: Tensor) -> Tensor:
    """Check the value of a loss; return it as a scalar or as values (n, ...)."""
    if isinstance(value, Tensor):
        if value.ndim == 0 or value.shape[0] == logits.shape[0]:
            return value
        if value.numel() == 1:
            return value.reshape(())
        what = f"a tensor of shape {tuple(value.shape)}"
    else:
        what = "None" if value is None else f"a {type(value).__name__}, {value!r},"
    raise ValueError(
        f"The loss {loss_name(loss)} returns {what} for logits of shape {tuple(logits.shape)}. "
        f"Expected a tensor: one number, or a value for each of the {len(logits)} samples."
    )


def weighted_mean(values: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Reduce values (n, ...) to the weighted mean over samples."""
    if sample_weight is None:
        return values.mean()
    per_sample = sum_per_sample(values) / max(values[:1].numel(), 1)
    weight = sample_weight.to(per_sample.dtype)
    return ratio((per_sample * weight).sum(), weight.sum())


def accepts(loss: AnyLoss, parameter: str) -> bool:
    """Return whether a loss can be called with a keyword argument of this name."""
    function = loss.forward if isinstance(loss, nn.Module) else loss
    try:
        return parameter in inspect.signature(function).parameters
    except ValueError:  # written in C
        return False


def function_params(loss: AnyLoss) -> dict[str, Any]:
    """Return the parameters of a function after its first two, if they have values."""
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
    """Return how a loss reduces the values of its samples, if it declares it."""
    return getattr(loss, "reduction", None) or function_params(loss).get("reduction")


def _unreduced(loss: AnyLoss) -> Callable[..., Tensor]:
    """Return the loss with a value per sample if it has a ``reduction`` attribute."""
    if isinstance(getattr(loss, "reduction", None), str):
        loss = copy.copy(loss)  # the user's object is not modified
        loss.reduction = "none"  # type: ignore[union-attr]
    elif accepts(loss, "reduction"):
        return functools.partial(loss, reduction="none")
    return loss


def loss_name(loss: AnyLoss) -> str:
    """Return the name of a loss for messages."""
    if isinstance(loss, Loss | functools.partial):
        return describe(loss)
    return getattr(loss, "__name__", type(loss).__name__)
