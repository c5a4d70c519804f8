"""Convert the user's (logits, target) to the input of formulas."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from .base import Form
from .transfer import as_tensor, send

# Size from which every pass over memory matters, and how many elements fit in the cache.
LARGE = 2**17
_PART = 2**19

_legal_target: ContextVar[Tensor | None] = ContextVar("legal target", default=None)


class LossInputError(ValueError, TypeError):
    """Logits, target or sample weight do not fit together."""


class Inputs(NamedTuple):
    """Checked scores and targets.

    Attributes
    ----------
    logits : Tensor of shape (n, C, *spatial), float32 or float64
        Finite raw scores, 0 where ignored.
    target : Tensor
        For the sigmoid form, floats in [0, 1] of shape (n, C, *spatial). For the
        softmax form, class indices (n, *spatial) of dtype int64, or class
        probabilities (n, C, *spatial).
    softmax : bool
        Whether the classes compete.
    mask : Tensor or None
        1 where an element is valid, 0 where it is ignored, nan where the target is
        invalid and could not be reported (a mask in [0, 1] may contain the nan
        itself); None if all are valid. Its shape is that of the elements:
        (n, C, *spatial) or, for the softmax form, (n, *spatial).
    sample_weight : Tensor of shape (n,) or None
        Weights of the samples.
    hard : bool
        Whether the target of the sigmoid form is known to contain only 0 and 1.
    """

    logits: Tensor
    target: Tensor
    softmax: bool
    mask: Tensor | None
    sample_weight: Tensor | None = None
    hard: bool = False

    def without_weightless(self) -> Inputs:
        """Replace the scores of samples of weight 0, so that their nan has no effect."""
        weight = self.sample_weight
        if weight is None or (can_look_at(weight) and bool(weight.all())):
            return self
        weight = weight.reshape(-1, *[1] * (self.logits.ndim - 1))
        return self._replace(logits=_replace_ignored(self.logits, weight))

    def channel_mask(self) -> Tensor | None:
        """Return the mask with a channel axis, (n, 1 or C, *spatial)."""
        return _with_channel(self.mask) if self.softmax else self.mask

    def counts_alike(self) -> bool:
        """Return whether there are elements, and all are valid and have the same weight."""
        return self.mask is None and self.sample_weight is None and self.logits.numel() > 0

    def at_label(self, values: Tensor) -> Tensor:
        """Select the label's entry of (n, C, *spatial) values: (n, *spatial).

        With class probabilities this is their weighted mean over the classes.
        """
        if self.target.is_floating_point():
            return (self.target * values).sum(1)
        return values.gather(1, self.target.unsqueeze(1)).squeeze(1)

    def over_labels(self, of_label: Callable[[int], Tensor]) -> Tensor:
        """Return the mean of each label's loss (n, *spatial), weighted by class probabilities."""
        total = self.target[:, 0] * of_label(0)
        for label in range(1, self.target.shape[1]):
            total = total + self.target[:, label] * of_label(label)
        return total

    def one_hot(self) -> Tensor:
        """Return the softmax form's target as (n, C, *spatial) of the logits' dtype."""
        if self.target.is_floating_point():
            return self.target
        return one_hot(self.target, self.logits.shape[1]).to(self.logits.dtype)


@contextlib.contextmanager
def legal_target(target: Tensor) -> Iterator[None]:
    """Let losses trust the values of this very target, without checking them.

    It must contain class indices, or masks of 0 and 1, besides the losses' ``ignore_index``.
    """
    token = _legal_target.set(target)
    try:
        yield
    finally:
        _legal_target.reset(token)


