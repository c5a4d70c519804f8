from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, LabelSmoothingCrossEntropy

from .cases import binary, logits, multiclass, two_classes, volume, whole_images

WEIGHT = torch.tensor([0.2, 1.0, 3.0, 0.5], dtype=torch.float64)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_equals_torch(smoothing: float, weight: torch.Tensor | None, reduction: str) -> None:
    z, t = multiclass()
    t = t.clone()
    t[0, 0, :3] = -100
    expected = F.cross_entropy(z, t, weight=weight, label_smoothing=smoothing, reduction=reduction)
    ours = CrossEntropyLoss(reduction, label_smoothing=smoothing, class_weight=weight)  # type: ignore[arg-type]
    torch.testing.assert_close(ours(z, t), expected)
    smoothed = LabelSmoothingCrossEntropy(smoothing, reduction, class_weight=weight)  # type: ignore[arg-type]
    torch.testing.assert_close(smoothed(z, t), expected)


def test_class_probabilities_equal_torch() -> None:
    z = logits(3, 4, 6, 5)
    probabilities = logits(3, 4, 6, 5, seed=1).softmax(1)
    torch.testing.assert_close(
        CrossEntropyLoss()(z, probabilities), F.cross_entropy(z, probabilities)
    )


def test_one_hot_probabilities_equal_indices_also_when_weighted() -> None:
    z, t = multiclass()
    one_hot = F.one_hot(t, 4).movedim(-1, 1).double()
    loss = CrossEntropyLoss(class_weight=WEIGHT, label_smoothing=0.1)
    torch.testing.assert_close(loss(z, one_hot), loss(z, t))


def test_class_weights_come_as_list_dict_or_tensor() -> None:
    z, t = whole_images()
    expected = CrossEntropyLoss(class_weight=WEIGHT)(z, t)
    for given in (WEIGHT.tolist(), {0: 0.2, 2: 3.0, 3: 0.5}):
        torch.testing.assert_close(CrossEntropyLoss(class_weight=given)(z, t), expected)


def test_two_classes_equal_binary_cross_entropy_of_the_difference() -> None:
    z, t = two_classes()
    difference = (z[:, 1] - z[:, 0]).unsqueeze(1)
    torch.testing.assert_close(CrossEntropyLoss()(z, t), BCEWithLogitsLoss()(difference, t))


def test_one_channel_scores_zero_and_z() -> None:
    z, t = binary()
    torch.testing.assert_close(CrossEntropyLoss()(z, t), BCEWithLogitsLoss()(z, t))


def test_a_class_with_logit_minus_infinity_has_no_probability_and_no_gradient() -> None:
    z = torch.tensor([[0.0, 1.0, -torch.inf]], requires_grad=True)
    value = CrossEntropyLoss()(z, torch.tensor([1]))
    value.backward()
    torch.testing.assert_close(value, F.cross_entropy(z[:, :2], torch.tensor([1])))
    assert z.grad is not None
    assert z.grad[0, 2] == 0


def test_soft_target_without_mass_on_a_masked_class_is_finite() -> None:
    z = torch.tensor([[0.0, 1.0, -torch.inf]])
    t = torch.tensor([[0.5, 0.5, 0.0]])
    torch.testing.assert_close(CrossEntropyLoss()(z, t), CrossEntropyLoss()(z[:, :2], t[:, :2]))


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    z = logits(2, 3, 4)
    with pytest.raises(ValueError, match=r"at \[0, 0\] they sum to 3 over axis 1"):
        CrossEntropyLoss()(z, torch.ones(2, 3, 4))


def test_volumes_equal_torch() -> None:
    torch.testing.assert_close(CrossEntropyLoss()(*volume()), F.cross_entropy(*volume()))


@pytest.mark.parametrize("eps", [-0.1, 1.1, None, "a"])
def test_smoothing_outside_of_0_to_1_is_refused(eps: object) -> None:
    with pytest.raises(ValueError, match=r"eps=.* is not a number in \[0, 1\]"):
        LabelSmoothingCrossEntropy(eps)(*multiclass())  # type: ignore[arg-type]


def test_balanced_needs_the_estimator() -> None:
    with pytest.raises(ValueError, match="the estimator's own class_weight does that"):
        CrossEntropyLoss(class_weight="balanced")(*multiclass())  # type: ignore[arg-type]
