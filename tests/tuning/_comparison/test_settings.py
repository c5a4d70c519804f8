from __future__ import annotations

import functools
from typing import Any

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from sklearnloss import ImageClassifier, ImageSegmenter, UNetSegmenter
from sklearnloss.tuning._comparison.settings import combine, read_losses, read_networks


def plain(in_channels: int, n_classes: int, width: int = 4) -> nn.Module:
    return nn.Conv2d(in_channels, n_classes, 3, padding=1)


def test_networks_are_read_as_losses_are() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 3))
    wide = functools.partial(plain, width=8)
    found = read_networks(ImageSegmenter(), ["unet", plain, wide, module, module])
    assert list(found) == ["unet", "plain", "partial(plain, width=8)", "Sequential", "Sequential_2"]
    assert found["unet"] == {"network": "unet"}
    assert found["Sequential_2"]["network"] is module
    named = {"a": "unet", 2: {"network": plain, "network__width": 8, "lr": 1e-3}}
    assert read_networks(ImageSegmenter(), named) == {
        "a": {"network": "unet"},
        "2": {"network": plain, "network__width": 8, "lr": 1e-3},
    }


def test_names_in_a_pipeline_are_those_of_the_last_step() -> None:
    model = make_pipeline(FunctionTransformer(), ImageClassifier())
    found = read_networks(
        model, {"a": {"network": "resnet", "functiontransformer__validate": True}}
    )
    assert found == {
        "a": {"imageclassifier__network": "resnet", "functiontransformer__validate": True}
    }


def test_estimators_with_a_network_of_their_own_take_parameters() -> None:
    depths = {"shallow": {"depth": 1}, "deep": {"depth": 2}}
    assert read_networks(UNetSegmenter(), depths) == depths
    with pytest.raises(ValueError, match=r"UNetSegmenter has no parameter 'network'.*'depth': 4"):
        read_networks(UNetSegmenter(), ["unet"])


@pytest.mark.parametrize(
    ("networks", "error", "message"),
    [
        ("unet", TypeError, r"networks='unet': expected a list of networks such as \['unet'"),
        (nn.Sequential(nn.Conv2d(1, 1, 3)), TypeError, "expected a list of networks"),
        ([], ValueError, "networks is empty. Expected at least one network"),
        ({" ": "unet"}, ValueError, "networks holds a blank name"),
        ([{"network": "unet"}], TypeError, "networks holds the parameters .* without a label"),
        (["unett"], ValueError, r"networks\['unett'\]: network='unett' is unknown.*'unet'"),
        ({"a": {"network": plain, "network__widht": 3}}, ValueError, "network__width"),
        (["unet", UNetSegmenter()], ValueError, "parameter of ImageSegmenter must be an instance"),
        ({"a": {"random_state": 3}}, ValueError, "sets 'random_state', but all losses"),
    ],
)
def test_mistakes_are_found_before_training(networks: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        read_networks(ImageSegmenter(), networks)


def test_an_adapter_decides_what_a_name_is() -> None:
    def adapter(network: str, **numbers: Any) -> nn.Module:
        raise NotImplementedError

    settings = read_networks(ImageSegmenter(), {"a": {"network": "mine", "adapter": adapter}})
    assert settings["a"]["network"] == "mine"


def pairs(networks: Any, losses: Any) -> dict[str, Any]:
    model = ImageSegmenter()
    return combine(model, read_networks(model, networks), read_losses(model, losses))


def test_each_network_is_combined_with_each_loss() -> None:
    found = pairs(["unet", plain], {"a": "dice", "b": {"loss": "focal", "loss__gamma": 3}})
    assert list(found) == ["unet: a", "unet: b", "plain: a", "plain: b"]
    assert found["plain: b"] == {"network": plain, "loss": "focal", "loss__gamma": 3}


def test_a_parameter_of_both_is_refused() -> None:
    networks = {"a": {"network": "unet", "lr": 1e-3}}
    losses = {"b": {"loss": "dice", "lr": 1e-4}}
    with pytest.raises(ValueError, match=r"networks\['a'\] with losses\['b'\]: both set 'lr'"):
        pairs(networks, losses)


def test_pairs_of_one_name_are_refused() -> None:
    networks = {"a": "unet", "a: b": "unet"}
    losses = {"b: c": "dice", "c": "bce"}
    with pytest.raises(ValueError, match="Two pairs of network and loss are called 'a: b: c'"):
        pairs(networks, losses)


def test_parameters_of_a_loss_are_checked_with_the_network() -> None:
    model = ImageSegmenter()
    losses = read_losses(model, {"a": {"loss": "dice", "network__width": 8}})
    bare = {"plain": {"network": functools.partial(nn.Conv2d, kernel_size=3)}}
    with pytest.raises(ValueError, match=r"networks\['plain'\] with losses\['a'\]: .*network__wid"):
        combine(model, bare, losses)
