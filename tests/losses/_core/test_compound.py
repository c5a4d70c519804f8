from __future__ import annotations

import copy
import functools
import operator
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    BrierLoss,
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    Loss,
    TverskyLoss,
)

from ..cases import binary, logits, multiclass


def distance_loss(z: Tensor, t: Tensor) -> Tensor:
    return (z.sigmoid() - t).abs().mean()


def names(loss: CompoundLoss) -> list[str]:
    return [member.name for member in loss.members]


def weights(loss: CompoundLoss) -> list[float]:
    return [float(member.weight) for member in loss.members]


def test_value_is_the_weighted_sum() -> None:
    loss = 0.7 * DiceLoss() + 0.3 * FocalLoss(gamma=3)
    expected = 0.7 * DiceLoss()(*binary()) + 0.3 * FocalLoss(gamma=3)(*binary())
    torch.testing.assert_close(loss(*binary()), expected)


def test_sums_are_flat() -> None:
    a, b, c = DiceLoss(), FocalLoss(), TverskyLoss()
    assert names(a + b + c) == ["dice", "focal", "tversky"]
    assert names(a + (b + c)) == ["dice", "focal", "tversky"]
    assert weights(0.5 * (a + 2 * b)) == [0.5, 1.0]
    assert (a + b).weights is None
    assert names(2 * a) == ["dice"]


def test_operands_are_neither_shared_nor_changed() -> None:
    dice, focal = DiceLoss(), FocalLoss()
    total = dice + focal
    scaled = 2 * total
    total.set_params(dice__eps=1.0, weights__focal=3.0)
    assert dice.eps == 1e-6
    assert weights(scaled) == [2.0, 2.0]
    assert scaled.get_params()["dice__eps"] == 1e-6
    assert total.members[0].loss is not dice


def test_torch_modules_and_functions_stand_on_either_side() -> None:
    pairs: list[tuple[Any, Any]] = [
        (DiceLoss(), nn.BCEWithLogitsLoss()),
        (nn.BCEWithLogitsLoss(), DiceLoss()),
        (DiceLoss(), distance_loss),
        (distance_loss, DiceLoss()),
    ]
    for left, right in pairs:
        total = operator.add(left, right)
        torch.testing.assert_close(total(*binary()), left(*binary()) + right(*binary()))


def test_sum_of_a_list() -> None:
    total: Any = sum
    assert names(total([DiceLoss(), FocalLoss(), FocalLoss()])) == ["dice", "focal", "focal_2"]
    assert isinstance(total([DiceLoss()]), DiceLoss)


@pytest.mark.parametrize("other", [1, 0.5, "dice", None, DiceLoss])
def test_adding_anything_else_is_a_type_error(other: object) -> None:
    with pytest.raises(TypeError, match="expected a loss, a torch module or a function"):
        DiceLoss() + other  # type: ignore[operator]
    with pytest.raises(TypeError, match="expected a loss, a torch module or a function"):
        other + DiceLoss()


@pytest.mark.parametrize(
    "weight", [True, "2", None, float("nan"), float("inf"), DiceLoss(), torch.ones(1)]
)
def test_multiplying_by_anything_but_a_number_is_a_type_error(weight: object) -> None:
    with pytest.raises(TypeError, match="expected a finite number"):
        DiceLoss() * weight  # type: ignore[operator]


def test_numpy_and_tensor_scalars_are_weights() -> None:
    assert weights(np.float64(0.5) * DiceLoss()) == [0.5]
    assert weights(DiceLoss() * torch.tensor(0.5)) == [0.5]


def test_names_come_from_the_registry_or_the_class_or_function() -> None:
    class FancyHTTPLoss(Loss):
        def forward(self, *args: Tensor) -> Tensor:
            return args[0].mean()

    loss = CompoundLoss(
        [
            FocalLoss(),
            FocalLoss(),
            FancyHTTPLoss(),
            nn.BCEWithLogitsLoss(),
            distance_loss,
            lambda z, t: z.mean(),
            functools.partial(distance_loss),
            ("mine", DiceLoss()),
        ]
    )
    assert names(loss) == [
        "focal",
        "focal_2",
        "fancy_http",
        "bce_with_logits",
        "distance",
        "lambda",
        "distance_2",
        "mine",
    ]


def test_derived_names_make_way_for_given_ones() -> None:
    assert names(CompoundLoss([DiceLoss(), ("dice", FocalLoss())])) == ["dice_2", "dice"]


@pytest.mark.parametrize("name", ["losses", "weights", "a__b", "1a", "", 3])
def test_names_that_cannot_be_parameters_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match="cannot name a member"):
        CompoundLoss([(name, DiceLoss())]).get_params()  # type: ignore[list-item]


def test_given_names_are_unique() -> None:
    with pytest.raises(ValueError, match="'a' cannot name a member"):
        CompoundLoss([("a", DiceLoss()), ("a", FocalLoss())]).get_params()


