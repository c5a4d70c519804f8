from __future__ import annotations

import pytest
import torch

from sklearnloss.losses import DiceLoss, JaccardLoss, TverskyLoss

from .cases import CASES, Case, binary, multiclass
from .references import counts


@pytest.mark.parametrize("case", ["binary", "multiclass", "volume"])
def test_equals_the_formula(case: str) -> None:
    c = counts(CASES[case]())
    expected = 1 - (c.tp + 0.1) / (c.tp + c.fp + c.fn + 0.1)
    assert JaccardLoss(0.1)(*CASES[case]()).item() == pytest.approx(expected.mean(), rel=1e-12)


def test_is_tversky_of_ones() -> None:
    expected = TverskyLoss(1, 1, eps=0.5)(*multiclass())
    torch.testing.assert_close(JaccardLoss(0.5)(*multiclass()), expected)


def test_is_2_d_over_1_plus_d_of_dice() -> None:
    z, t = binary()
    d = DiceLoss(0.0, reduction="sample")(z, t)
    torch.testing.assert_close(JaccardLoss(0.0, reduction="sample")(z, t), 2 * d / (1 + d))


def test_is_one_minus_the_iou_of_hard_masks() -> None:
    z = torch.tensor([[[1e4, 1e4, 1e4, -1e4]]])
    t = torch.tensor([[[1.0, 1.0, 0.0, 1.0]]])
    assert JaccardLoss()(*Case(z, t)).item() == pytest.approx(1 - 2 / 4, rel=1e-6)
