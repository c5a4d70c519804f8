"""Weights find their layers in any network, and nothing is left out unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sklearnloss import ImageClassifier, ImageSegmenter, ResNetClassifier, load
from sklearnloss.estimators._persistence.initial_weights import load_weights
from sklearnloss.networks import ResNet

from ...optional import import_or_skip
from ..conftest import Data

State = dict[str, Tensor]


class Supervised(nn.Module):
    """An encoder, a head that is no last layer, and auxiliary heads after it."""

    def __init__(self, in_channels: int = 3, n_classes: int = 4, width: int = 6) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.shortcut = nn.Conv2d(in_channels, width, 1)
        self.head = nn.Conv2d(width, n_classes, 1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.auxiliary = nn.Conv2d(width, n_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Any:
        encoded = self.middle(self.encoder(x) + self.shortcut(x) + self.token)
        if self.training:
            return [self.head(encoded), self.auxiliary(encoded)]
        return self.head(encoded)


def state_of(*args: Any, **params: Any) -> State:
    torch.manual_seed(3)
    state: State = Supervised(*args, **params).state_dict()
    state["token"] = torch.ones_like(state["token"])
    return state


def test_all_heads_start_at_random_for_other_classes() -> None:
    network, state = Supervised(n_classes=2), state_of(n_classes=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.warns(UserWarning, match=r"random: head \(2 outputs; .*; auxiliary \(2 outputs"):
        load_weights(network, state, 2)
    for name, value in network.state_dict().items():
        random = name.startswith(("head", "auxiliary"))
        assert torch.equal(value, before[name] if random else state[name]), name


def test_the_same_classes_are_taken_without_a_warning() -> None:
    network, state = Supervised(), state_of()
    load_weights(network, state, 4)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("in_channels", [1, 2, 4])
def test_every_kernel_on_the_image_is_adapted(in_channels: int) -> None:
    network, state = Supervised(in_channels), state_of(3)
    load_weights(network, state, 4)
    for name in ("encoder.0.weight", "shortcut.weight"):
        expected = state[name].sum(1, keepdim=True)
        if in_channels > 1:
            expected = state[name][:, torch.arange(in_channels) % 3] * (3 / in_channels)
        torch.testing.assert_close(network.get_parameter(name), expected)
    torch.testing.assert_close(network.middle.weight, state["middle.weight"])


@pytest.mark.parametrize("n_classes", [1, 3])
def test_one_score_is_told_from_one_channel(n_classes: int) -> None:
    network, state = Supervised(1, n_classes), state_of(3, 4 - n_classes)
    with pytest.warns(UserWarning, match="random: head"):
        load_weights(network, state, n_classes)
    summed = state["encoder.0.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(network.get_parameter("encoder.0.weight"), summed)


def test_a_hidden_layer_of_another_width_is_no_head() -> None:
    network = Supervised(3, 4, width=4)
    with pytest.raises(ValueError, match=r"of another shape: token .*, encoder.0.weight \(\(6, 3"):
        load_weights(network, state_of(3, 4, width=6), 4)


def test_what_lacks_a_hidden_layer_is_refused() -> None:
    state = {name: v for name, v in state_of().items() if not name.startswith("middle")}
    with pytest.raises(ValueError, match=r"2 tensors are missing: middle.weight, middle.bias"):
        load_weights(Supervised(), state, 4)


@pytest.mark.parametrize("prefix", ["", "encoder.", "module.", "net.encoder."])
def test_the_encoder_alone_is_taken(prefix: str) -> None:
    network = Supervised(1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    names = {n: v for n, v in state_of().items() if n.startswith("encoder.")}
    given = {prefix + n.removeprefix("encoder."): v for n, v in names.items()}
    with pytest.warns(
        UserWarning, match=r"random: all but encoder \(shortcut, head, middle, auxiliary\)\."
    ):
        load_weights(network, given, 4)
    for name, value in network.state_dict().items():
        if name == "encoder.0.weight":
            torch.testing.assert_close(value, names[name].sum(1, keepdim=True))
        else:
            assert torch.equal(value, names.get(name, before[name])), name


def test_an_encoder_of_a_classifier_leaves_its_head_with_a_warning() -> None:
    network = nn.Module()
    network.backbone = ResNet(3, 5, width=4)
    del network.backbone.fc
    network.decoder = nn.Linear(32, 2)
    torch.manual_seed(1)
    state = ResNet(3, 9, width=4).state_dict()
    with pytest.warns(
        UserWarning, match=r"all but backbone \(decoder\); the weights fc.weight, fc.bias are not"
    ):
        load_weights(network, state, 2)
    own = network.state_dict()
    for name, value in state.items():
        assert name.startswith("fc.") or torch.equal(own[f"backbone.{name}"], value)


def test_an_encoder_that_fits_two_parts_is_asked_for() -> None:
    network = nn.ModuleDict({name: nn.Sequential(nn.Conv2d(1, 2, 3)) for name in ("left", "right")})
    with pytest.raises(ValueError, match=r"fit several parts of this ModuleDict: left., right\."):
        load_weights(network, nn.Sequential(nn.Conv2d(1, 2, 3)).state_dict(), 2)


@pytest.mark.slow
def test_networks_of_the_libraries_take_their_own_weights() -> None:
    timm = import_or_skip("timm")
    X = np.random.default_rng(0).random((4, 1, 32, 32), dtype=np.float32)
    slow: dict[str, Any] = {"lr": 1e-12, "weight_decay": 0, "max_epochs": 1, "random_state": 0}
    for name in ("test_resnet", "test_vit", "test_convnext", "test_efficientnet"):
        theirs = timm.create_model(name, num_classes=7).state_dict()
        model = ImageClassifier(f"timm:{name}", weights=theirs, **slow)
        with pytest.warns(UserWarning, match=r"start at random: \S+ \(2 outputs"):
            model.fit(X, [0, 1, 0, 1])
        own = model.module_.network.state_dict()  # type: ignore[union-attr]
        differ = [key for key in own if own[key].shape != theirs[key].shape]
        assert len(differ) == 3  # the first kernel, and the head
        for key, value in own.items():
            if key not in differ and "running" not in key and "num_batches" not in key:
                torch.testing.assert_close(value, theirs[key], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_torchvisions_file_is_one_for_the_encoder_of_smp(tmp_path: Path, scenes: Data) -> None:
    models = import_or_skip("torchvision.models")
    import_or_skip("segmentation_models_pytorch")
    theirs = models.resnet18(weights=None).state_dict()
    torch.save(theirs, tmp_path / "resnet18.pth")
    model = ImageSegmenter(
        "smp:Unet/resnet18",
        network__decoder_channels=(8, 8, 8, 8, 8),
        weights=tmp_path / "resnet18.pth",
        lr=1e-12,
        weight_decay=0,
        max_epochs=1,
        random_state=0,
    )
    with pytest.warns(UserWarning, match=r"all but encoder \(decoder, segmentation_head\); the we"):
        model.fit(*scenes)
    kernel = model.module_.get_parameter("network.encoder.layer1.0.conv1.weight")
    torch.testing.assert_close(kernel, theirs["layer1.0.conv1.weight"])


def resnet_state(stem: Any = "large") -> State:
    torch.manual_seed(1)
    state: State = ResNet(3, 10, width=4, stem=stem).state_dict()
    return state


@pytest.mark.slow
@pytest.mark.parametrize("cls", [ResNetClassifier, ImageClassifier])
def test_a_resnet_begins_as_its_weights(cls: Any, digits: Data, tmp_path: Path) -> None:
    X, y = digits
    state = resnet_state()
    torch.save(state, tmp_path / "state.pth")
    width = {"width": 4} if cls is ResNetClassifier else {"network__width": 4}
    slow: dict[str, Any] = {"lr": 1e-12, "weight_decay": 0, "max_epochs": 1, "random_state": 0}
    model = cls(weights=tmp_path / "state.pth", warm_start=True, **width, **slow)
    with pytest.warns(UserWarning, match=r"start at random: fc \(3 outputs; [^;]*\.$"):
        model.fit(X, y)
    expected = state["conv1.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(model.module_.get_parameter("conv1.weight"), expected)
    model.fit(X, y)  # goes on
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.stem_ == "large"
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    again.fit(X, y)
    model.set_params(weights=None, warm_start=False).fit(X, y)
    assert model.module_.get_parameter("conv1.weight").shape == (4, 1, 3, 3)


def test_a_resnet_of_small_images_begins_small(digits: Data) -> None:
    X, y = digits
    params: dict[str, Any] = {"width": 4, "max_epochs": 1, "random_state": 0}
    assert ResNetClassifier(**params).fit(X, y).stem_ == "tiny"
    with pytest.warns(UserWarning, match="start at random: fc"):
        model = ResNetClassifier(weights=resnet_state("small"), **params).fit(X, y)
    assert model.stem_ == "tiny"
    del model.stem_  # as in older files
    model.partial_fit(X, y).predict(X)
