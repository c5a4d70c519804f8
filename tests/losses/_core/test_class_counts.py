"""LDAM and logit-adjusted loss: they know how often each class occurs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from sklearnloss.losses import CrossEntropyLoss, DiceLoss, LDAMLoss, LogitAdjustedLoss

from ..cases import logits, multiclass

COUNTS = [1000, 100, 10, 1]
LOSSES: list[Any] = [LDAMLoss, LogitAdjustedLoss]


def test_ldam_equals_the_formula() -> None:
    z, t = multiclass()
    margin = 0.8 * torch.tensor([(1 / n) ** 0.25 for n in COUNTS], dtype=torch.float64)
    shifted = z - margin[t].unsqueeze(1) * F.one_hot(t, 4).movedim(-1, 1)
    expected = F.cross_entropy(3.0 * shifted, t)
    torch.testing.assert_close(LDAMLoss(COUNTS, 0.8, 3.0)(z, t), expected)


def test_logit_adjustment_equals_the_formula() -> None:
    z, t = multiclass()
    prior = torch.tensor(COUNTS, dtype=torch.float64) / sum(COUNTS)
    shifted = z + 1.5 * prior.log().reshape(4, 1, 1)
    torch.testing.assert_close(LogitAdjustedLoss(COUNTS, 1.5)(z, t), F.cross_entropy(shifted, t))


def test_limiting_cases_are_cross_entropy() -> None:
    expected = CrossEntropyLoss()(*multiclass())
    for loss in (
        LDAMLoss(COUNTS, max_margin=0.0),
        LogitAdjustedLoss(COUNTS, tau=0.0),
        LogitAdjustedLoss([7, 7, 7, 7]),
    ):
        torch.testing.assert_close(loss(*multiclass()), expected)


@pytest.mark.parametrize("cls", LOSSES)
def test_class_probabilities_give_the_expected_loss(cls: Any) -> None:
    z, t = logits(5, 4), logits(5, 4, seed=1).softmax(1)
    weight = [0.5, 1.0, 2.0, 3.0]
    loss = cls(COUNTS, reduction="none", class_weight=weight)
    each = [loss(z, torch.full((5,), c)) for c in range(4)]
    torch.testing.assert_close(loss(z, t), (torch.stack(each, 1) * t).sum(1))


@pytest.mark.parametrize("cls", LOSSES)
def test_bind_fills_the_counts(cls: Any) -> None:
    z, t = multiclass()
    loss = cls()
    with pytest.raises(RuntimeError, match="does not know how often each class occurs"):
        loss(z, t)
    assert loss.bind(nn.Identity(), torch.tensor(COUNTS)) is loss
    expected = cls(COUNTS)(z, t)
    torch.testing.assert_close(loss(z, t), expected)
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        torch.testing.assert_close(twin(z, t), expected)
    torch.testing.assert_close(loss.bind(nn.Identity())(z, t), expected)  # keeps what it knows
    with pytest.raises(RuntimeError):
        clone(loss)(z, t)


def test_a_sum_binds_its_members() -> None:
    z, t = multiclass()
    loss = DiceLoss() + LogitAdjustedLoss()
    loss.bind(nn.Identity(), torch.tensor(COUNTS))
    torch.testing.assert_close(loss(z, t), DiceLoss()(z, t) + LogitAdjustedLoss(COUNTS)(z, t))


@pytest.mark.parametrize("cls", LOSSES)
def test_given_counts_win_over_bound_ones(cls: Any) -> None:
    loss = cls([1, 1, 1, 5]).bind(nn.Identity(), torch.tensor(COUNTS))
    expected = cls([1, 1, 1, 5])(*multiclass())
    torch.testing.assert_close(loss(*multiclass()), expected)


@pytest.mark.parametrize("cls", LOSSES)
def test_a_class_that_never_occurs_is_counted_once(cls: Any) -> None:
    z, t = multiclass()
    torch.testing.assert_close(cls([9, 9, 9, 0])(z, t), cls([9, 9, 9, 1])(z, t))


@pytest.mark.parametrize("cls", LOSSES)
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("balanced", "class_counts='balanced' is unknown. Expected 'auto'"),
        ([1, 2], r"class_counts has shape \(2,\), but there are 4 classes"),
        ([1, 2, 3, -4], "class_counts must lie between 0 and inf"),
    ],
)
def test_illegal_counts_are_refused(cls: Any, counts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(counts)(*multiclass())
