"""Any network with any loss, as a classifier: given as a name, a class, a function or a module."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from torch import Tensor, nn

from sklearnloss import ImageClassifier, LossSearchCV, ResNetClassifier, load
from sklearnloss.networks import list_networks, register_network

from .conftest import Data


class Net(nn.Module):
    """With timm's names for the numbers."""

    def __init__(self, in_chans: int, num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, width, 3)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return scores


class SubNet(Net):
    """Hands all numbers on to its base."""

    def __init__(self, depth: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.more = nn.Sequential(*[nn.Linear(3, 3) for _ in range(depth)])


def lazy(in_channels: int, n_classes: int, width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n_classes)
    )


def adapter(
    network: Any, *, in_channels: int, n_outputs: int, image_shape: tuple[int, ...], **params: Any
) -> nn.Module:
    made: nn.Module = network(in_channels, n_outputs, **params)
    return made


WAYS: dict[str, dict[str, Any]] = {
    "name": {"network": "resnet", "network__width": 4},
    "class": {"network": Net},
    "class with bases": {"network": SubNet},
    "function": {"network": lazy, "network__width": 3},
    "module": {"network": Net(1, 3)},
    "lazy module": {"network": lazy(1, 3)},
    "adapter": {"network": lambda k, c, **params: Net(k, c, **params), "adapter": adapter},
}
over_ways = pytest.mark.parametrize("way", WAYS)


def model_of(network: Any, **params: Any) -> ImageClassifier:
    defaults: dict[str, Any] = {"max_epochs": 1, "batch_size": 16, "lr": 1e-2, "random_state": 0}
    return ImageClassifier(network, **{**defaults, **params})


@over_ways
def test_each_way_to_give_a_network_trains(way: str, digits: Data) -> None:
    X, y = digits
    model = clone(model_of(**WAYS[way])).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-5)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert way in ("name", "adapter") or isinstance(model.module_.network, nn.Module)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "adapter"])
