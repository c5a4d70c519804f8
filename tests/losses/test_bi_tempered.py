from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch.nn import functional as F

from sklearnloss.losses import BiTemperedLoss, BrierLoss, CrossEntropyLoss
from sklearnloss.losses._bi_tempered import tempered_log_softmax

from .cases import logits, multiclass, whole_images


def by_hand(z: np.ndarray, label: int, t1: float, t2: float) -> float:
    """Return the paper's formula, with a root found by bisection; t1 < 1 < t2."""

    def exp(x: np.ndarray) -> np.ndarray:
        return np.maximum(0, 1 + (1 - t2) * x) ** (1 / (1 - t2))

    lam = brentq(lambda x: exp(z - x).sum() - 1, z.max(), z.max() + 1e4, xtol=1e-14)
    p = exp(z - lam)
    logarithm = (p[label] ** (1 - t1) - 1) / (1 - t1)
    return float(-logarithm - (1 - (p ** (2 - t1)).sum()) / (2 - t1))


@pytest.mark.parametrize(("t1", "t2"), [(0.8, 1.2), (0.2, 3.0), (0.0, 1.5)])
def test_equals_the_formula(t1: float, t2: float) -> None:
    z, t = whole_images()
    expected = [by_hand(row.numpy(), int(label), t1, t2) for row, label in zip(z, t, strict=True)]
    values = BiTemperedLoss(t1, t2, "none")(z, t)
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))


def test_limiting_cases() -> None:
    z, t = multiclass()
    torch.testing.assert_close(BiTemperedLoss(1.0, 1.0)(z, t), CrossEntropyLoss()(z, t))
    torch.testing.assert_close(BiTemperedLoss(0.0, 1.0)(z, t), BrierLoss()(z, t) / 2)
    near = BiTemperedLoss(1 - 1e-9, 1 + 1e-9)(z, t)
    torch.testing.assert_close(near, CrossEntropyLoss()(z, t), rtol=1e-6, atol=0)


@pytest.mark.parametrize("t2", [1.0, 1.2, 4.0, 10.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
def test_probabilities_sum_to_one(t2: float, scale: float) -> None:
    for n_classes in (2, 10, 1000):
        total = tempered_log_softmax(scale * logits(50, n_classes), t2).exp().sum(1)
        torch.testing.assert_close(total, torch.ones(50, dtype=torch.float64), atol=1e-13, rtol=0)


def test_second_derivatives_pass_through_the_root() -> None:
    z = logits(1, 3).requires_grad_()
    label = torch.tensor([1])
    assert torch.autograd.gradgradcheck(lambda x: BiTemperedLoss(0.5, 2.0)(x, label), z)


def test_a_far_off_mistake_has_a_bounded_cost() -> None:
    z = torch.tensor([[0.0, 1e4]])
    bound = 1 / (1 - 0.5)
    assert bound - 0.01 < BiTemperedLoss(0.5, 1.1)(z, torch.tensor([0])) <= bound


def test_class_probabilities_give_the_expected_loss() -> None:
    z, t = logits(5, 4), logits(5, 4, seed=1).softmax(1)
    weight = [0.5, 1.0, 2.0, 3.0]
    loss = BiTemperedLoss(reduction="none", class_weight=weight)
    each = [loss(z, torch.full((5,), c)) for c in range(4)]
    torch.testing.assert_close(loss(z, t), (torch.stack(each, 1) * t).sum(1))
    onehot = F.one_hot(torch.arange(4), 4).double()
    torch.testing.assert_close(loss(z[:4], onehot), loss(z[:4], torch.arange(4)))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (BiTemperedLoss(1.1), r"t1=1.1 is not a number in \[0, 1\]"),
        (BiTemperedLoss(t2=0.9), r"t2=0.9 is not a number in \[1, inf\)"),
    ],
)
def test_illegal_temperatures_are_refused(loss: BiTemperedLoss, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(*multiclass())
