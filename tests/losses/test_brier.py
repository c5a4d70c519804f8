from __future__ import annotations

import torch
from sklearn.metrics import brier_score_loss
from torch.nn import functional as F

from sklearnloss.losses import BrierLoss

from .cases import binary, multiclass, two_classes


def test_sigmoid_form_is_scikit_learns_score() -> None:
    z, t = binary()
    expected = brier_score_loss(t.flatten(), z.sigmoid().flatten())
    torch.testing.assert_close(BrierLoss()(z, t).item(), expected)


def test_softmax_form_sums_over_classes() -> None:
    z, t = multiclass()
    onehot = F.one_hot(t, 4).movedim(-1, 1)
    torch.testing.assert_close(BrierLoss()(z, t), (z.softmax(1) - onehot).square().sum(1).mean())


def test_two_classes_are_twice_the_sigmoid_form() -> None:
    z, t = two_classes()
    torch.testing.assert_close(
        BrierLoss()(z, t), 2 * BrierLoss()((z[:, 1] - z[:, 0]).unsqueeze(1), t)
    )
