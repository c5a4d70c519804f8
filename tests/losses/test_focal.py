from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, FocalLoss

from .cases import Case, binary, logits, multiclass, two_classes


def closed_form(case: Case, gamma: float, alpha: float | None) -> float:
    """The paper's formula on probabilities, in numpy."""
    p = 1 / (1 + np.exp(-case.logits.numpy()))
    t = case.target.numpy()
    p_t = np.where(t == 1, p, 1 - p)
    alpha_t = 1.0 if alpha is None else np.where(t == 1, alpha, 1 - alpha)
    return float(np.mean(-alpha_t * (1 - p_t) ** gamma * np.log(p_t)))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
def test_sigmoid_form_equals_the_paper(gamma: float, alpha: float | None) -> None:
    case = binary()
    expected = closed_form(case, gamma, alpha)
    assert FocalLoss(gamma, alpha)(*case).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_softmax_form_equals_the_formula(gamma: float) -> None:
    z, t = multiclass()
    p = z.softmax(1).gather(1, t.unsqueeze(1))
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    torch.testing.assert_close(FocalLoss(gamma)(z, t), expected)


def test_gamma_0_is_cross_entropy() -> None:
    torch.testing.assert_close(FocalLoss(0, None)(*binary()), BCEWithLogitsLoss()(*binary()))
    torch.testing.assert_close(FocalLoss(0)(*multiclass()), CrossEntropyLoss()(*multiclass()))


def test_two_classes_equal_the_sigmoid_form_of_the_difference() -> None:
    z, t = two_classes()
    difference = (z[:, 1] - z[:, 0]).unsqueeze(1)
    torch.testing.assert_close(FocalLoss()(z, t), FocalLoss(alpha=None)(difference, t))


def test_alpha_auto_is_a_quarter_for_masks_and_nothing_for_indices() -> None:
    torch.testing.assert_close(FocalLoss()(*binary()), FocalLoss(alpha=0.25)(*binary()))
    torch.testing.assert_close(FocalLoss()(*multiclass()), FocalLoss(alpha=None)(*multiclass()))


def test_alpha_on_indices_scales_or_weighs_classes() -> None:
    z, t = multiclass()
    plain = FocalLoss(reduction="none")(z, t)
    torch.testing.assert_close(FocalLoss(alpha=3.0)(z, t), 3 * plain.mean())
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(FocalLoss(alpha=weight)(z, t), (weight[t] * plain).mean())


def test_alpha_per_channel_weighs_each_mask() -> None:
    z = logits(3, 2, 6, 5)
    t = (logits(3, 2, 6, 5, seed=1) > 0).double()
    both = FocalLoss(alpha=[0.2, 0.7])(z, t)
    alone = [FocalLoss(alpha=a)(z[:, c], t[:, c]) for c, a in enumerate([0.2, 0.7])]
    torch.testing.assert_close(both, sum(alone) / 2)


def test_is_linear_in_soft_targets() -> None:
    z, _ = binary()
    ones, zeros = torch.ones_like(z), torch.zeros_like(z)
    expected = 0.3 * FocalLoss()(z, ones) + 0.7 * FocalLoss()(z, zeros)
    torch.testing.assert_close(FocalLoss()(z, 0.3 * ones), expected)


@pytest.mark.parametrize("gamma", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("size", [20.0, 100.0, 1e4])
def test_gradient_is_finite_for_gamma_below_1(gamma: float, size: float) -> None:
    z = torch.tensor([[size], [-size]], requires_grad=True)
    FocalLoss(gamma)(z, torch.tensor([[1.0], [0.0]])).backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    z = torch.tensor([[size, 0.0, -size]], requires_grad=True)
    FocalLoss(gamma)(z, torch.tensor([0])).backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_gradient_does_not_vanish_on_a_confident_mistake() -> None:
    z = torch.tensor([[-100.0]], requires_grad=True)
    value = FocalLoss(2.0, 0.25)(z, torch.ones(1, 1))
    value.backward()
    assert value.item() == pytest.approx(25.0)
    assert z.grad is not None
    assert z.grad.item() == pytest.approx(-0.25)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"gamma": -1.0}, r"gamma=-1.0 is not a number in \[0, inf\)"),
        ({"alpha": "balanced"}, "alpha='balanced' is unknown. Expected 'auto', None"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1.0"),
    ],
)
def test_illegal_parameters_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FocalLoss(**params)(*binary())  # type: ignore[arg-type]


def test_equals_cross_entropy_weighted_by_difficulty() -> None:
    z, t = multiclass()
    nll = F.cross_entropy(z, t, reduction="none")
    torch.testing.assert_close(FocalLoss(3)(z, t), ((1 - (-nll).exp()) ** 3 * nll).mean())