def test_parameters_of_members_and_weights() -> None:
    params = (DiceLoss() + 0.5 * FocalLoss()).get_params()
    assert params["dice__eps"] == 1e-6
    assert params["focal__gamma"] == 2.0
    assert params["weights"] == [1.0, 0.5]
    assert (params["weights__dice"], params["weights__focal"]) == (1.0, 0.5)
    assert isinstance(params["focal"], FocalLoss)
    assert set(CompoundLoss([DiceLoss()]).get_params(deep=False)) == {"losses", "weights"}


def test_setting_parameters_leaves_what_was_passed_in_alone() -> None:
    members = [DiceLoss(), FocalLoss()]
    given = [1.0, 2.0]
    loss = CompoundLoss(members, given)
    assert loss.losses is members
    assert loss.weights is given
    loss.set_params(dice__eps=0.5, weights__focal=9.0)
    assert members[0].get_params()["eps"] == 1e-6
    assert given == [1.0, 2.0]
    assert loss.get_params()["dice__eps"] == 0.5
    assert weights(loss) == [1.0, 9.0]


def test_a_replaced_member_keeps_its_name_and_is_registered() -> None:
    loss = DiceLoss() + FocalLoss()
    loss.set_params(dice=nn.BCEWithLogitsLoss(pos_weight=torch.ones(1)))
    assert names(loss) == ["dice", "focal"]
    assert any(isinstance(m, nn.BCEWithLogitsLoss) for m in loss.modules())
    loss.set_params(losses=[TverskyLoss()], weights=[3.0])
    assert names(loss) == ["tversky"]


def test_a_member_and_its_parameter_can_be_set_at_once() -> None:
    loss = DiceLoss() + FocalLoss()
    loss.set_params(dice__alpha=0.9, dice=TverskyLoss())
    assert loss.get_params()["dice__alpha"] == 0.9


@pytest.mark.parametrize("key", ["dice__epz", "dise__eps", "weights__dise", "gamma"])
def test_an_unknown_parameter_lists_the_valid_ones(key: str) -> None:
    with pytest.raises(
        ValueError, match=rf"Invalid parameter '(dice__)?{key.split('__')[-1]}|{key}"
    ):
        (DiceLoss() + FocalLoss()).set_params(**{key: 1.0})


def power_loss(z: Tensor, t: Tensor, power: float = 1.0, scale: float = 1.0) -> Tensor:
    return scale * (z.sigmoid() - t).abs().pow(power).mean()


def test_the_arguments_of_a_function_are_parameters() -> None:
    loss = DiceLoss() + power_loss
    before = copy.deepcopy(loss)
    assert loss.get_params()["power__power"] == 1.0
    loss.set_params(power__power=2.0).set_params(power__scale=3.0)
    assert names(loss) == ["dice", "power"]
    assert loss.get_params()["power__power"] == 2.0
    assert repr(loss) == "DiceLoss() + partial(power_loss, power=2.0, scale=3.0)"
    assert repr(before) == "DiceLoss() + power_loss"
    expected = DiceLoss()(*binary()) + power_loss(*binary(), 2.0, 3.0)
    for twin in (loss, clone(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        torch.testing.assert_close(twin(*binary()), expected)


@pytest.mark.parametrize("member", [distance_loss, torch.sub, nn.MSELoss()])
def test_what_is_no_argument_is_no_parameter(member: Any) -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'own__x' for CompoundLoss"):
        CompoundLoss([DiceLoss(), ("own", member)]).set_params(own__x=1)


def test_repr_reads_like_the_sum() -> None:
    assert repr(0.5 * DiceLoss() + FocalLoss(gamma=3)) == "0.5 * DiceLoss() + FocalLoss(gamma=3)"
    assert repr(CompoundLoss([DiceLoss()])) == "1.0 * DiceLoss()"
    assert repr(DiceLoss() + distance_loss) == "DiceLoss() + distance_loss"
    nested = CompoundLoss([DiceLoss() + FocalLoss(), TverskyLoss()])
    assert repr(nested) == "(DiceLoss() + FocalLoss()) + TverskyLoss()"
    named = CompoundLoss([("a", DiceLoss())])
    assert repr(named) == "CompoundLoss(losses=[('a', DiceLoss())])"


def test_copies_are_independent() -> None:
    loss = 2 * DiceLoss() + CrossEntropyLoss()
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), clone(loss)):
        assert repr(twin) == repr(loss)
        twin.set_params(weights__dice=5.0)
        torch.testing.assert_close(twin.members[0].loss(*multiclass()), DiceLoss()(*multiclass()))
    assert weights(loss) == [2.0, 1.0]


def test_per_sample_members_give_per_sample_values() -> None:
    loss = DiceLoss(reduction="sample") + BCEWithLogitsLoss("sample")
    assert loss(*binary()).shape == (3,)


def test_members_of_different_shape_are_named() -> None:
    with pytest.raises(ValueError, match=r"'bce' returns a tensor of shape \(3, 1, 6, 5\)"):
        (DiceLoss() + BCEWithLogitsLoss("none"))(*binary())