def read_inputs(
    logits: Tensor,
    target: Tensor,
    sample_weight: Tensor | None = None,
    *,
    form: Form = "any",
    ignore_index: int | None = None,
    saturates: bool = False,
) -> Inputs:
    """Check logits, target and weights, and convert them to the form of a loss.

    ``saturates`` means that the loss depends on the logits only through their sigmoid,
    so infinite logits need no clamping.

    Raises
    ------
    LossInputError
        If shapes or dtypes do not match; and, where values can be checked (in eager
        mode on the CPU), if a target is invalid.
    """
    legal = not torch.compiler.is_compiling() and _legal_target.get() is target
    dense = _has_channel_axis(logits, target)
    sigmoid = form == "sigmoid" or (dense and form != "softmax")
    z = logits.to(_dtype(logits)) if saturates and sigmoid else _bounded(logits)
    if dense:
        t = target if target.shape == logits.shape else target.reshape(logits.shape)
        inputs = _read_dense(z, t, form, ignore_index, legal)
    else:
        inputs = _read_indices(z, target, form, ignore_index, legal)
    if sample_weight is None:
        return inputs
    return inputs._replace(sample_weight=_read_sample_weight(sample_weight, logits))


def _read_sample_weight(sample_weight: Tensor, logits: Tensor) -> Tensor:
    """Check sample weights, and return them in the dtype that losses compute in."""
    weight = send(as_tensor(sample_weight), logits.device).to(_dtype(logits))
    n = logits.shape[0]
    if weight.shape != (n,):
        raise LossInputError(
            f"sample_weight has shape {tuple(weight.shape)}, but logits of shape "
            f"{tuple(logits.shape)} have {n} samples: expected ({n},)."
        )
    legal = (weight >= 0) & (weight < float("inf"))
    if can_look_at(weight) and not bool(legal.all()):
        position = int((~legal).nonzero()[0, 0])
        raise LossInputError(
            f"sample_weight[{position}] is {weight[position].item()}: "
            f"weights must be finite and not negative."
        )
    return torch.where(legal, weight, torch.nan)


def one_hot(labels: Tensor, n_classes: int) -> Tensor:
    """Return boolean masks (n, C, *spatial) of labels (n, *spatial)."""
    classes = torch.arange(n_classes, device=labels.device)
    return labels.unsqueeze(1) == classes.reshape(-1, *[1] * (labels.ndim - 1))


def _lies_within(values: Tensor, low: float, high: float) -> bool:
    """Return, in one pass and without temporaries, whether low <= values <= high throughout."""
    if values.numel() == 0:
        return True
    smallest, largest = values.detach().aminmax()
    return bool(low <= smallest.item() and largest.item() <= high)


def _is_hard(t: Tensor) -> bool:
    """Return whether a target contains only 0 and 1, if checking is cheap."""
    if not can_look_at(t):
        return False
    # t - t^2 is nan for nan and infinity; comparing would take several times as long.
    t = t.detach()
    parts = (t,) if t.numel() <= _PART else t.flatten().split(_PART)
    return all(_lies_within(torch.addcmul(x, x, x, value=-1), 0, 0) for x in parts)


def can_look_at(tensor: Tensor) -> bool:
    """Return whether reading values is cheap and possible."""
    if torch.compiler.is_compiling() or tensor.device.type != "cpu":
        return False
    transformed = (
        torch._C._are_functorch_transforms_active() or torch._C._len_torch_dispatch_stack()
    )
    if type(tensor) is Tensor and not transformed:
        return True
    try:
        bool(tensor[:0].any())
    except RuntimeError:  # under torch.func.vmap or make_fx a tensor has no single value
        return False
    return True


