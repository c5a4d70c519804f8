from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import MultiClassHingeLoss

from .cases import binary, logits, multiclass, two_classes, whole_images


def test_equals_a_loop_over_samples() -> None:
    z, t = whole_images()
    values = []
    for scores, label in zip(z, t, strict=True):
        rival = max(s for j, s in enumerate(scores) if j != label)
        values.append(max(torch.tensor(0.0), 0.5 + rival - scores[label]))
    expected = torch.stack(values).mean()
    torch.testing.assert_close(MultiClassHingeLoss(margin=0.5)(z, t), expected)


def test_an_exponent_of_two_squares_each_hinge() -> None:
    z, t = multiclass()
    squares = MultiClassHingeLoss("none")(z, t).square()
    torch.testing.assert_close(MultiClassHingeLoss("none", p=2)(z, t), squares)
    with pytest.raises(ValueError, match=r"p=0.5 is not a number in \[1, inf\)"):
        MultiClassHingeLoss(p=0.5)(z, t)


def test_two_classes_are_the_binary_hinge_of_the_difference() -> None:
    z, t = two_classes()
    sign = 2 * t - 1
    expected = (1 - sign * (z[:, 1] - z[:, 0])).relu().mean()
    torch.testing.assert_close(MultiClassHingeLoss()(z, t), expected)
    torch.testing.assert_close(MultiClassHingeLoss()((z[:, 1] - z[:, 0]).unsqueeze(1), t), expected)


def test_is_not_torchs_multi_margin_loss() -> None:
    z, t = whole_images()
    assert MultiClassHingeLoss()(z, t) != F.multi_margin_loss(z, t)


def test_equal_rivals_leave_each_other_as_rival() -> None:
    z = torch.tensor([[2.0, 2.0, 0.0]])
    assert MultiClassHingeLoss()(z, torch.tensor([0])) == 1
    assert MultiClassHingeLoss()(z, torch.tensor([2])) == 3


def test_works_on_images_and_binary_masks() -> None:
    assert MultiClassHingeLoss("none")(*multiclass()).shape == (3, 6, 5)
    assert MultiClassHingeLoss("none")(*binary()).shape == (3, 6, 5)


def test_class_probabilities_give_the_expected_loss() -> None:
    z = logits(5, 3)
    t = logits(5, 3, seed=1).softmax(1)
    each = [MultiClassHingeLoss("none")(z, torch.full((5,), c)) for c in range(3)]
    torch.testing.assert_close(MultiClassHingeLoss("none")(z, t), (torch.stack(each, 1) * t).sum(1))


def test_a_margin_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"margin=0 is not a number in \(0, inf\)"):
        MultiClassHingeLoss(margin=0)(*whole_images())
