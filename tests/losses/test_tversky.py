from __future__ import annotations

import pytest
import torch

from sklearnloss.losses import TverskyLoss

from .cases import binary


def test_equals_the_formula() -> None:
    z, t = binary()
    p = z.sigmoid()
    tp, fp, fn = ((x).sum((2, 3)) for x in (p * t, p * (1 - t), (1 - p) * t))
    expected = 1 - (tp + 0.1) / (tp + 0.2 * fp + 0.7 * fn + 0.1)
    torch.testing.assert_close(TverskyLoss(0.2, 0.7, 0.1)(z, t), expected.mean())


def test_alpha_weighs_false_positives_and_beta_misses() -> None:
    t = torch.zeros(1, 1, 4, 4)
    t[..., :2] = 1
    too_much, too_little = torch.full_like(t, 9.0), torch.full_like(t, -9.0)
    too_little[..., :1] = 9.0
    wary, eager = TverskyLoss(0.9, 0.1), TverskyLoss(0.1, 0.9)
    assert wary(too_much, t) > eager(too_much, t)
    assert wary(too_little, t) < eager(too_little, t)


def test_alpha_and_beta_1_are_jaccard() -> None:
    z, t = binary()
    p = z.sigmoid()
    jaccard = (p * t).sum((2, 3)) / (p + t - p * t).sum((2, 3))
    torch.testing.assert_close(TverskyLoss(1, 1, eps=0)(z, t), (1 - jaccard).mean())


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha=-0.1 is not a number in \[0, inf\)"):
        TverskyLoss(alpha=-0.1)(*binary())
