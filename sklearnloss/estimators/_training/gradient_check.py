"""A check, once per fit, that the loss depends on the scores."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..._utils.guides import OWN_LOSS
from ...losses import CompoundLoss, Penalty
from ...losses._core.foreign import AnyLoss, is_own, loss_name

WeightedLoss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
# Random scores of a few samples may all satisfy a hinge; those of many draws do not.
_N_DRAWS = 8
_FORM = (
    'Set form = "softmax" on the loss, as an attribute of the function, class or module: then it '
    "receives one channel per class and class indices. "
)


class SoftmaxOfOne(TorchDispatchMode):
    """Detects a softmax over one channel, which is 1 regardless of the scores.

    Parameters
    ----------
    logits : Tensor
        The logits that the loss is called with.

    Attributes
    ----------
    seen : bool
        Whether a softmax over as many numbers as logits was detected.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in ("_softmax", "_log_softmax"):
            x, axis = args[:2]
            if x.numel() == self.logits.numel() and x.ndim and x.shape[axis] == 1:
                # Over a batch that happens to have one sample, it is not a mistake.
                self.seen |= len(self.logits) > 1 or axis % x.ndim > 0
        return func(*args, **(kwargs or {}))


def require_slope(
    loss: AnyLoss,
    build: Callable[[AnyLoss], WeightedLoss],
    gradient: Tensor | None,
    logits: Tensor,
    codes: Tensor,
    weight: Tensor | None,
) -> None:
    """Raise a ValueError for a loss, or a user's term of a sum, without a gradient.

    Such a loss has a gradient of exactly 0 for the scores and targets of this batch
    and for random ones. A loss that is at its minimum here, or ignores all of this
    batch, has another gradient for the random ones.

    Parameters
    ----------
    loss : Loss, nn.Module or function
        The loss to train.
    build : callable
        Turns a loss into a function of logits, codes and weight that returns a scalar.
    gradient : Tensor or None
        The gradient of the loss with respect to the logits of this batch; None if unknown.
    logits, codes, weight : Tensor
        The batch.
    """
    terms = [term for term, factor in weighted_data_terms(loss) if float(factor) != 0]
    if not terms:
        raise ValueError(f"All weights of the loss {loss!r} are 0: nothing would be learned.")
    flat = gradient is None or not bool(gradient.any())
    if flat and not any(_has_slope(term, build, logits, codes, weight) for term in terms):
        raise ValueError(_no_slope(next(filter(is_own, terms), terms[0]), logits))
    if not isinstance(loss, CompoundLoss):
        return
    for term in filter(is_own, terms):
        if not _has_slope(term, build, logits, codes, weight):
            raise ValueError(_no_slope(term, logits))


def refuse_softmax_of_one(loss: AnyLoss) -> None:
    """Raise a ValueError for a loss that contains a softmax over one channel."""
    own = next((term for term, _ in weighted_data_terms(loss) if is_own(term)), loss)
    raise ValueError(
        f"The loss {loss_name(own)} takes a softmax over one channel, which is 1 regardless of the "
        f"scores: nothing would be learned from this part of it. {_FORM}See {OWN_LOSS}."
    )


def weighted_data_terms(loss: AnyLoss) -> Iterator[tuple[AnyLoss, float | Tensor]]:
    """Yield a loss's terms on the data, with their weights."""
    if not isinstance(loss, CompoundLoss):
        yield loss, 1.0
        return
    for member in loss.members:
        if not isinstance(member.loss, Penalty):
            for term, factor in weighted_data_terms(member.loss):
                yield term, member.weight * factor


def _has_slope(
    term: AnyLoss,
    build: Callable[[AnyLoss], WeightedLoss],
    logits: Tensor,
    codes: Tensor,
    weight: Tensor | None,
) -> bool:
    """Return whether the gradient is not 0 for some scores and targets like these."""
    criterion = build(_copy(term))
    ones = None if weight is None else torch.ones_like(weight)
    batches = [(logits, codes, weight)]
    for seed in range(_N_DRAWS):
        batches.append((*_random(logits, codes, seed), ones))
    return any(_is_steep(criterion, *batch) for batch in batches)


def _copy(term: AnyLoss) -> AnyLoss:
    """Copy a loss, so that these calls do not change its state."""
    try:
        return copy.deepcopy(term)
    except Exception:  # a user's object may raise anything
        return term


def _random(logits: Tensor, codes: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return random scores and codes of the same shapes and dtypes."""
    generator = torch.Generator().manual_seed(seed)
    z = 2 * torch.randn(logits.shape, generator=generator)
    n_codes = logits.shape[1] if codes.numel() < logits.numel() else 2
    drawn = torch.randint(n_codes, codes.shape, generator=generator)
    return z.to(logits.device, logits.dtype), drawn.to(codes.device, codes.dtype)


def _is_steep(criterion: WeightedLoss, z: Tensor, codes: Tensor, weight: Tensor | None) -> bool:
    z = z.detach().clone().requires_grad_()
    try:
        value = criterion(z, codes, weight)
        (slope,) = torch.autograd.grad(value, z, allow_unused=True)
    except Exception:  # a loss may reject random targets; then it is unknown
        return True
    return slope is not None and bool(slope.any())


def _no_slope(loss: AnyLoss, logits: Tensor) -> str:
    shape = tuple(logits.shape)
    message = (
        f"The gradient of the loss {loss_name(loss)} is exactly 0 for any logits of shape {shape} "
        f"and any target: nothing would be learned. "
    )
    if not is_own(loss):
        return f"{message}Check its parameters."
    if shape[1] == 1:
        message += f"There is one channel here, and a softmax over one channel is constant. {_FORM}"
    return f"{message}Do not round, threshold or detach the scores. See {OWN_LOSS}."
