"""Torch's cross entropy, for batches that may be ignored entirely and for sample weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .known_losses import bare
from .pixel import ratio, sum_per_sample
from .transfer import as_like

_SETTINGS = ("weight", "ignore_index", "label_smoothing", "reduction")


def mean_cross_entropy(loss: Any) -> Callable[..., Tensor] | None:
    """Return a replacement for torch's mean cross entropy, None for any other loss.

    Torch's is nan if all elements are ignored. The replacement, a function of logits,
    class indices and sample weights, is 0 then.
    """
    module = bare(loss)
    if isinstance(module, nn.CrossEntropyLoss):
        if type(module).forward is not nn.CrossEntropyLoss.forward:
            return None
        settings = {name: getattr(module, name) for name in _SETTINGS}
    elif loss is F.cross_entropy:
        settings = {}
    elif isinstance(loss, functools.partial) and loss.func is F.cross_entropy and not loss.args:
        settings = dict(loss.keywords)
    else:
        return None
    if settings.pop("reduction", "mean") != "mean" or settings.keys() - set(_SETTINGS):
        return None
    return functools.partial(_mean, **settings)


def _mean(
    logits: Tensor,
    target: Tensor,
    sample_weight: Tensor | None = None,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    z = logits.to(torch.promote_types(logits.dtype, torch.float32))
    counts = (target != ignore_index).to(z.dtype)
    if weight is not None:
        weight = as_like(weight, z)
        counts = counts * weight[target.masked_fill(target == ignore_index, 0)]
    cross_entropy = functools.partial(
        F.cross_entropy,
        z,
        target,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    if sample_weight is None:
        return ratio(cross_entropy(reduction="sum"), counts.sum())
    w = sample_weight.to(z.dtype)
    values = sum_per_sample(cross_entropy(reduction="none"))
    return ratio((values * w).sum(), (sum_per_sample(counts) * w).sum())
