from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import BCEWithLogitsLoss

from .cases import binary, logits, multiclass


def test_equals_torch() -> None:
    z, t = binary()
    for reduction in ("mean", "sum", "none"):
        expected = F.binary_cross_entropy_with_logits(z, t, reduction=reduction)
        torch.testing.assert_close(BCEWithLogitsLoss(reduction)(z, t), expected)


def test_is_exact_where_torch_rounds_to_zero() -> None:
    z = torch.tensor([[-15.0]])
    exact = np.log1p(np.exp(-15.0))
    assert F.binary_cross_entropy_with_logits(z, torch.zeros(1, 1)) != exact
    assert BCEWithLogitsLoss()(z, torch.zeros(1, 1)).item() == pytest.approx(exact, rel=1e-6)


def test_gradient_at_zero_is_p_minus_t() -> None:
    z = torch.zeros(2, 1, requires_grad=True)
    BCEWithLogitsLoss("sum")(z, torch.tensor([[0.0], [1.0]])).backward()
    assert z.grad is not None
    assert z.grad.flatten().tolist() == [0.5, -0.5]


def test_gradient_does_not_vanish_on_a_confident_mistake() -> None:
    z = torch.tensor([[-1e4]], requires_grad=True)
    BCEWithLogitsLoss()(z, torch.ones(1, 1)).backward()
    assert z.grad is not None
    assert z.grad.item() == -1


def test_pos_weight_equals_torch_per_channel() -> None:
    z = logits(3, 4, 5, 5)
    t = (logits(3, 4, 5, 5, seed=1) > 0).double()
    weight = torch.tensor([0.5, 1.0, 2.0, 7.0], dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(z, t, pos_weight=weight.reshape(4, 1, 1))
    for given in (weight, weight.tolist(), dict(enumerate(weight.tolist()))):
        torch.testing.assert_close(BCEWithLogitsLoss(pos_weight=given)(z, t), expected)


def test_label_smoothing_moves_targets_towards_a_half() -> None:
    z, t = binary()
    smoothed = F.binary_cross_entropy_with_logits(z, 0.8 * t + 0.1)
    torch.testing.assert_close(BCEWithLogitsLoss(label_smoothing=0.2)(z, t), smoothed)


def test_class_indices_become_one_mask_per_class() -> None:
    z, t = multiclass()
    masks = F.one_hot(t, 4).movedim(-1, 1).double()
    torch.testing.assert_close(BCEWithLogitsLoss()(z, t), BCEWithLogitsLoss()(z, masks))


def test_ignored_pixels_leave_numerator_and_denominator() -> None:
    z, t = binary()
    keep = torch.rand(t.shape) > 0.3
    value = BCEWithLogitsLoss(ignore_index=255)(z, t.masked_fill(~keep, 255))
    expected = F.binary_cross_entropy_with_logits(z[keep], t[keep])
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"label_smoothing": 1.5}, r"label_smoothing=1.5 is not a number in \[0, 1\]"),
        ({"pos_weight": [1.0, 2.0]}, r"pos_weight has shape \(2,\), but there are 1 classes"),
        ({"pos_weight": -1.0}, "pos_weight must lie between 0 and inf"),
        ({"pos_weight": float("inf")}, "pos_weight holds inf, which is out of range for float32"),
        ({"pos_weight": [1e38]}, r"pos_weight holds 1e\+38"),
        ({"pos_weight": {3: 1.0}}, "pos_weight names the class 3, but the classes are 0 to 0"),
    ],
)
def test_illegal_parameters_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BCEWithLogitsLoss(**params)(*binary())  # type: ignore[arg-type]
