"""Inputs on which every loss must obey the same laws."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from sklearnloss.losses import (
    Inputs,
    LDAMLoss,
    LogitAdjustedLoss,
    Loss,
    Penalty,
    get_loss,
    list_losses,
)

# All that are built in.
LOSSES = {name: type(loss) for name in list_losses() if isinstance(loss := get_loss(name), Loss)}
DATA_LOSSES = [name for name, cls in LOSSES.items() if not issubclass(cls, Penalty)]
PIXEL_LOSSES = [name for name in DATA_LOSSES if "classification" in LOSSES[name].tasks]
REGION_LOSSES = [name for name in DATA_LOSSES if name not in PIXEL_LOSSES]
PENALTIES = [name for name in list_losses() if name not in DATA_LOSSES and name in LOSSES]

# By definition:
SEES_NEIGHBOURS = {"boundary", "hausdorff", "cl_dice"}  # the order of pixels matters
SEES_BATCH = {"topk"}  # the other samples matter
NOT_COMPILABLE = {"boundary", "hausdorff"}  # distance maps are computed by SciPy
MAY_BE_NEGATIVE = {"boundary"}
WANTS_FINITE_LOGITS = {"label_smoothing"}  # certainty costs


class Case(NamedTuple):
    """Logits and a target that fit together."""

    logits: Tensor
    target: Tensor


def build(name: str, **params: object) -> Loss:
    """Return a built-in loss."""
    loss = get_loss(name, **params)
    assert isinstance(loss, Loss)
    if isinstance(loss, LDAMLoss | LogitAdjustedLoss):
        loss._counts = counts_of_any_length  # type: ignore[method-assign]
    return loss


def counts_of_any_length(inputs: Inputs) -> Tensor:
    """Stand for class counts, bound to however many classes a case has."""
    z = inputs.logits
    counts = torch.arange(1, z.shape[1] + 1, dtype=z.dtype, device=z.device) ** 2
    return counts.reshape(-1, *[1] * (z.ndim - 2))


def labels(*shape: int, n_classes: int, seed: int = 0) -> Tensor:
    """Return class indices in which every class occurs."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.arange(int(torch.tensor(shape).prod())) % n_classes
    return values[torch.randperm(len(values), generator=generator)].reshape(shape)


def logits(*shape: int, seed: int = 0) -> Tensor:
    """Return moderate random scores in float64."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def binary(n: int = 3) -> Case:
    return Case(logits(n, 1, 6, 5), labels(n, 1, 6, 5, n_classes=2).double())


def binary_without_channel(n: int = 3) -> Case:
    return Case(logits(n, 1, 6, 5), labels(n, 6, 5, n_classes=2))


def multiclass(n: int = 3) -> Case:
    return Case(logits(n, 4, 6, 5), labels(n, 6, 5, n_classes=4))


def volume(n: int = 3) -> Case:
    return Case(logits(n, 3, 4, 3, 5), labels(n, 4, 3, 5, n_classes=3))


def signal(n: int = 3) -> Case:
    return Case(logits(n, 3, 12), labels(n, 12, n_classes=3))


def whole_images(n: int = 6) -> Case:
    return Case(logits(n, 4), labels(n, n_classes=4))


def two_classes(n: int = 6) -> Case:
    return Case(logits(n, 2), labels(n, n_classes=2))


CASES: dict[str, Callable[..., Case]] = {
    f.__name__: f
    for f in (
        binary,
        binary_without_channel,
        multiclass,
        volume,
        signal,
        whole_images,
        two_classes,
    )
}


def cases_of(name: str) -> list[str]:
    """Return the cases that a loss is meant for."""
    images = ["whole_images", "two_classes"]
    return [case for case in CASES if name in PIXEL_LOSSES or case not in images]


LOSS_CASES = [(name, case) for name in DATA_LOSSES for case in cases_of(name)]


def on_cases(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for every loss, on each of the cases that the loss is meant for."""

    @functools.wraps(test)
    def on_each_case(name: str, **params: object) -> None:
        for case in cases_of(name):
            try:
                test(name=name, case=case, **params)
            except Exception as error:
                error.add_note(f"case: {case}")
                raise

    signature = inspect.signature(test)
    rest = [p for p in signature.parameters.values() if p.name != "case"]
    on_each_case.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    decorated: Callable[..., None] = pytest.mark.parametrize("name", DATA_LOSSES)(on_each_case)
    return decorated