def _has_channel_axis(logits: Tensor, target: Tensor) -> bool:
    """Check shapes and dtypes; return whether the target is a mask, not indices."""
    if (
        isinstance(logits, Tensor)
        and isinstance(target, Tensor)
        and target.shape == logits.shape
        and logits.ndim > 1
        and logits.shape[1] > 0
        and logits.is_floating_point()
        and not target.is_complex()
        and logits.device == target.device
    ):
        return True
    for name, value in (("logits", logits), ("target", target)):
        if not isinstance(value, Tensor):
            raise LossInputError(f"{name} must be a torch.Tensor, got {type(value).__name__}.")
    shapes = f"logits of shape {tuple(logits.shape)} and target of shape {tuple(target.shape)}"
    if not logits.is_floating_point() or target.is_complex():
        raise LossInputError(
            f"Expected floating point logits and a real target, got logits of dtype "
            f"{logits.dtype} and target of dtype {target.dtype} ({shapes})."
        )
    if logits.device != target.device:
        raise LossInputError(
            f"logits are on {logits.device} but the target is on {target.device} ({shapes}): "
            f"move one with .to(device)."
        )
    if logits.ndim < 2:
        raise LossInputError(
            f"logits need a channel axis, (n, C, *spatial); got {shapes}. "
            f"For one score per sample use logits.unsqueeze(1)."
        )
    n, n_channels, *spatial = logits.shape
    if n_channels == 0:
        raise LossInputError(f"logits have no channels: got {shapes}.")
    if list(target.shape) == [n, *spatial]:
        if n_channels > 1 and (target.is_floating_point() or target.dtype == torch.bool):
            raise LossInputError(
                f"Class indices must be integers, got dtype {target.dtype} ({shapes}). Use "
                f"target.long() if the values are class indices, or a target of the logits' "
                f"shape for one mask per channel."
            )
        return n_channels == 1
    hint = ""
    if list(target.shape) == [n, 1, *spatial]:
        hint = " Class indices have no channel axis: use target.squeeze(1)."
    raise LossInputError(
        f"Got {shapes}. Expected a target of the logits' shape {tuple(logits.shape)} (masks in "
        f"[0, 1]) or of shape {(n, *spatial)} (class indices).{hint}"
    )