def per_sample(z: Tensor, t: Tensor) -> Tensor:
    return (z.sigmoid() - t).square().mean((1, 2, 3))


@pytest.mark.parametrize(
    "member", [per_sample, lambda z, t: (z.sigmoid() - t).square(), BrierLoss("sample")]
)
def test_values_per_sample_are_averaged_beside_scalars(member: Any) -> None:
    z, t = binary()
    for loss in (DiceLoss() + member, member + DiceLoss()):
        torch.testing.assert_close(loss(z, t), DiceLoss()(z, t) + BrierLoss()(z, t))
        w = torch.tensor([1.0, 0.0, 2.0])
        expected = DiceLoss()(z, t, w) + BrierLoss()(z, t, w)
        torch.testing.assert_close(loss(z, t, w), expected)


def test_values_that_were_weighted_already_are_not_weighted_twice() -> None:
    z, t = binary()
    w = torch.tensor([1.0, 0.0, 2.0])
    loss = BrierLoss() + DiceLoss(reduction="none")
    torch.testing.assert_close(loss(z, t, w), BrierLoss()(z, t, w) + DiceLoss()(z, t, w))


def test_sample_weights_reach_every_member() -> None:
    w = torch.tensor([1.0, 0.0, 2.0])
    z, t = binary()
    loss = DiceLoss() + nn.BCEWithLogitsLoss() + F.binary_cross_entropy_with_logits
    expected = DiceLoss()(z, t, w) + 2 * BCEWithLogitsLoss()(z, t, w)
    torch.testing.assert_close(loss(z, t, w), expected)


def test_a_function_of_the_whole_batch_cannot_be_weighted() -> None:
    z, t = binary()
    with pytest.raises(ValueError, match="distance_loss returns a tensor of shape \\(\\)"):
        (DiceLoss() + distance_loss)(z, t, torch.ones(3))


def test_a_target_has_one_meaning() -> None:
    z = logits(2, 3, 4)
    with pytest.raises(ValueError, match=r"probabilities to \['cross_entropy'\] but multilabel"):
        (CrossEntropyLoss() + DiceLoss())(z, torch.full((2, 3, 4), 1 / 3))
    (CrossEntropyLoss() + DiceLoss())(z, torch.zeros(2, 4).long())
    (CrossEntropyLoss() + FocalLoss())(z[:, :1], torch.ones(2, 1, 4))


def test_form_is_that_of_the_members() -> None:
    assert (CrossEntropyLoss() + DiceLoss()).form == "softmax"
    assert (BCEWithLogitsLoss() + DiceLoss()).form == "any"
    assert (BCEWithLogitsLoss() + BCEWithLogitsLoss()).form == "sigmoid"
    assert (DiceLoss() + nn.CrossEntropyLoss()).form == "softmax"

    def own(z: Tensor, t: Tensor) -> Tensor:
        return z.mean()

    assert (DiceLoss() + own).form == "any"
    own.form = "softmax"  # type: ignore[attr-defined]
    for loss in (DiceLoss() + own, own + DiceLoss(), DiceLoss() + functools.partial(own)):
        assert loss.form == "softmax"


@pytest.mark.parametrize(
    ("losses", "given", "error", "message"),
    [
        ([], None, ValueError, "losses is empty"),
        ([DiceLoss()], [1.0, 2.0], ValueError, "has 1 losses but 2 weights"),
        ([DiceLoss()], ["a"], ValueError, "weight of DiceLoss\\(\\) is 'a', not a number"),
    ],
)
def test_illegal_sums_are_refused(
    losses: list[Loss], given: list[float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CompoundLoss(losses, given)(*binary())


@pytest.mark.parametrize("losses", ["dice+bce", ["dice"], [DiceLoss], DiceLoss()])
def test_members_must_be_losses(losses: object) -> None:
    with pytest.raises(TypeError, match="CompoundLoss: "):
        CompoundLoss(losses)  # type: ignore[arg-type]


def test_learnable_members_are_trained_with_it() -> None:
    class Learnt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            return self.scale * z.mean()

    loss = DiceLoss() + Learnt()
    assert len(list(loss.parameters())) == 1


def test_the_parameters_of_every_member_are_checked() -> None:
    loss = DiceLoss() + distance_loss + FocalLoss(gamma=-1.0)
    for check in (loss._check_params, lambda: loss(*binary())):
        with pytest.raises(
            ValueError, match=r"FocalLoss: gamma=-1.0 is not a number in \[0, inf\)"
        ):
            check()


def test_penalties_are_added_once_and_see_no_data() -> None:
    network = nn.Conv2d(1, 1, 1)
    loss = BCEWithLogitsLoss() + 0.1 * L2Penalty()
    loss.bind(network)
    expected = BCEWithLogitsLoss()(*binary()) + 0.1 * network.weight.square().sum()
    torch.testing.assert_close(loss(*binary()), expected)
