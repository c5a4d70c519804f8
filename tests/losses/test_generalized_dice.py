from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import GeneralizedDiceLoss

from .cases import Case, binary, logits, multiclass, volume
from .references import counts, maps


@pytest.mark.parametrize(("weight_type", "power"), [("square", 2), ("simple", 1), ("uniform", 0)])
def test_equals_the_formula_over_classes(weight_type: str, power: int) -> None:
    case = multiclass()
    c = counts(case)
    w = 1 / (c.tp + c.fn) ** power
    expected = 1 - (2 * (w * c.tp).sum(1) + 0.1) / ((w * (2 * c.tp + c.fp + c.fn)).sum(1) + 0.1)
    value = GeneralizedDiceLoss(weight_type, 0.1)(*case)  # type: ignore[arg-type]
    assert value.item() == pytest.approx(expected.mean(), rel=1e-12)


def test_one_channel_is_foreground_and_background() -> None:
    z, t = binary()
    two = torch.cat([torch.zeros_like(z), z], 1)
    torch.testing.assert_close(
        GeneralizedDiceLoss()(z, t), GeneralizedDiceLoss()(two, t.squeeze(1).long())
    )


def test_an_absent_class_gets_the_largest_weight_of_those_present() -> None:
    z = logits(1, 3, 10)
    t = torch.tensor([[0] * 8 + [1] * 2])
    p, onehot = maps(Case(z, t))
    w = np.array([1 / 64, 1 / 4, 1 / 4])
    tp, total = (p * onehot).sum(2), (p + onehot).sum(2)
    expected = 1 - 2 * (w * tp).sum() / (w * total).sum()
    assert GeneralizedDiceLoss(eps=0.0)(z, t).item() == pytest.approx(expected, rel=1e-12)


def test_batch_pools_before_weighting() -> None:
    z, t = volume()
    as_one = GeneralizedDiceLoss()(
        z.movedim(0, 1).flatten(1, 2).unsqueeze(0), t.flatten(0, 1).unsqueeze(0)
    )
    torch.testing.assert_close(GeneralizedDiceLoss(batch=True)(z, t), as_one)


def test_background_can_be_left_out() -> None:
    z, t = multiclass()
    c = counts(Case(z, t))
    w = (1 / (c.tp + c.fn) ** 2)[:, 1:]
    above, below = 2 * c.tp[:, 1:], (2 * c.tp + c.fp + c.fn)[:, 1:]
    expected = 1 - (w * above).sum(1) / (w * below).sum(1)
    value = GeneralizedDiceLoss(eps=0, include_background=False)(z, t)
    assert value.item() == pytest.approx(expected.mean(), rel=1e-12)


def test_a_false_alarm_costs_where_no_class_is_present() -> None:
    """Where MONAI's is 0 whatever is predicted."""
    t = torch.zeros(1, 6, 5).long()
    nothing = torch.tensor([30.0, -30.0, -30.0]).reshape(1, 3, 1, 1).expand(1, 3, 6, 5)
    loss = GeneralizedDiceLoss(include_background=False)
    assert loss(nothing, t).item() == pytest.approx(0, abs=1e-4)
    assert loss(-nothing, t).item() == pytest.approx(1, abs=1e-4)
    no_labels = torch.zeros(1, 3, 6, 5)
    assert GeneralizedDiceLoss()(no_labels + 5, no_labels).item() == pytest.approx(1, abs=1e-4)
    assert GeneralizedDiceLoss()(no_labels - 50, no_labels).item() == pytest.approx(0, abs=1e-4)
    monai = pytest.importorskip("monai.losses")
    theirs = monai.GeneralizedDiceLoss(include_background=False, softmax=True, to_onehot_y=True)
    assert theirs(-nothing, t.unsqueeze(1)) == 0


def test_an_unknown_weight_type_is_refused() -> None:
    with pytest.raises(ValueError, match="weight_type='log' is unknown. Expected 'square'"):
        GeneralizedDiceLoss("log")(*multiclass())  # type: ignore[arg-type]
