from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import matthews_corrcoef

from sklearnloss.losses import MCCLoss

from .cases import CASES
from .references import counts


@pytest.mark.parametrize("case", ["binary", "multiclass"])
def test_equals_the_formula(case: str) -> None:
    c = counts(CASES[case]())
    below = np.sqrt((c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn))
    expected = 1 - (c.tp * c.tn - c.fp * c.fn) / below
    assert MCCLoss(1e-15)(*CASES[case]()).item() == pytest.approx(expected.mean(), rel=1e-9)


def test_hard_masks_have_scikit_learns_coefficient() -> None:
    rng = np.random.default_rng(0)
    p, t = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
    z = torch.from_numpy(1e4 * (2.0 * p - 1)).reshape(1, 1, 50)
    value = MCCLoss(1e-12)(z, torch.from_numpy(t).reshape(1, 1, 50))
    assert value.item() == pytest.approx(1 - matthews_corrcoef(t, p))


@pytest.mark.parametrize("full", [0.0, 1.0])
def test_an_empty_or_full_mask_is_perfect_if_predicted_so(full: float) -> None:
    t = torch.full((1, 1, 9), full)
    assert MCCLoss()(1e4 * (2 * t - 1), t).item() == pytest.approx(0, abs=1e-6)
    assert MCCLoss()(-1e4 * (2 * t - 1), t).item() == pytest.approx(1, abs=1e-5)
    z = torch.zeros_like(t).requires_grad_()
    value = MCCLoss()(z, t)
    value.backward()
    assert 0.9 < value.item() < 1
    assert z.grad is not None
    assert (z.grad * (2 * t - 1) < 0).all()


def test_the_opposite_costs_2() -> None:
    t = torch.tensor([[[1.0, 0, 0, 1]]])
    assert MCCLoss()(-1e4 * (2 * t - 1), t).item() == pytest.approx(2, abs=1e-5)
