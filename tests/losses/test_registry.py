from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    CompoundLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    Loss,
    get_loss,
    get_search_space,
    list_losses,
    register_loss,
)

from .cases import DATA_LOSSES, binary


def test_a_name_is_built_with_its_parameters() -> None:
    loss = get_loss("focal", gamma=3)
    assert isinstance(loss, FocalLoss)
    assert loss.gamma == 3


@pytest.mark.parametrize("name", list_losses())
def test_every_listed_name_can_be_built(name: str) -> None:
    assert isinstance(get_loss(name), Loss)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice+bce", "DiceLoss() + BCEWithLogitsLoss()"),
        (" 0.5*dice + focal ", "0.5 * DiceLoss() + FocalLoss()"),
        ("focal+1e-4*l2", "FocalLoss() + 0.0001 * L2Penalty()"),
        ("1e+2*dice+.5*focal", "100.0 * DiceLoss() + 0.5 * FocalLoss()"),
        ("2*dice", "2.0 * DiceLoss()"),
    ],
)
def test_sums_are_built_by_name(name: str, expected: str) -> None:
    assert repr(get_loss(name)) == expected


def test_members_of_one_name_get_the_lowest_free_numbers() -> None:
    def own(z: Tensor, t: Tensor) -> Tensor:
        return (z.sigmoid() - t).abs().mean()

    register_loss("dice_3", own)
    register_loss("dice_5", lambda z, t: own(z, t))
    total = get_loss("dice_3+dice+dice+dice_5+dice")
    assert isinstance(total, CompoundLoss)
    assert [m.name for m in total.members] == ["dice_3", "dice", "dice_2", "dice_5", "dice_4"]


def test_sums_take_the_parameters_of_the_instance() -> None:
    loss = get_loss("dice+bce", dice__eps=1.0, weights__bce=0.5)
    assert isinstance(loss, CompoundLoss)
    assert repr(loss) == "DiceLoss(eps=1.0) + 0.5 * BCEWithLogitsLoss()"


def test_an_unknown_name_lists_the_choices_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"Unknown loss 'dise'.*'bce'.*Did you mean 'dice'\?"):
        get_loss("dise")
    with pytest.raises(ValueError, match="Unknown loss 'dise'"):
        get_loss("dise+bce")


@pytest.mark.parametrize(
    "name", ["", "dice+", "+dice", "dice bce", "dice-bce", "x*dice", "-1*dice"]
)
def test_an_unreadable_name_says_what_is_expected(name: str) -> None:
    with pytest.raises(ValueError, match=r"Cannot read the loss name .* \[number\*\]name"):
        get_loss(name)


def test_a_name_is_a_string() -> None:
    with pytest.raises(TypeError, match="A loss name must be a string"):
        get_loss(DiceLoss)  # type: ignore[arg-type]


def test_an_unknown_parameter_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'gama' for FocalLoss.*Did you mean 'gamma'"):
        get_loss("focal", gama=3)
    with pytest.raises(ValueError, match=r"Invalid parameter 'eps' for CompoundLoss"):
        get_loss("dice+bce", eps=3)


def test_tasks_filter_the_list() -> None:
    assert "dice" not in list_losses("classification")
    assert set(list_losses("segmentation")) == set(DATA_LOSSES)
    assert "l2" in list_losses()
    with pytest.raises(ValueError, match="Unknown task 'detection'"):
        list_losses("detection")


def test_a_class_of_ones_own_gets_a_name() -> None:
    class MyLoss(Loss):
        def __init__(self, power: float = 1.0) -> None:
            self.power = power

        def forward(self, z: Tensor, t: Tensor, sample_weight: Tensor | None = None) -> Tensor:
            return (z.sigmoid() - t).abs().pow(self.power).mean()

    register_loss("mine", MyLoss, search_space={"power": (0.5, 2.0)})
    assert "mine" in list_losses()
    assert get_search_space("mine") == {"power": (0.5, 2.0)}
    total = get_loss("0.5*mine+dice", mine__power=2.0)
    assert isinstance(total, CompoundLoss)
    assert [m.name for m in total.members] == ["mine", "dice"]
    assert torch.isfinite(total(*binary()))


def test_a_function_of_ones_own_gets_a_name() -> None:
    def distance(z: Tensor, t: Tensor, power: float = 1.0) -> Tensor:
        return (z.sigmoid() - t).abs().pow(power).mean()

    register_loss("distance", distance, search_space={"power": (0.5, 2.0)})
    z, t = binary()
    torch.testing.assert_close(get_loss("distance", power=2.0)(z, t), distance(z, t, 2.0))
    with pytest.raises(ValueError, match="Invalid parameter 'pow' for distance"):
        get_loss("distance", pow=2)
    total = get_loss("dice+distance", distance__power=2.0)
    assert isinstance(total, CompoundLoss)
    assert [m.name for m in total.members] == ["dice", "distance"]
    torch.testing.assert_close(total(z, t), DiceLoss()(z, t) + distance(z, t, 2.0))
    assert get_search_space("dice+distance")["distance__power"] == (0.5, 2.0)


def test_a_torch_module_in_a_sum_is_settled() -> None:
    register_loss("smooth", nn.SmoothL1Loss, search_space={"beta": (0.1, 2.0)})
    assert get_search_space("smooth") == {"beta": (0.1, 2.0)}
    space = get_search_space("dice+smooth")
    assert "smooth__beta" not in space
    total = get_loss("dice+smooth")
    assert isinstance(total, CompoundLoss)
    assert set(space) <= set(total.get_params())


def test_registering_again_replaces_but_built_in_names_are_fixed() -> None:
    register_loss("mine", nn.BCEWithLogitsLoss)
    register_loss("mine", nn.SoftMarginLoss)
    assert isinstance(get_loss("mine"), nn.SoftMarginLoss)
    with pytest.raises(ValueError, match="'dice' is a built-in loss"):
        register_loss("dice", DiceLoss)


@pytest.mark.parametrize("name", ["a b", "a__b", "_a", "weights", "losses", "1a", ""])
def test_names_that_cannot_be_parameters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a loss"):
        register_loss(name, BCEWithLogitsLoss)


def test_only_classes_and_functions_are_registered() -> None:
    with pytest.raises(TypeError, match="expected a loss class or a function"):
        register_loss("mine", DiceLoss())


def test_search_space_of_a_sum_frees_all_weights_but_the_first() -> None:
    space = get_search_space("dice+focal+l2")
    assert space["dice__eps"] == DiceLoss.search_space["eps"]
    assert space["weights__focal"] == (0.1, 10.0, "log")
    assert space["weights__l2"] == (1e-6, 0.1, "log")
    assert "weights__dice" not in space
    loss = get_loss("dice+focal+l2")
    assert isinstance(loss, CompoundLoss)
    assert set(space) <= set(loss.get_params())


def test_search_space_of_classification_leaves_out_what_only_masks_need() -> None:
    assert "alpha" in get_search_space("focal")
    assert "alpha" not in get_search_space("focal", "classification")
    with pytest.raises(ValueError, match="Unknown task"):
        get_search_space("focal", "both")


def test_penalties_are_losses_without_data() -> None:
    assert isinstance(get_loss("l2"), L2Penalty)
