from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import CrossEntropyLoss, TopKCrossEntropyLoss

from .cases import multiclass

WEIGHT = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("n_kept", [1, 9, 45, 90])
def test_is_the_mean_of_the_hardest(n_kept: int) -> None:
    z, t = multiclass()
    nll = F.cross_entropy(z, t, reduction="none").flatten()
    expected = nll.topk(n_kept).values.mean()
    torch.testing.assert_close(TopKCrossEntropyLoss(n_kept / 90)(z, t), expected)


def test_an_element_on_the_limit_counts_in_part() -> None:
    z, t = multiclass()
    nll = F.cross_entropy(z, t, reduction="none").flatten().sort(descending=True).values
    expected = (nll[:9].sum() + 0.5 * nll[9]) / 9.5
    torch.testing.assert_close(TopKCrossEntropyLoss(9.5 / 90)(z, t), expected)


def test_all_of_them_are_cross_entropy() -> None:
    z, t = multiclass()
    torch.testing.assert_close(TopKCrossEntropyLoss(1.0)(z, t), CrossEntropyLoss()(z, t))
    torch.testing.assert_close(
        TopKCrossEntropyLoss(1.0, class_weight=WEIGHT)(z, t),
        CrossEntropyLoss(class_weight=WEIGHT)(z, t),
    )


def test_ignored_pixels_are_not_among_the_hardest() -> None:
    z, t = multiclass()
    keep = torch.rand(t.shape) > 0.5
    nll = F.cross_entropy(z, t, reduction="none")[keep]
    k = 10 / keep.sum().item()
    value = TopKCrossEntropyLoss(k)(z, t.masked_fill(~keep, -100))
    torch.testing.assert_close(value, nll.topk(10).values.mean())


def test_reductions_choose_in_the_whole_batch() -> None:
    z, t = multiclass()
    none = TopKCrossEntropyLoss(0.1, "none")(z, t)
    assert (none > 0).sum() == 9
    sample = TopKCrossEntropyLoss(0.1, "sample")(z, t)
    counts = (none > 0).sum((1, 2))
    expected = torch.where(counts > 0, none.sum((1, 2)) / counts.clamp(min=1), 0)
    torch.testing.assert_close(sample, expected)


def test_gradient_is_that_of_the_hardest_alone() -> None:
    z, t = multiclass()
    z.requires_grad_()
    TopKCrossEntropyLoss(0.1)(z, t).backward()
    assert z.grad is not None
    assert (z.grad.abs().sum(1) > 0).sum() == 9


def test_none_of_them_are_refused() -> None:
    with pytest.raises(ValueError, match=r"k=0.0 is not a number in \(0, 1\]"):
        TopKCrossEntropyLoss(0.0)(*multiclass())


@pytest.mark.parametrize("seed", [10, 12, 14, 16, 23, 33])
def test_ignored_elements_cost_nothing_where_the_sum_of_weights_is_rounded(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(200, generator=generator)
    z = torch.randn(200, 3, generator=generator)
    t = torch.randint(3, (200,), generator=generator)
    t[::7] = -100
    values = TopKCrossEntropyLoss(k=1.0, reduction="none")(z, t, weight)
    assert (values[::7] == 0).all()
    assert (values[t >= 0] > 0).all()
