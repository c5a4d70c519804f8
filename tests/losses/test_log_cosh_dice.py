from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import DiceLoss, LogCoshDiceLoss

from .cases import CASES, binary
from .references import counts


@pytest.mark.parametrize("case", ["binary", "multiclass"])
def test_equals_the_formula(case: str) -> None:
    c = counts(CASES[case]())
    dice = 1 - (2 * c.tp + 0.1) / (2 * c.tp + c.fp + c.fn + 0.1)
    expected = np.log(np.cosh(dice)).mean()
    assert LogCoshDiceLoss(0.1)(*CASES[case]()).item() == pytest.approx(expected, rel=1e-12)


def test_is_half_the_square_of_a_small_dice_loss() -> None:
    z, t = binary()
    z = 8 * (2 * t - 1)
    dice = DiceLoss(reduction="sample")(z, t)
    value = LogCoshDiceLoss(reduction="sample")(z, t)
    torch.testing.assert_close(value, dice**2 / 2, rtol=1e-4, atol=0)
