"""Losses of torch, of other libraries and of users."""

from __future__ import annotations

import copy
import functools
import pickle
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import CompoundLoss, CrossEntropyLoss, DiceLoss, FocalLoss, Loss
from sklearnloss.losses._core.foreign import accepts, call_loss, loss_form, weighted_mean

from ..cases import binary, multiclass, whole_images

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
    "loss", [nn.BCEWithLogitsLoss(), nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss]
)
def test_torch_s_losses_of_masks_have_a_sigmoid_form(loss: Any) -> None:
    assert loss_form(loss) == "sigmoid"


@pytest.mark.parametrize("loss", [lambda z, t: z.mean(), FocalLoss(), nn.Identity(), torch.sub])
def test_others_go_by_the_target(loss: Any) -> None:
    assert loss_form(loss) == "any"


def of_softmax(z: Tensor, t: Tensor, power: float = 1.0) -> Tensor:
    return (1 - z.softmax(1).gather(1, t.unsqueeze(1))).pow(power).mean()


of_softmax.form = "softmax"  # type: ignore[attr-defined]


class OfSoftmax(nn.Module):
    form = "softmax"

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return of_softmax(z, t)


def of_instance() -> nn.Module:
    loss = nn.Identity()
    loss.form = "softmax"  # type: ignore[assignment]
    return loss


def of_partial() -> Any:
    loss = functools.partial(F.mse_loss, reduction="sum")
    loss.form = "softmax"  # type: ignore[attr-defined]
    return functools.partial(loss)


DECLARED = [
    of_softmax,
    functools.partial(of_softmax, power=2.0),
    functools.partial(functools.partial(of_softmax), power=2.0),
    OfSoftmax,
    OfSoftmax(),
    of_instance(),
    of_partial(),
]


@pytest.mark.parametrize("loss", DECLARED)
def test_an_attribute_says_which_form_a_loss_has(loss: Any) -> None:
    for twin in (loss, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert loss_form(twin) == "softmax"


@pytest.mark.parametrize("base", [nn.Module, Loss])
def test_another_form_is_refused(base: Any) -> None:
    class Misspelt(base):  # type: ignore[misc]
        form = "softmx"

    with pytest.raises(ValueError, match=r"form='softmx'.*'any', 'sigmoid', 'softmax'.*Did you"):
        loss_form(Misspelt())


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


def test_a_sum_over_classes_stays_one_under_weights() -> None:
    z, t = binary()
    batchmean = functools.partial(F.mse_loss, reduction="none")

    class PerImage(nn.Module):
        reduction = "batchmean"

        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            values = batchmean(z, t)
            return values if self.reduction == "none" else values.sum() / len(z)

    torch.testing.assert_close(call_loss(PerImage(), z, t, torch.ones(3)), PerImage()(z, t))


@pytest.mark.parametrize("weight", [None, torch.ones(2)], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(weight=WEIGHT, ignore_index=3, label_smoothing=0.1),
        functools.partial(F.cross_entropy, weight=WEIGHT, ignore_index=3, label_smoothing=0.1),
    ],
)
def test_cross_entropy_of_a_batch_that_is_all_ignored_is_zero(
    loss: Any, weight: Tensor | None
) -> None:
    z = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    value = call_loss(loss, z, torch.full((2, 3), 3), weight)
    value.backward()
    assert value == 0
    assert z.grad is not None
    assert (z.grad == 0).all()
    t = torch.tensor([[0, 3, 2], [1, 2, 2]])
    torch.testing.assert_close(call_loss(loss, z, t, weight), loss(z, t.clone()))


def test_class_probabilities_are_torch_s_own_matter() -> None:
    z, t = torch.randn(3, 4), torch.rand(3, 4)
    loss = nn.CrossEntropyLoss(weight=WEIGHT.float())
    torch.testing.assert_close(call_loss(loss, z, t), loss(z, t))


def test_other_settings_of_cross_entropy_are_torch_s() -> None:
    z, t = torch.randn(3, 4), torch.tensor([0, 1, 3])
    for loss in (F.cross_entropy, functools.partial(F.cross_entropy, reduction="sum")):
        torch.testing.assert_close(call_loss(loss, z, t), loss(z, t))


class Picky(Exception):
    pass


def raising(error: Exception) -> Any:
    def loss(z: Tensor, t: Tensor) -> Tensor:
        raise error

    return loss


GIVEN = (
    r"The loss loss failed on logits of shape \(3, 1, 6, 5\) and dtype torch.float64, target of "
    r"shape \(3, 1, 6, 5\) and dtype torch.float64"
)


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, TypeError, IndexError, AssertionError])
def test_errors_tell_what_the_loss_was_given(kind: type[Exception]) -> None:
    with pytest.raises(kind, match=GIVEN + ": too wide.*the guide .Write your own loss") as caught:
        call_loss(raising(kind("too wide")), *binary())
    assert isinstance(caught.value.__cause__, kind)


def test_an_error_without_a_text_has_its_name() -> None:
    with pytest.raises(AssertionError, match=GIVEN + r": AssertionError\. See"):
        call_loss(raising(AssertionError()), *binary())


def test_errors_of_other_classes_tell_it_in_a_note() -> None:
    error = Picky("not today")
    with pytest.raises(Picky, match="not today") as caught:
        call_loss(raising(error), *binary())
    assert caught.value is error
    assert re.match(GIVEN, error.__notes__[0])


def test_errors_of_built_in_losses_stay_as_they_are() -> None:
    z, t = binary()
    with pytest.raises(ValueError, match=r"^Got logits of shape"):
        call_loss(DiceLoss(), z, t[:, :, :3])
    with pytest.raises(ValueError, match=r"^Got logits of shape"):
        (DiceLoss() + CrossEntropyLoss())(z, t[:, :, :3])
