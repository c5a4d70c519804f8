"""Losses of torch, of other libraries and of users."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import CompoundLoss, DiceLoss, FocalLoss
from sklearnloss.losses._foreign import (
    accepts,
    call_loss,
    loss_form,
    weighted_mean,
)
from sklearnloss.losses._known_losses import refuse_probability_loss

from .cases import binary, multiclass, whole_images

REPEATS = torch.tensor([0, 1, 3])


class MyCrossEntropy(nn.CrossEntropyLoss):
    pass


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss,
        MyCrossEntropy(),
        nn.MultiMarginLoss(),
        F.cross_entropy,
        functools.partial(F.cross_entropy, label_smoothing=0.1),
        functools.partial(functools.partial(F.cross_entropy), label_smoothing=0.1),
    ],
)
def test_torch_s_losses_of_classes_have_a_softmax_form(loss: Any) -> None:
    assert loss_form(loss) == "softmax"


def test_kornia_s_losses_of_classes_have_a_softmax_form() -> None:
    kornia = pytest.importorskip("kornia.losses")
    assert loss_form(kornia.DiceLoss()) == "softmax"
    assert loss_form(kornia.focal_loss) == "softmax"


@pytest.mark.parametrize(
    "loss", [nn.BCEWithLogitsLoss(), nn.MSELoss(), lambda z, t: z.mean(), F.mse_loss, FocalLoss()]
)
def test_others_go_by_the_target(loss: Any) -> None:
    assert loss_form(loss) == "any"


@pytest.mark.parametrize(
    ("loss", "instead"),
    [
        (nn.NLLLoss(), "nn.CrossEntropyLoss or 'cross_entropy'"),
        (nn.BCELoss, "nn.BCEWithLogitsLoss or 'bce'"),
        (F.binary_cross_entropy, "F.binary_cross_entropy_with_logits or 'bce'"),
        (functools.partial(F.nll_loss, ignore_index=255), "F.cross_entropy or 'cross_entropy'"),
    ],
)
def test_losses_of_probabilities_are_refused(loss: Any, instead: str) -> None:
    with pytest.raises(ValueError, match=f"expects probabilities.*Use {instead}"):
        refuse_probability_loss(loss)
    refuse_probability_loss(nn.BCEWithLogitsLoss())


WEIGHT = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize(
    "loss",
    [
        nn.BCEWithLogitsLoss(),
        F.binary_cross_entropy_with_logits,
        functools.partial(F.binary_cross_entropy_with_logits, pos_weight=WEIGHT[:1]),
        nn.MSELoss(reduction="sum"),
        lambda z, t: (z - t).square().mean((1, 2, 3)),
        DiceLoss(),
    ],
)
def test_a_weight_of_two_is_the_sample_twice_on_masks(loss: Any) -> None:
    z, t = binary()
    before = getattr(loss, "reduction", None)
    weighted = call_loss(loss, z, t, REPEATS)
    assert getattr(loss, "reduction", None) == before
    copies = call_loss(loss, z.repeat_interleave(REPEATS, 0), t.repeat_interleave(REPEATS, 0))
    torch.testing.assert_close(weighted, copies if copies.ndim == 0 else copies.mean())


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.2),
        nn.CrossEntropyLoss(weight=WEIGHT, ignore_index=2),
        CompoundLoss([nn.CrossEntropyLoss(ignore_index=1), DiceLoss(ignore_index=1)]),
        nn.MultiMarginLoss(p=2, weight=WEIGHT),
    ],
)
def test_a_weight_of_two_is_the_sample_twice_on_classes(loss: Any) -> None:
    z, t = multiclass() if not isinstance(loss, nn.MultiMarginLoss) else whole_images(3)
    copies = loss(z.repeat_interleave(REPEATS, 0), t.repeat_interleave(REPEATS, 0))
    torch.testing.assert_close(call_loss(loss, z, t, REPEATS), copies)


def test_one_number_for_the_batch_cannot_be_weighted() -> None:
    def mean_error(z: Tensor, t: Tensor) -> Tensor:
        return (z - t).abs().mean()

    with pytest.raises(
        ValueError, match=r"mean_error returns a tensor of shape \(\) for 3 samples"
    ):
        call_loss(mean_error, *binary(), REPEATS)
    torch.testing.assert_close(call_loss(mean_error, *binary()), mean_error(*binary()))


def test_a_mean_of_nothing_is_zero() -> None:
    values = torch.ones(3, 2)
    assert weighted_mean(values, torch.zeros(3)) == 0
    assert weighted_mean(values, None) == 1


def test_keywords_are_found_where_they_can_be() -> None:
    assert accepts(nn.BCEWithLogitsLoss(), "target")
    assert accepts(F.cross_entropy, "reduction")
    assert not accepts(torch.sub, "sample_weight")  # written in C: it does not say


SUMS: list[Any] = [
    nn.CrossEntropyLoss(reduction="sum"),
    nn.MultiMarginLoss(reduction="sum"),
    functools.partial(F.cross_entropy, reduction="sum"),
]


@pytest.mark.parametrize("loss", SUMS)
def test_a_loss_that_sums_sums_weighted_samples(loss: Any) -> None:
    z, y = torch.randn(3, 4), torch.tensor([0, 3, 2])
    expected = loss(z.repeat_interleave(REPEATS, 0), y.repeat_interleave(REPEATS, 0))
    torch.testing.assert_close(call_loss(loss, z, y, REPEATS), expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"The loss <lambda> returns None for logits of shape \(3, 4\)"),
        (0.5, r"returns a float, 0.5, for logits of shape \(3, 4\). Expected a tensor: one number"),
        (torch.ones(4), r"returns a tensor of shape \(4,\).*a value for each of the 3 samples"),
        (torch.ones(1, 4), r"returns a tensor of shape \(1, 4\)"),
    ],
)
@pytest.mark.parametrize("weight", [None, torch.ones(3)])
def test_what_is_no_loss_is_named(value: Any, message: str, weight: Tensor | None) -> None:
    with pytest.raises(ValueError, match=message):
        call_loss(lambda z, t: value, torch.zeros(3, 4), torch.zeros(3).long(), weight)


def test_one_number_may_have_an_axis() -> None:
    value = call_loss(lambda z, t: z.sum()[None], torch.ones(3, 4), torch.zeros(3).long())
    assert value.ndim == 0
    assert float(value) == 12
