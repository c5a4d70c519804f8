from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import DiceLoss, TverskyLoss

from .cases import binary, logits, multiclass, volume


def closed_form(p: np.ndarray, t: np.ndarray, eps: float, squared: bool) -> float:
    """Dice of each sample and class, in numpy, averaged."""
    values = []
    for pn, tn in zip(p, t, strict=True):
        for pc, tc in zip(pn, tn, strict=True):
            below = (pc**2).sum() + (tc**2).sum() if squared else pc.sum() + tc.sum()
            values.append(1 - (2 * (pc * tc).sum() + eps) / (below + eps))
    return float(np.mean(values))


@pytest.mark.parametrize("eps", [1e-6, 1.0])
@pytest.mark.parametrize("squared", [False, True])
def test_equals_the_formula(eps: float, squared: bool) -> None:
    loss = DiceLoss(eps, squared=squared)
    z, t = binary()
    expected = closed_form(z.sigmoid().numpy(), t.numpy(), eps, squared)
    assert loss(z, t).item() == pytest.approx(expected, rel=1e-12)
    z, t = multiclass()
    one_hot = np.moveaxis(np.eye(4)[t], -1, 1)
    expected = closed_form(z.softmax(1).numpy(), one_hot, eps, squared)
    assert loss(z, t).item() == pytest.approx(expected, rel=1e-12)


def test_is_tversky_of_halves_with_twice_the_eps() -> None:
    expected = TverskyLoss(0.5, 0.5, eps=0.3)(*multiclass())
    torch.testing.assert_close(DiceLoss(eps=0.6)(*multiclass()), expected)


def test_perfect_mask_costs_nothing() -> None:
    t = (torch.rand(2, 1, 8, 8) > 0.5).float()
    assert DiceLoss()(1e4 * (2 * t - 1), t) == 0


def test_empty_prediction_of_an_empty_mask_costs_nothing() -> None:
    z, t = torch.full((2, 1, 8, 8), -1e4), torch.zeros(2, 1, 8, 8)
    for eps in (1e-6, 0.0):
        assert DiceLoss(eps)(z, t) == 0


def test_batch_pools_the_counts() -> None:
    z, t = volume()
    pooled = DiceLoss(batch=True)(z, t)
    as_one = DiceLoss()(z.movedim(0, 1).flatten(1, 2).unsqueeze(0), t.flatten(0, 1).unsqueeze(0))
    torch.testing.assert_close(pooled, as_one)


def test_batch_gives_one_value_that_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="batch=True gives one value for the whole batch"):
        DiceLoss(batch=True, reduction="none")(*multiclass())


def test_background_can_be_left_out() -> None:
    z, t = multiclass()
    per_class = [DiceLoss(class_weight=w)(z, t) for w in np.eye(4)]
    torch.testing.assert_close(
        DiceLoss(include_background=False)(z, t), torch.stack(per_class[1:]).mean()
    )
    z, t = binary()
    torch.testing.assert_close(DiceLoss(include_background=False)(z, t), DiceLoss()(z, t))


def test_class_weights_average_the_classes() -> None:
    z, t = multiclass()
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    per_class = torch.stack([DiceLoss(class_weight=w)(z, t) for w in np.eye(4)])
    expected = (torch.from_numpy(weight) * per_class).sum() / weight.sum()
    torch.testing.assert_close(DiceLoss(class_weight=weight)(z, t), expected)


def test_absent_classes_count() -> None:
    z = logits(2, 3, 5, 5)
    t = torch.zeros(2, 5, 5, dtype=torch.long)
    assert DiceLoss()(z, t) > 0.66


def test_half_precision_sums_do_not_overflow() -> None:
    z = torch.full((1, 1, 512, 512), 5.0, dtype=torch.float16)
    t = torch.ones(1, 1, 512, 512)
    torch.testing.assert_close(DiceLoss()(z, t), DiceLoss()(z.float(), t))


def test_large_images_lose_no_precision() -> None:
    z = torch.full((1, 1, 2048, 2048), -12.0)
    t = torch.zeros(1, 1, 2048, 2048)
    t[..., :10, :10] = 1
    z[..., :10, :10] = 3
    torch.testing.assert_close(
        DiceLoss()(z, t).double(), DiceLoss()(z.double(), t), rtol=1e-5, atol=1e-7
    )


def test_negative_eps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"eps=-1 is not a number in \[0, inf\)"):
        DiceLoss(-1)(*binary())


@pytest.mark.parametrize("eps", [0.0, 1e-50, torch.tensor(0.0)])
def test_an_empty_prediction_of_an_empty_mask_costs_nothing_without_eps(eps: float) -> None:
    z = torch.full((1, 1, 2, 2), -torch.inf, requires_grad=True)
    loss = DiceLoss(eps)(z, torch.zeros(1, 1, 2, 2))
    loss.backward()
    assert loss.item() == 0
    assert z.grad is not None
    assert not z.grad.any()
