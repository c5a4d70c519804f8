"""Modules that exist before ``fit``: copied, put into training mode, and used as they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn

from sklearnloss import ImageSegmenter, LossSearchCV, load
from sklearnloss.networks import register_network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 8, 8)).astype(np.float32)
Y = (X > 0).astype(np.uint8)


class Net(nn.Module):
    """One layer with a norm, and a head."""

    def __init__(self, in_channels: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, n_classes, 1)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.encoder(x).relu())


def model_of(network: Any, **params: Any) -> ImageSegmenter:
    return ImageSegmenter(
        network, **{"max_epochs": 1, "lr": 1e-2, "random_state": 0, "loss": "dice", **params}
    )


def same(network: nn.Module, *, in_channels: int, n_outputs: int, image_shape: Any) -> nn.Module:
    """Return a network as it is."""
    return network


@pytest.mark.parametrize("way", ["module", "function", "adapter", "function of an adapter"])
def test_a_module_that_exists_is_left_alone(way: str) -> None:
    network = Net(1, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ways: dict[str, dict[str, Any]] = {
        "module": {"network": network},
        "function": {"network": lambda in_channels, n_classes: network},
        "adapter": {"network": network, "adapter": same},
        "function of an adapter": {"network": "unet", "adapter": lambda unet, **numbers: network},
    }
    params = ways[way]
    model = model_of(**params).fit(X, Y)
    first = model.predict_proba(X)
    other = model_of(**params).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), first)
    np.testing.assert_array_equal(other.predict_proba(X), first)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_an_adapter_changes_a_copy() -> None:
    network = Net(1, 5)

    def with_head(network: Any, *, n_outputs: int, **numbers: Any) -> nn.Module:
        network.head = nn.Conv2d(4, n_outputs, 1)
        return network  # type: ignore[no-any-return]

    model_of(network, adapter=with_head).fit(X, Y)
    assert network.head.out_channels == 5


def test_loading_leaves_the_module_alone_that_is_passed_in(tmp_path: Any) -> None:
    network = Net(1, 1)
    model = model_of(network, adapter=same).fit(X, Y)
    model.save(tmp_path / "model.safetensors")
    other = Net(1, 1)
    before = other.head.weight.clone()
    again = load(tmp_path / "model.safetensors", custom={"Net": other, "same": same})
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert torch.equal(other.head.weight, before)


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    network = Net(1, 1)
    network.kept = network.head.weight * 2
    with pytest.raises(ValueError, match=r"Net\(\.\.\.\) cannot be copied.*Pass its class"):
        model_of(network).fit(X, Y)


def test_a_module_in_evaluation_mode_is_trained_like_any_other() -> None:
    network = Net(1, 1)
    expected = model_of(network).fit(X, Y)
    model = model_of(network.eval()).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.module_.network.encoder[1].num_batches_tracked > 0


def test_a_fitted_module_gives_what_predictions_are_made_of(tmp_path: Any) -> None:
    model = model_of(Net, normalize=None).fit(X, Y)
    model.save(tmp_path / "model.safetensors")
    for each in (model, load(tmp_path / "model.safetensors", custom={"Net": Net})):
        with torch.no_grad():
            scores = each.module_(torch.from_numpy(X)[:, None]).numpy()
        np.testing.assert_allclose(scores, each.decision_function(X), rtol=1e-4, atol=1e-5)


class Changing(nn.Conv2d):
    """Changes its input in place."""

    def forward(self, x: Tensor) -> Tensor:
        x += 1
        return super().forward(x)


class Adding(nn.Conv2d):
    """Does the same with a copy."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 1)


def test_mirrored_predictions_of_a_network_that_changes_its_input() -> None:
    first, second = Changing(1, 1, 3, padding=1), Adding(1, 1, 3, padding=1)
    second.load_state_dict(first.state_dict())
    a, b = (model_of(each, tta="flip").fit(X, Y).decision_function(X) for each in (first, second))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


class Logits(Net):
    """Returns an object, as the models of transformers do."""

    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(logits=super().forward(x))


def test_an_object_with_logits_is_read() -> None:
    expected = model_of(Net).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(model_of(Logits).fit(X, Y).predict_proba(X), expected)


def test_a_sigmoid_in_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match="its scores stay between 0 and 1.*Remove the sigmoid"):
        model_of(nn.Sequential(Net(1, 1), nn.Sigmoid())).fit(X, Y)


def test_a_network_without_anything_to_train_is_refused() -> None:
    network = Net(1, 1).requires_grad_(False)
    with pytest.raises(ValueError, match="nothing of the network to train. Set requires_grad"):
        model_of(network).fit(X, Y)


def test_names_of_the_fitted_module_are_patterns() -> None:
    fitted = model_of(Net).fit(X, Y)
    names = [name for name, _ in fitted.module_.named_parameters() if "encoder" in name]
    model = model_of(Net, freeze=names).fit(X, Y)
    assert {n for n, p in model.module_.named_parameters() if not p.requires_grad} == {*names}


@pytest.mark.slow
def test_a_registered_network_is_known_to_workers() -> None:
    register_network("net", Net)
    search = LossSearchCV(model_of("net"), ["dice"], n_trials=1, cv=2, n_jobs=2).fit(X, Y)
    assert search.best_score_ > 0
    grid = GridSearchCV(model_of("unet"), {"network": ["net"]}, cv=2, n_jobs=2, error_score="raise")
    assert grid.fit(X, Y).best_params_ == {"network": "net"}
