"""Poly-1, generalized and symmetric cross entropy: functions of the label's probability."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sklearnloss.losses import (
    CrossEntropyLoss,
    GeneralizedCrossEntropyLoss,
    LabelLoss,
    Poly1CrossEntropyLoss,
    SymmetricCrossEntropyLoss,
)

from .cases import binary, logits, multiclass

WEIGHT = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
LOSSES = [Poly1CrossEntropyLoss, GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss]


def label_probability() -> Tensor:
    z, t = multiclass()
    return z.softmax(1).gather(1, t.unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 2.0])
def test_poly1_equals_the_formula(epsilon: float) -> None:
    p = label_probability()
    expected = (-p.log() + epsilon * (1 - p)).mean()
    torch.testing.assert_close(Poly1CrossEntropyLoss(epsilon)(*multiclass()), expected)


@pytest.mark.parametrize("q", [0.1, 0.7, 1.0])
def test_generalised_cross_entropy_equals_the_formula(q: float) -> None:
    expected = ((1 - label_probability() ** q) / q).mean()
    torch.testing.assert_close(GeneralizedCrossEntropyLoss(q)(*multiclass()), expected)


def test_generalised_cross_entropy_of_small_q_is_cross_entropy() -> None:
    torch.testing.assert_close(
        GeneralizedCrossEntropyLoss(1e-9)(*multiclass()), CrossEntropyLoss()(*multiclass())
    )


def test_symmetric_cross_entropy_equals_the_formula() -> None:
    p = label_probability()
    expected = (-0.3 * p.log() + 2 * 5 * (1 - p)).mean()
    loss = SymmetricCrossEntropyLoss(0.3, 2.0, log_zero=-5.0)
    torch.testing.assert_close(loss(*multiclass()), expected)


def test_symmetric_cross_entropy_of_soft_labels_cuts_their_logarithm() -> None:
    z = logits(5, 3)
    t = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5], [0, 0, 1], [0, 1, 0]]).double()
    p = z.softmax(1)
    reverse = -(p * t.clamp(min=math.exp(-4.0)).log()).sum(1)
    expected = (0.1 * -(t * p.log()).sum(1) + reverse).mean()
    torch.testing.assert_close(SymmetricCrossEntropyLoss()(z, t), expected)


@pytest.mark.parametrize("cls", LOSSES)
def test_one_hot_probabilities_equal_indices(cls: type[LabelLoss]) -> None:
    z, t = multiclass()
    onehot = F.one_hot(t, 4).movedim(-1, 1).double()
    for weight in (None, WEIGHT):
        loss = cls(class_weight=weight)
        torch.testing.assert_close(loss(z, onehot), loss(z, t))


@pytest.mark.parametrize("cls", LOSSES)
def test_class_weights_average_like_cross_entropys(cls: type[LabelLoss]) -> None:
    z, t = multiclass()
    values = cls().set_params(reduction="none")(z, t)
    expected = (WEIGHT[t] * values).sum() / WEIGHT[t].sum()
    torch.testing.assert_close(cls(class_weight=WEIGHT)(z, t), expected)


def test_gradients_of_confident_mistakes() -> None:
    """Poly-1 keeps its gradient; the bounded generalized cross entropy saturates."""
    for cls, expected in ((Poly1CrossEntropyLoss, -1.0), (GeneralizedCrossEntropyLoss, 0.0)):
        z = torch.tensor([[-1e3, 0.0]], requires_grad=True)
        cls()(z, torch.tensor([0])).backward()
        assert z.grad is not None
        assert z.grad[0, 0].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Poly1CrossEntropyLoss(-1.5), r"epsilon=-1.5 is not a number in \[-1, inf\)"),
        (GeneralizedCrossEntropyLoss(0.0), r"q=0.0 is not a number in \(0, 1\]"),
        (SymmetricCrossEntropyLoss(-1.0), r"alpha=-1.0 is not a number in \[0, inf\)"),
        (SymmetricCrossEntropyLoss(log_zero=0), r"log_zero=0 is not a number in \(-inf, 0\)"),
    ],
)
def test_illegal_parameters_are_refused(loss: LabelLoss, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(*multiclass())


def test_one_channel_is_two_classes() -> None:
    z, t = binary()
    p = torch.where(t == 1, z.sigmoid(), 1 - z.sigmoid())
    torch.testing.assert_close(Poly1CrossEntropyLoss()(z, t), (-p.log() + 1 - p).mean())


def test_a_base_class_has_no_formula() -> None:
    with pytest.raises(NotImplementedError):
        LabelLoss()(*multiclass())