def _dtype(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _bounded(logits: Tensor) -> Tensor:
    """Cast to at least float32, and make infinite scores finite.

    An eighth of the largest number acts as infinity for every loss, and keeps
    differences of two scores and 0 * score from becoming nan. The gradient
    there is 0.
    """
    z = logits.to(_dtype(logits))
    bound = torch.finfo(z.dtype).max / 8
    if can_look_at(z) and _lies_within(z, -bound, bound):
        return z
    return z.clamp(-bound, bound)


def _read_dense(
    z: Tensor,
    target: Tensor,
    form: Form,
    ignore_index: int | None,
    legal: bool,
) -> Inputs:
    t = target if target.dtype == z.dtype else target.to(z.dtype)
    if form != "softmax":
        return _read_masks(z, t, ignore_index, legal)
    t, mask = _clean(t, 1, ignore_index)
    if z.shape[1] == 1:  # binary: the scores are (0, z)
        z = torch.cat([torch.zeros_like(z), z], 1)
        t = torch.cat([1 - t, t], 1)
        mask = None if mask is None else mask.squeeze(1)
    else:
        t, mask = _check_probabilities(t, mask)
    return Inputs(_replace_ignored(z, _with_channel(mask)), t, True, mask)


def _read_masks(z: Tensor, t: Tensor, ignore_index: int | None, legal: bool) -> Inputs:
    trusted = legal and ignore_index is None
    # Looking for 0 and 1 also checks the values.
    if trusted or (ignore_index not in (0, 1) and _is_hard(t)):
        return Inputs(z, t, False, None, hard=True)
    t, mask = _clean(t, 1, ignore_index)
    hard = mask is not None and (legal or _is_hard(t))  # apart from ignored elements
    return Inputs(_replace_ignored(z, mask), t, False, mask, hard=hard)


def _read_indices(
    z: Tensor, target: Tensor, form: Form, ignore_index: int | None, legal: bool
) -> Inputs:
    n_classes = z.shape[1]
    labels, mask = target.long(), None
    if not legal or ignore_index is not None:
        labels, mask = _clean(labels, n_classes - 1, ignore_index)
    if ignore_index is not None:
        z = _replace_ignored(z, _with_channel(mask))
    if form == "sigmoid":
        masks = one_hot(labels, n_classes).to(z.dtype)
        everywhere = None if mask is None else mask.to(z.dtype).unsqueeze(1).expand_as(z)
        return Inputs(z, masks, False, everywhere)
    return Inputs(z, labels, True, None if mask is None else mask.to(z.dtype))


def _with_channel(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.unsqueeze(1)


def _replace_ignored(z: Tensor, mask: Tensor | None) -> Tensor:
    # Before any arithmetic, so that values of ignored elements cannot leak.
    return z if mask is None else z.masked_fill(mask == 0, 0)


def _clean(target: Tensor, high: int, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    """Set ignored and invalid entries to 0, and return a mask that distinguishes them."""
    if target.numel() == 0:
        return target, None
    legal_index = ignore_index is not None and 0 <= ignore_index <= high
    if not can_look_at(target):
        return _clean_unseen(target, high, ignore_index)
    if not legal_index and _lies_within(target, 0, high):
        return target, None
    if ignore_index is None:
        raise _illegal(target, target, high, None)
    ignored = target == ignore_index
    kept = target.masked_fill(ignored, 0)
    if not _lies_within(kept, 0, high):
        raise _illegal(target, kept, high, ignore_index)
    return kept, ignored.logical_not().to(_mask_dtype(target))


def _clean_unseen(
    target: Tensor, high: int, ignore_index: int | None
) -> tuple[Tensor, Tensor | None]:
    """Clean without checking: invalid entries become nan, in the target or in the mask."""
    legal = (target >= 0) & (target <= high)
    if ignore_index is None and target.is_floating_point():
        return torch.where(legal, target, torch.nan), None
    ignored = target == ignore_index if ignore_index is not None else torch.zeros_like(legal)
    mask = torch.where(legal | ignored, (~ignored).to(_mask_dtype(target)), torch.nan)
    return target.masked_fill(ignored | ~legal, 0), mask


def _mask_dtype(target: Tensor) -> torch.dtype:
    return target.dtype if target.is_floating_point() else torch.float32


def _illegal(target: Tensor, kept: Tensor, high: int, ignore_index: int | None) -> LossInputError:
    """Report the first invalid entry of ``kept``, the target with 0 where ignored."""
    position = tuple((~((kept >= 0) & (kept <= high))).nonzero()[0].tolist())
    what = "masks in [0, 1]"
    if not target.is_floating_point():
        what = f"class indices from 0 to {high} (the logits have {high + 1} channels)"
    other = "no ignore_index is set" if ignore_index is None else f"ignore_index={ignore_index}"
    return LossInputError(
        f"target{list(position)} is {target[position].item()} in a target of shape "
        f"{tuple(target.shape)}: expected {what}; {other}."
    )


def _check_probabilities(t: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Accept class probabilities that sum to one; an ignored class ignores the element."""
    if mask is not None:
        mask = mask.amin(1)
        t = t * (mask != 0).unsqueeze(1)
    total = t.sum(1)
    if mask is None and can_look_at(t) and _lies_within(total, 0.99, 1.01):
        return t, None
    wrong = ~((total - 1).abs() <= 1e-2)  # nan is wrong, too
    if mask is not None:
        wrong = wrong & (mask != 0)
    if can_look_at(t):
        if bool(wrong.any()):
            position = tuple(wrong.nonzero()[0].tolist())
            raise LossInputError(
                f"A target of the logits' shape {tuple(t.shape)} means class probabilities here, "
                f"but at {list(position)} they sum to {total[position].item():.4g} over axis 1, "
                f"not to 1. For multilabel masks use a sigmoid loss such as BCEWithLogitsLoss."
            )
        return t, mask
    ones = torch.ones_like(total) if mask is None else mask
    return t, torch.where(wrong, torch.nan, ones)
