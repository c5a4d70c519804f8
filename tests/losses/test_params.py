"""A loss is a parameter object."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearnloss.losses import (
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    Inputs,
    L1Penalty,
    Loss,
    LovaszHingeLoss,
    PixelLoss,
    RegionLoss,
    TverskyLoss,
)

from .cases import binary, multiclass


class Wrapper(Loss):
    """Holds another loss, and forgets super().__init__()."""

    def __init__(self, inner: object = None, scale: float = 1.0) -> None:
        self.inner = inner
        self.scale = scale

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        assert callable(self.inner)
        value: Tensor = self.scale * self.inner(logits, target)
        return value


def test_arguments_are_stored_unchanged() -> None:
    weight = [1.0, 2.0]
    loss = DiceLoss(class_weight=weight)
    assert loss.class_weight is weight
    assert loss.get_params()["class_weight"] is weight


def test_clone_copies_tensors() -> None:
    loss = CrossEntropyLoss(class_weight=torch.ones(4))
    twin = clone(loss)
    assert twin.class_weight is not loss.class_weight
    torch.testing.assert_close(twin(*multiclass()), loss(*multiclass()))


def test_an_unknown_parameter_lists_the_valid_ones_and_the_nearest() -> None:
    with pytest.raises(ValueError, match="'gama' for FocalLoss. .*'alpha', .*mean 'gamma'"):
        FocalLoss().set_params(gama=1)
    with pytest.raises(ValueError, match="Invalid parameter 'gamma__x'"):
        FocalLoss().set_params(gamma__x=1)


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(FocalLoss(3)) == "FocalLoss(gamma=3)"
    assert repr(TverskyLoss(alpha=0.5, beta=0.7)) == "TverskyLoss(beta=0.7)"
    assert repr(DiceLoss(batch=True)) == "DiceLoss(batch=True)"


def test_nested_losses_are_copied_on_write() -> None:
    inner = FocalLoss()
    loss = Wrapper(inner)
    loss.set_params(inner__gamma=5)
    assert inner.gamma == 2.0
    assert loss.get_params()["inner__gamma"] == 5
    assert "inner" in dict(loss.named_children())


def test_members_swap_between_module_and_function() -> None:
    loss = Wrapper(DiceLoss())
    loss.set_params(inner=lambda z, t: z.mean())
    assert list(loss.children()) == []
    loss.set_params(inner=FocalLoss())
    assert isinstance(loss.get_params()["inner"], FocalLoss)
    loss.set_params(inner=nn.Parameter(torch.ones(())))
    loss.set_params(inner=None)
    assert loss.inner is None


def test_authors_may_forget_to_call_super() -> None:
    loss = Wrapper(DiceLoss())
    for twin in (loss, pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), clone(loss)):
        torch.testing.assert_close(twin(*binary()), DiceLoss()(*binary()))


def test_losses_have_no_equality_of_their_own() -> None:
    assert DiceLoss() != DiceLoss()
    assert len({DiceLoss(), DiceLoss()}) == 2


def test_moving_to_a_device_keeps_a_loss_as_it_is() -> None:
    loss = CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0, 4.0])
    moved = loss.to("cpu", torch.float64)
    assert moved is loss
    assert loss.class_weight == [1.0, 2.0, 3.0, 4.0]


def test_class_weights_may_be_numpy() -> None:
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    torch.testing.assert_close(
        CrossEntropyLoss(class_weight=weight)(*multiclass()),
        CrossEntropyLoss(class_weight=weight.tolist())(*multiclass()),
    )


def test_a_pixel_loss_of_ones_own_is_its_formula() -> None:
    class AbsoluteError(PixelLoss):
        form = "sigmoid"

        def values(self, inputs: Inputs) -> Tensor:
            return (inputs.logits.sigmoid() - inputs.target).abs()

    z, t = binary()
    torch.testing.assert_close(AbsoluteError()(z, t), (z.sigmoid() - t).abs().mean())
    weighted = AbsoluteError()(z, t, torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(weighted, (z[0].sigmoid() - t[0]).abs().mean())


def test_a_base_class_has_no_formula() -> None:
    with pytest.raises(NotImplementedError):
        PixelLoss()(*binary())
    with pytest.raises(NotImplementedError):
        RegionLoss()(*binary())
    lovasz, norm = LovaszHingeLoss.__base__, L1Penalty.__base__
    assert lovasz is not None
    assert norm is not None
    for unfinished in (lovasz(), norm().bind(nn.Linear(1, 1))):
        with pytest.raises(NotImplementedError):
            unfinished(*binary())


def test_bind_returns_the_loss() -> None:
    loss = DiceLoss() + FocalLoss()
    assert loss.bind(nn.Linear(1, 1)) is loss
    assert isinstance(loss, CompoundLoss)
