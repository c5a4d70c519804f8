from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import AsymmetricLoss, BCEWithLogitsLoss, FocalLoss

from .cases import binary, logits, multiclass


@pytest.mark.parametrize("gamma_pos", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("clip", [0.0, 0.05, 0.5])
def test_equals_the_paper(gamma_pos: float, gamma_neg: float, clip: float) -> None:
    z = logits(3, 4)
    t = (logits(3, 4, seed=1) > 0).double()
    p = 1 / (1 + np.exp(-z.numpy()))
    p_m = np.maximum(p - clip, 0)
    positive = (1 - p) ** gamma_pos * np.log(p)
    negative = p_m**gamma_neg * np.log(1 - p_m)
    expected = -np.where(t.numpy() == 1, positive, negative).mean()
    value = AsymmetricLoss(gamma_pos, gamma_neg, clip)(z, t)
    assert value.item() == pytest.approx(expected, rel=1e-10)


def test_equal_focus_without_margin_is_focal() -> None:
    expected = FocalLoss(2.0, None)(*binary())
    torch.testing.assert_close(AsymmetricLoss(2.0, 2.0, 0.0)(*binary()), expected)


def test_no_focus_and_no_margin_is_binary_cross_entropy() -> None:
    expected = BCEWithLogitsLoss()(*multiclass())
    torch.testing.assert_close(AsymmetricLoss(0.0, 0.0, 0.0)(*multiclass()), expected)


def test_improbable_negatives_do_not_count() -> None:
    z = torch.tensor([[-3.0]], requires_grad=True)  # p = 0.047 < clip
    value = AsymmetricLoss(clip=0.05)(z, torch.zeros(1, 1))
    value.backward()
    assert value == 0
    assert z.grad is not None
    assert z.grad.item() == 0


def test_a_clip_of_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"clip=1.0 is not a number in \[0, 1\)"):
        AsymmetricLoss(clip=1.0)(*binary())
