"""Training starts from weights of another task, as far as they fit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from torch import Tensor, nn

from sklearnloss.estimators._persistence.initial_weights import load_weights, read_weights
from sklearnloss.networks import ResNet, UNet

from ...optional import import_or_skip
from ..conftest import Data, classifier, segmenter

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def imagenet() -> State:
    """A state dict with the names, shapes and dtypes of torchvision's resnet18."""
    torch.manual_seed(1)
    return ResNet(in_channels=3, n_classes=1000, depth=18, width=64, stem="large").state_dict()


def resnet(in_channels: int = 3, n_classes: int = 1000, **params: Any) -> Any:
    return ResNet(in_channels, n_classes, **{"stem": "large", **params})


def small_state(n_classes: int = 3, in_channels: int = 1) -> State:
    """Return the weights of the network that ``classifier()`` trains on digits."""
    torch.manual_seed(1)
    model = classifier().fit(np.random.default_rng(0).random((4, in_channels, 8, 8)), [0, 1, 2, 0])
    arguments = model.net_.get_params_for("module")
    state: State = ResNet(**{**arguments, "n_classes": n_classes}).state_dict()
    return state


def test_a_state_dict_of_imagenet_has_the_names_of_torchvision(imagenet: State) -> None:
    assert len(imagenet) == 122
    assert sum(value.numel() for value in imagenet.values() if value.is_floating_point()) == (
        11_689_512 + 9_600  # parameters, and the statistics of batch normalization
    )
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer4.1.bn2.running_var": (512,),
        "fc.weight": (1000, 512),
    }.items():
        assert imagenet[name].shape == shape


def test_weights_that_fit_are_taken_whole(imagenet: State) -> None:
    network = resnet()
    load_weights(network, imagenet)
    for name, value in network.state_dict().items():
        assert torch.equal(value, imagenet[name])


def test_the_last_layer_stays_random_for_other_classes(imagenet: State) -> None:
    network = resnet(n_classes=5)
    own = network.fc.weight.clone()
    with pytest.warns(UserWarning, match=r"start at random: fc \(5 outputs; weights have other cl"):
        load_weights(network, imagenet)
    assert torch.equal(network.fc.weight, own)
    assert torch.equal(network.layer4[1].conv2.weight, imagenet["layer4.1.conv2.weight"])


def test_weights_without_a_last_layer_are_taken(imagenet: State) -> None:
    backbone = {name: value for name, value in imagenet.items() if not name.startswith("fc.")}
    with pytest.warns(UserWarning, match="weights have no such layer"):
        load_weights(resnet(), backbone)


@pytest.mark.slow
@pytest.mark.parametrize("in_channels", [1, 2, 4, 6, 7])
def test_equal_channels_give_what_they_gave_before(in_channels: int, imagenet: State) -> None:
    network = resnet(in_channels)
    load_weights(network, imagenet)
    original = resnet()
    original.load_state_dict(imagenet)
    x = torch.randn(2, 1, 32, 32)
    given = 3.0 if in_channels == 1 else 3.0 / in_channels
    expected = original.conv1(x.expand(-1, 3, -1, -1))
    assert network.conv1.weight.shape == (64, in_channels, 7, 7)
    if in_channels in (1, 6):  # where every channel occurs equally often
        actual = network.conv1(x.expand(-1, in_channels, -1, -1))
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    if in_channels > 1:
        for k in range(in_channels):
            torch.testing.assert_close(
                network.conv1.weight[:, k], given * imagenet["conv1.weight"][:, k % 3]
            )


def test_many_channels_become_few(imagenet: State) -> None:
    gray = resnet(1)
    load_weights(gray, imagenet)
    torch.testing.assert_close(gray.conv1.weight, imagenet["conv1.weight"].sum(1, keepdim=True))
    color = resnet(3)
    load_weights(color, gray.state_dict())
    torch.testing.assert_close(color.conv1.weight, (gray.conv1.weight / 3).expand(-1, 3, -1, -1))


