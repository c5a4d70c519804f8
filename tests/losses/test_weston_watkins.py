from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import MultiClassHingeLoss, WestonWatkinsHingeLoss

from .cases import binary, logits, multiclass, two_classes, whole_images


@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("p", [1, 2])
def test_equals_torchs_multi_margin_loss(margin: float, p: int) -> None:
    z, t = whole_images()
    torch.testing.assert_close(
        WestonWatkinsHingeLoss(margin=margin, p=p)(z, t),
        F.multi_margin_loss(z, t, margin=margin, p=p),
    )


@pytest.mark.parametrize("margin", [0.1, 0.7])
@pytest.mark.parametrize("p", [1, 1.5, 2])
def test_a_safe_lead_costs_exactly_nothing(margin: float, p: float) -> None:
    z = torch.tensor([[9.0, 0.0, 1.0]])
    assert WestonWatkinsHingeLoss(margin=margin, p=p)(z, torch.tensor([0])) == 0


def test_equals_torchs_multi_margin_loss_on_images() -> None:
    z, t = multiclass()
    flat = z.movedim(1, -1).reshape(-1, 4)
    torch.testing.assert_close(
        WestonWatkinsHingeLoss()(z, t), F.multi_margin_loss(flat, t.flatten())
    )


def test_two_classes_are_half_the_crammer_singer_hinge() -> None:
    torch.testing.assert_close(
        WestonWatkinsHingeLoss()(*two_classes()), MultiClassHingeLoss()(*two_classes()) / 2
    )
    torch.testing.assert_close(
        WestonWatkinsHingeLoss()(*binary()), MultiClassHingeLoss()(*binary()) / 2
    )


def test_class_probabilities_give_the_expected_loss() -> None:
    z, t = logits(5, 3), logits(5, 3, seed=1).softmax(1)
    each = [WestonWatkinsHingeLoss("none")(z, torch.full((5,), c)) for c in range(3)]
    expected = (torch.stack(each, 1) * t).sum(1)
    torch.testing.assert_close(WestonWatkinsHingeLoss("none")(z, t), expected)