def test_each_way_is_saved(way: str, digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = model_of(**WAYS[way]).fit(X, y)
    model.save(tmp_path / "model")
    own = WAYS[way]["network"]
    custom = {} if way == "name" else {getattr(own, "__name__", type(own).__name__): own}
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(load(tmp_path / "model", custom).predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    if custom:
        with pytest.raises(ValueError, match=f"your own: '{next(iter(custom))}'.*custom="):
            load(tmp_path / "model")


def test_an_adapter_is_saved_by_name(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = model_of(Net, adapter=adapter, network__width=2).fit(X, y)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model", custom={"Net": Net, "adapter": adapter})
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_module_is_copied_and_starts_from_its_weights(digits: Data) -> None:
    X, y = digits
    network = Net(1, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = model_of(network, lr=1e-30, weight_decay=0).fit(X, y)
    assert model.module_.network is not network
    for name, value in model.module_.network.state_dict().items():
        torch.testing.assert_close(value, before[name])
        assert torch.equal(network.state_dict()[name], before[name])


def test_training_is_that_of_a_loop(digits: Data) -> None:
    X, y = digits
    network = Net(1, 3)
    model = model_of(network, batch_size=60, optimizer="sgd", scheduler=None, normalize=None)
    model.set_params(max_epochs=3, weight_decay=0, lr=0.1, precision="float32").fit(X, y)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    images, labels = torch.from_numpy(X)[:, None], torch.from_numpy(y)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    expected = network(images).detach().numpy()
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-3, atol=1e-4)


def test_resnet_by_name_is_the_one_of_its_own_estimator(digits: Data) -> None:
    X, y = digits
    params: dict[str, Any] = {"max_epochs": 1, "batch_size": 16, "random_state": 0}
    by_name = ImageClassifier("resnet", network__width=4, **params).fit(X, y)
    own = ResNetClassifier(width=4, **params).fit(X, y)
    np.testing.assert_array_equal(by_name.predict_proba(X), own.predict_proba(X))


def test_parameters_of_the_network_are_listed_set_and_dropped_with_it() -> None:
    model = model_of(Net, network__width=8)
    assert model.get_params()["network__width"] == 8
    assert model.get_params(deep=False)["network__width"] == 8
    assert model.set_params(network__width=2).get_params()["network__width"] == 2
    assert model.set_params(network=lazy).get_params()["network__width"] == 4
    assert "network__width" not in model.set_params(network=Net(1, 3)).get_params()
    with pytest.raises(ValueError, match="Did you mean 'network__width'"):
        model.set_params(network=Net, network__wdth=3)
    with pytest.raises(ValueError, match="a torch module already.*network=Net"):
        model.set_params(network=Net(1, 3), network__width=3)


def test_rows_pipelines_and_cross_validation(digits: Data) -> None:
    X, y = digits
    model = model_of(Net, image_shape=(8, 8))
    pipeline = make_pipeline(StandardScaler(), model)
    assert np.isfinite(cross_val_score(pipeline, X.reshape(60, 64), y, cv=2)).all()
    assert "Net" in estimator_html_repr(pipeline)


def test_a_grid_over_networks_and_losses(digits: Data) -> None:
    X, y = digits
    networks: list[Any] = [Net, SubNet, lazy, Net(1, 3)]
    grid = {"network": networks, "loss": ["focal", "cross_entropy"]}
    search = GridSearchCV(model_of(Net), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert any(search.best_params_["network"] is each for each in networks)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_networks_and_losses(n_jobs: int, digits: Data) -> None:
    X, y = digits
    networks: list[Any] = [Net, SubNet, lazy, Net(1, 3)]
    search = LossSearchCV(
        model_of(Net),
        ["focal", "cross_entropy"],
        param_distributions={"network": networks},
        n_trials=8,
        cv=2,
        random_state=0,
        n_jobs=n_jobs,
    ).fit(X, y)
    used = [params["network"] for params in search.cv_results_["params"]]
    assert {type(each) for each in used} <= {type(each) for each in networks}
    assert search.predict(X).shape == y.shape


def test_a_registered_network_is_searched_and_loaded_by_its_name(
    digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    register_network("net", Net)
    assert "net" in list_networks()
    search = LossSearchCV(
        model_of("resnet"),
        ["focal"],
        param_distributions=[{"network": ["net"], "network__width": [2, 3]}],
        n_trials=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.best_params_["network"] == "net"
    model = search.best_estimator_
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("name", "factory", "message"),
    [
        ("resnet", Net, "There is already a network 'resnet'"),
        ("a:b", Net, "Expected a string without a colon"),
        ("net", 3, "factory=3. Expected a class or a function"),
    ],
)
def test_a_name_that_cannot_be_registered(name: str, factory: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        register_network(name, factory)


def test_candidates_are_named_in_one_word(digits: Data, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = digits
    networks = [Net, Net(1, 3), lazy, Net(1, 3)]
    search = LossSearchCV(
        model_of(Net),
        ["focal"],
        param_distributions={"network": networks},
        n_trials=6,
        cv=2,
        random_state=0,
        verbose=2,
    ).fit(X, y)
    shown = {trial.params["network"] for trial in search.study_.trials}
    assert shown <= {"0: Net", "1: Net", "2: lazy", "3: Net"}
    assert "network=0: Net" in capsys.readouterr().out
    for trial, params in zip(search.study_.trials, search.cv_results_["params"], strict=True):
        assert params["network"] is networks[int(trial.params["network"][0])]


def test_warm_start_goes_on_and_refuses_another_network(digits: Data) -> None:
    X, y = digits
    model = model_of(Net, warm_start=True).fit(X, y)
    assert len(model.fit(X, y).history_) == 2
    with pytest.raises(ValueError, match="network__width"):
        model.set_params(network__width=8).fit(X, y)
    with pytest.raises(ValueError, match="network="):
        model.set_params(network=lazy).fit(X, y)
    with pytest.raises(ValueError, match=r"network=Net, but network is now Net\(\.\.\.\)"):
        model.set_params(network=Net(1, 3)).fit(X, y)


def test_partial_fit(digits: Data) -> None:
    X, y = digits
    model = model_of(Net)
    for part in (slice(0, 30), slice(30, 60)):
        model.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert model.predict(X).shape == (60,)
