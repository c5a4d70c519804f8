from __future__ import annotations

import pytest
import torch

from sklearnloss.losses import FocalTverskyLoss, TverskyLoss

from .cases import CASES, binary, multiclass
from .references import counts


@pytest.mark.parametrize("case", ["binary", "multiclass"])
@pytest.mark.parametrize("gamma", [0.5, 0.75, 2.0])
def test_equals_the_formula(case: str, gamma: float) -> None:
    c = counts(CASES[case]())
    index = (c.tp + 0.1) / (c.tp + 0.2 * c.fp + 0.9 * c.fn + 0.1)
    value = FocalTverskyLoss(0.2, 0.9, gamma, 0.1)(*CASES[case]())
    assert value.item() == pytest.approx(((1 - index) ** gamma).mean(), rel=1e-12)


def test_gamma_1_is_tversky() -> None:
    expected = TverskyLoss(0.3, 0.7)(*multiclass())
    torch.testing.assert_close(FocalTverskyLoss(gamma=1)(*multiclass()), expected)


@pytest.mark.parametrize("gamma", [0.1, 0.75])
def test_gradient_is_finite_at_a_perfect_mask(gamma: float) -> None:
    z, t = binary()
    z = (1e4 * (2 * t - 1)).float().requires_grad_()
    value = FocalTverskyLoss(gamma=gamma)(z, t.float())
    value.backward()
    assert value == 0
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_a_gamma_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gamma=0 is not a number in \(0, inf\)"):
        FocalTverskyLoss(gamma=0)(*binary())