def test_a_first_kernel_of_another_size_stays_random(imagenet: State) -> None:
    network = resnet(stem="small")
    own = network.conv1.weight.clone()
    with pytest.warns(
        UserWarning,
        match=r"start at random: conv1.weight has \(64, 3, 7, 7\) instead of \(64, 3, 3, 3\)",
    ):
        load_weights(network, imagenet)
    assert torch.equal(network.conv1.weight, own)
    assert torch.equal(network.bn1.bias, imagenet["bn1.bias"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 32}, r"Their first layer has 64 channels: set width=64\."),
        (
            {"depth": 34},
            r"\d+ tensors are missing: layer1.2.conv1.weight, .*, \.\.\..*Set depth",
        ),
        (
            {"depth": 50},
            r"missing: .*; \d+ tensors are of another shape: layer1.0.conv1.weight",
        ),
        (
            {"n_axes": 3},
            r"of another shape: conv1.weight \(\(64, 3, 7, 7\) instead of \(64, 3, 7, 7, 7",
        ),
    ],
)
def test_what_does_not_fit_is_listed(params: dict[str, Any], message: str, imagenet: State) -> None:
    network = resnet(**params)
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(ValueError, match=f"weights do not fit this ResNet: .*{message}"):
        load_weights(network, imagenet)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_unknown_names_are_listed(imagenet: State) -> None:
    odd = {**imagenet, "extra.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match="this ResNet: 1 tensor is unknown: extra.weight"):
        load_weights(resnet(), odd)
    del odd["extra.weight"], odd["bn1.weight"]
    with pytest.raises(ValueError, match="this ResNet: 1 tensor is missing: bn1.weight"):
        load_weights(resnet(), odd)


def test_what_the_user_gave_is_not_changed(imagenet: State) -> None:
    given = {name: value.clone() for name, value in imagenet.items()}
    network = resnet(1, 5)
    with pytest.warns(UserWarning, match="at random: fc"):
        load_weights(network, given)
    nn.init.zeros_(network.bn1.bias)
    assert given.keys() == imagenet.keys()
    for name, value in given.items():
        assert torch.equal(value, imagenet[name])


@pytest.mark.parametrize("prefix", ["net.", "model.", "module.net.", "a.b.c."])
def test_a_prefix_of_all_names_is_left_out(prefix: str, imagenet: State) -> None:
    network = resnet()
    load_weights(network, {f"{prefix}{name}": value for name, value in imagenet.items()})
    assert torch.equal(network.conv1.weight, imagenet["conv1.weight"])


def test_a_prefix_of_some_names_is_named(imagenet: State) -> None:
    given = {f"net.{name}": value for name, value in imagenet.items()} | {"ema.x": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"Pass only those whose names begin with 'net\.'"):
        load_weights(resnet(), given)


@pytest.mark.slow
def test_a_network_of_torchvision_gives_what_it_gave() -> None:
    models = import_or_skip("torchvision.models")
    theirs = models.resnet18(weights=None).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.rand(module.num_features)
            nn.init.uniform_(module.weight)
    network = resnet()
    load_weights(network, theirs.state_dict())
    x = torch.randn(2, 3, 80, 96)
    torch.testing.assert_close(network.eval()(x), theirs(x), rtol=1e-4, atol=1e-4)
    model = classifier(width=64, weights=theirs.state_dict(), lr=1e-12, weight_decay=0)
    with pytest.warns(UserWarning, match="start at random: fc") as record:
        model.fit(np.random.default_rng(0).random((2, 3, 80, 80)), [0, 1])
    assert "conv1" not in str(record[0].message)
    torch.testing.assert_close(model.module_.get_parameter("conv1.weight"), theirs.conv1.weight)
    with pytest.warns(UserWarning, match="start at random: fc") as record:
        model.fit(np.random.default_rng(0).random((2, 3, 16, 16)), [0, 1])
    assert "conv1" not in str(record[0].message)
    torch.testing.assert_close(model.module_.get_parameter("conv1.weight"), theirs.conv1.weight)


def test_old_checkpoints_without_counters_are_taken(imagenet: State) -> None:
    old = {k: v for k, v in imagenet.items() if not k.endswith("num_batches_tracked")}
    load_weights(resnet(), old)


@pytest.mark.parametrize("wrap", ["state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_checkpoints_of_training_are_unwrapped(wrap: str, prefix: str) -> None:
    state = {f"{prefix}{name}": value for name, value in nn.Linear(2, 3).state_dict().items()}
    assert read_weights({wrap: state, "epoch": 3}).keys() == {"weight", "bias"}


def test_a_state_dict_is_read_from_anything_that_has_one(tmp_path: Path) -> None:
    network = nn.Linear(2, 3)
    state = network.state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pt")
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    arrays = {name: value.numpy() for name, value in state.items()}
    paths = [tmp_path / name for name in ("a.safetensors", "a.pt", "a.pth")]
    for weights in (network, state, arrays, *paths, str(paths[0])):
        found = read_weights(weights)
        assert found.keys() == {"weight", "bias"}
        assert torch.equal(found["weight"], network.weight)
        assert not found["weight"].requires_grad


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_a_file_with_more_than_tensors_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(1), "bomb": Bomb()}, "bomb.pt")
    with pytest.raises(
        ValueError, match=r"weights='bomb.pt' holds more than tensors, or is damaged"
    ):
        read_weights("bomb.pt")
    assert not Path("exploded").exists()
    Path("text.pth").write_text("no weights")
    with pytest.raises(
        ValueError, match=r"weights='text.pth' holds more than tensors, or is damaged"
    ):
        read_weights("text.pth")
    Path("text.safetensors").write_text("no weights")
    with pytest.raises(ValueError, match=r"weights='text.safetensors' is not a safetensors file"):
        read_weights("text.safetensors")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("resnet18", r"weights='resnet18' is of an unknown kind. Expected a file that ends in"),
        ({}, "weights hold an object of type dict. Expected names and tensors"),
        (
            {"epoch": 3},
            "weights hold an object of type int under 'epoch'. Expected names and tensors",
        ),
        ({0: torch.zeros(1)}, "weights hold an object of type Tensor under 0"),
    ],
    ids=str,
)
def test_what_holds_no_state_dict_is_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_weights(weights)


