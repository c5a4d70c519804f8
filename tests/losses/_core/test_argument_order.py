from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import DiceLoss

from ..foreign import accept


def with_names(first: str, second: str) -> Callable[..., Tensor]:
    namespace: dict[str, Any] = {}
    exec(f"def loss({first}, {second}, power=1.0): pass", namespace)
    loss: Callable[..., Tensor] = namespace["loss"]
    return loss


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("y_true", "y_pred"),
        ("target", "output"),
        ("labels", "x"),
        ("ground_truth", "prediction"),
        ("Y_True", "Y_Pred"),
        ("y", "y_hat"),
        ("t", "logits"),
        ("t", "y"),
        ("y", "p"),
        ("y_t", "y_p"),
        ("targ", "out"),
        ("true_mask", "pred_mask"),
        ("masks_true", "masks_pred"),
        ("yTrue", "yPred"),
        ("y_label", "y_logits"),
        ("real", "fake"),
        ("reference", "x"),
    ],
)
def test_a_target_that_comes_first_is_refused(first: str, second: str) -> None:
    loss = with_names(first, second)

    class Module(nn.Module):
        def forward(self, *args: Tensor) -> Tensor:
            return args[0]

    module = Module()
    module.forward = loss  # type: ignore[method-assign]
    message = rf"arguments of \w+ are \({first}, {second}\), but .*loss\(logits, target\)"
    for each in (loss, functools.partial(loss, power=2.0), module):
        with pytest.raises(ValueError, match=message):
            accept(each)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("logits", "target"),
        ("y_pred", "y_true"),
        ("input", "target"),
        ("x", "y"),
        ("y", "t"),
        ("z", "t"),
        ("a", "b"),
        ("target", "labels"),
        ("pred_mask", "true_mask"),
        ("mask_logits", "mask"),
        ("yPred", "yTrue"),
        ("p", "y"),
        ("predicted", "actual"),
    ],
)
def test_other_names_are_taken(first: str, second: str) -> None:
    accept(with_names(first, second))


def test_a_module_that_was_compiled_is_looked_into() -> None:
    class Module(nn.Module):
        def forward(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
            return y_true - y_pred

    with pytest.raises(ValueError, match=r"\(y_true, y_pred\)"):
        accept(torch.compile(Module(), backend="eager"))


@pytest.mark.parametrize(
    "loss",
    [DiceLoss(), nn.CrossEntropyLoss(), F.mse_loss, torch.sub, lambda *args: args[0], len, max],
)
def test_losses_without_such_names_are_taken(loss: Any) -> None:
    accept(loss)
