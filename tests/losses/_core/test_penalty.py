from __future__ import annotations

import copy
import pickle

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearnloss.losses import BCEWithLogitsLoss, DiceLoss, L1Penalty, L2Penalty, Loss, Penalty

from ..cases import binary


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))


def test_weights_leave_out_biases_norms_and_frozen_parameters() -> None:
    net = network()
    net[2].weight.requires_grad_(False)
    assert isinstance(net[0], nn.Conv2d)
    expected = net[0].weight.abs().sum()
    torch.testing.assert_close(L1Penalty().bind(net)(), expected)


def test_all_is_every_parameter() -> None:
    net = network()
    expected = torch.stack([p.square().sum() for p in net.parameters()]).sum()
    torch.testing.assert_close(L2Penalty("all").bind(net)(), expected)


def test_a_function_chooses_parameters() -> None:
    net = network()
    penalty = L2Penalty(lambda name, p: name == "2.bias").bind(net)
    torch.testing.assert_close(penalty(), net.get_parameter("2.bias").square().sum())


def test_a_penalty_of_ones_own() -> None:
    net = network()
    loss = DiceLoss() + 2.0 * Penalty(lambda module: module.get_parameter("0.weight").norm())
    loss.bind(net)
    expected = DiceLoss()(*binary()) + 2 * net.get_parameter("0.weight").norm()
    torch.testing.assert_close(loss(*binary()), expected)


def test_gradient_reaches_the_network() -> None:
    net = network()
    L2Penalty().bind(net)().backward()
    weight = net.get_parameter("0.weight")
    torch.testing.assert_close(weight.grad, 2 * weight)


def test_unbound_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match=r"L2Penalty\(\) does not know which network"):
        (BCEWithLogitsLoss() + L2Penalty())(*binary())


def test_selecting_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="selects none of the parameters of BatchNorm2d"):
        L1Penalty().bind(nn.BatchNorm2d(2))()


def test_an_unknown_include_is_refused() -> None:
    with pytest.raises(ValueError, match=r"include='bias' is unknown\. Expected 'weights', 'all'"):
        L1Penalty("bias")._check_params()  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", [L2Penalty(), DiceLoss() + L2Penalty()])
def test_the_network_is_not_part_of_the_loss(loss: Loss) -> None:
    loss.bind(network())
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), clone(loss)):
        with pytest.raises(RuntimeError, match="does not know which network"):
            twin(*binary())
    loss(*binary())
