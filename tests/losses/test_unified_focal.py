from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import TverskyLoss, UnifiedFocalLoss

from .cases import binary, multiclass, two_classes
from .references import counts, maps


def test_equals_the_formula_over_classes() -> None:
    weight, delta, gamma = 0.3, 0.7, 0.4
    case = multiclass()
    p, t = maps(case)
    terms = -delta * t * np.log(p)
    terms[:, 0] = -(1 - delta) * (1 - p[:, 0]) ** gamma * t[:, 0] * np.log(p[:, 0])
    c = counts(case)
    error = 1 - c.tp / (c.tp + delta * c.fn + (1 - delta) * c.fp)
    error[:, 1:] **= 1 - gamma
    expected = weight * terms.mean() + (1 - weight) * error.mean()
    value = UnifiedFocalLoss(weight, delta, gamma, 0.0)(*case)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_one_channel_is_foreground_and_background() -> None:
    z, t = binary()
    two = torch.cat([torch.zeros_like(z), z], 1)
    torch.testing.assert_close(
        UnifiedFocalLoss()(z, t), UnifiedFocalLoss()(two, t.squeeze(1).long())
    )


def test_without_cross_entropy_and_focus_it_is_tversky() -> None:
    z, t = multiclass()
    torch.testing.assert_close(UnifiedFocalLoss(0.0, 0.7, 0.0)(z, t), TverskyLoss(0.3, 0.7)(z, t))


def test_keeps_a_gradient_on_a_confident_mistake() -> None:
    z = torch.tensor([[-1e3, 0.0], [0.0, -1e3]], requires_grad=True)
    UnifiedFocalLoss()(z, torch.tensor([0, 1])).backward()
    assert z.grad is not None
    assert z.grad[0, 0] < -0.01
    assert z.grad[1, 1] < -0.01


def test_a_gamma_of_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gamma=1.0 is not a number in \[0, 1\)"):
        UnifiedFocalLoss(gamma=1.0)(*two_classes())