def test_a_missing_file_is_named() -> None:
    for name in ("missing.pt", "missing.safetensors"):
        with pytest.raises(FileNotFoundError, match=name):
            read_weights(name)


def test_training_starts_there(digits: Data) -> None:
    X, y = digits
    state = small_state()
    start = classifier(weights=state, lr=1e-12, weight_decay=0, scheduler=None).fit(X, y)
    for name, parameter in start.module_.named_parameters():
        torch.testing.assert_close(parameter, state[name], rtol=1e-5, atol=1e-8)
    trained = classifier(weights=state).fit(X, y)
    again = clone(trained).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), trained.predict_proba(X))
    other = classifier().fit(X, y)
    assert np.abs(other.predict_proba(X) - trained.predict_proba(X)).max() > 1e-3


def test_partial_fit_starts_there_once(digits: Data) -> None:
    X, y = digits
    state = small_state()
    slow = {"weights": state, "lr": 1e-12, "weight_decay": 0}
    model = classifier(**slow).partial_fit(X, y)
    torch.testing.assert_close(model.module_.get_parameter("fc.weight"), state["fc.weight"])
    model.set_params(lr=0.1).partial_fit(X, y)
    after = model.module_.get_parameter("fc.weight").clone()
    model.set_params(lr=1e-12).partial_fit(X, y)
    torch.testing.assert_close(model.module_.get_parameter("fc.weight"), after)


def test_weights_of_other_classes_and_channels_are_used(digits: Data) -> None:
    X, y = digits
    state = small_state(n_classes=10, in_channels=3)
    with pytest.warns(UserWarning, match=r"fc \(3 outputs; weights have other classes"):
        model = classifier(weights=state, lr=1e-12, weight_decay=0).fit(X, y)
    torch.testing.assert_close(
        model.module_.get_parameter("layer1.0.conv1.weight"), state["layer1.0.conv1.weight"]
    )


def test_weights_that_do_not_fit_stop_fit(digits: Data) -> None:
    model = classifier(width=8, weights=small_state())
    with pytest.raises(ValueError, match=r"Their first layer has 4 channels: set width=4\."):
        model.fit(*digits)
    assert not hasattr(model, "net_")
    with pytest.raises(ValueError, match="'weights' parameter of ResNetClassifier must be"):
        classifier(weights=3).fit(*digits)


def test_a_saved_estimator_is_a_start_for_another(
    digits: Data, scenes: Data, tmp_path: Path
) -> None:
    X, y = digits
    classifier().fit(X, y).save(tmp_path / "first.safetensors")
    state = read_weights(tmp_path / "first.safetensors")
    with pytest.warns(UserWarning, match=r"start at random: fc \(2 outputs"):
        classifier(weights=tmp_path / "first.safetensors").fit(X, y > 0)
    assert state.keys() == classifier().fit(X, y).module_.state_dict().keys()
    first = segmenter().fit(*scenes)
    first.save(tmp_path / "first.safetensors")
    slow = {"lr": 1e-12, "weight_decay": 0}
    second = segmenter(weights=str(tmp_path / "first.safetensors"), **slow).fit(*scenes)
    np.testing.assert_allclose(
        second.predict_proba(scenes[0]), first.predict_proba(scenes[0]), atol=1e-5
    )


def test_a_unet_adapts_its_ends_too() -> None:
    torch.manual_seed(1)
    state = UNet(in_channels=3, out_channels=4, depth=1, width=4).state_dict()
    network: Any = UNet(in_channels=1, out_channels=1, depth=1, width=4)
    with pytest.warns(UserWarning, match=r"start at random: head \(1 outputs"):
        load_weights(network, state)
    torch.testing.assert_close(network.stem[0].weight, state["stem.0.weight"].sum(1, keepdim=True))


@pytest.mark.cuda
def test_weights_go_to_the_gpu_and_come_from_it(digits: Data) -> None:
    X, y = digits
    state = small_state()
    slow = {"lr": 1e-12, "weight_decay": 0}
    model = classifier(weights=state, device="cuda", **slow).fit(X, y)
    again = classifier(weights=model.module_.state_dict(), device="cpu", **slow).fit(X, y)
    torch.testing.assert_close(again.module_.get_parameter("fc.weight"), state["fc.weight"])
