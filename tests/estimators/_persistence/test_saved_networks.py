"""Estimators with any network come back from a file, which runs and imports nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sklearnloss import ImageClassifier, ImageSegmenter, load
from sklearnloss.networks import register_network
from sklearnloss.networks._registry import USER_NETWORKS

from ...optional import import_or_skip

FILE = "model.safetensors"


class Small(nn.Module):
    """A class with other settings than numbers."""

    def __init__(self, in_channels: int, n_classes: int, width: int = 4, act: Any = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU() if act is None else act()
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.act(self.norm(self.first(x))).mean((2, 3)))
        return scores


def pixels(in_channels: int, n_classes: int, width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, n_classes, 1)
    )


def adapt(
    network: Any, *, in_channels: int, n_outputs: int, image_shape: Any, **params: Any
) -> Any:
    return network(in_channels, n_outputs, **params)


def adapt_name(
    network: str, *, in_channels: int, n_outputs: int, image_shape: Any, **params: Any
) -> Any:
    assert network in ("timm:test_resnet", "mine")
    return Small(in_channels, n_outputs, **params)


def images(size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).random((6, 3, size, size), dtype=np.float32)


def fitted(network: Any, **params: Any) -> tuple[Any, np.ndarray]:
    X = images()
    small: dict[str, Any] = {"max_epochs": 1, "batch_size": 3, "random_state": 0, **params}
    masks = small.pop("masks", False)
    if masks:
        return ImageSegmenter(network, **small).fit(X, X[:, 0] > 0.5), X
    return ImageClassifier(network, **small).fit(X, np.arange(6) % 2), X


def check(model: Any, X: np.ndarray, folder: Path, **custom: Any) -> Any:
    model.save(folder / FILE)
    again = load(folder / FILE, custom=custom)
    parts = [X, X[:, :, :20, :24]] if isinstance(model, ImageSegmenter) else [X]
    for each in parts:
        expected = model.predict_proba(each)
        np.testing.assert_array_equal(again.predict_proba(each), expected, strict=True)
    assert repr(again.get_params(deep=False)) == repr(model.get_params(deep=False))
    again.partial_fit(X, model.predict(X))
    again.save(folder / "again.safetensors")
    return again


LIBRARIES: list[tuple[str, str, dict[str, Any]]] = [
    ("timm", "timm:test_vit", {}),
    ("timm", "timm:test_convnext", {"network__drop_path_rate": 0.1}),
    ("torchvision.models", "torchvision:squeezenet1_1", {}),
    ("torchvision.models", "torchvision:lraspp_mobilenet_v3_large", {"masks": True}),
    (
        "segmentation_models_pytorch",
        "smp:Unet/resnet18",
        {"masks": True, "network__decoder_channels": (8, 8, 8, 8, 8)},
    ),
    (
        "monai.networks.nets",
        "monai:UNet",
        {"masks": True, "network__channels": [4, 8], "network__strides": [2]},
    ),
    ("torch", "resnet", {"network__width": 4}),
    ("torch", "unet", {"masks": True, "network__width": 4}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("library", "name", "params"), LIBRARIES, ids=lambda each: str(each)[:30])
def test_networks_by_name_come_back(
    library: str, name: str, params: dict[str, Any], tmp_path: Path
) -> None:
    import_or_skip(library)
    check(*fitted(name, **params), tmp_path)


OWN: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (Small, {"network__width": 8}, {"Small": Small}),
    (Small, {"network__act": nn.Tanh}, {"Small": Small, "Tanh": nn.Tanh}),
    (pixels, {"masks": True}, {"pixels": pixels}),
    (Small(3, 2), {}, {"Small": Small(3, 2)}),
    (Small, {"adapter": adapt, "network__width": 8}, {"Small": Small, "adapt": adapt}),
    ("timm:test_resnet", {"adapter": adapt_name}, {"adapt_name": adapt_name}),
]


@pytest.mark.parametrize(
    ("network", "params", "custom"),
    OWN,
    ids=["class", "setting", "function", "instance", "adapter", "adapter and name"],
)
def test_networks_of_ones_own_are_named_and_passed_in(
    network: Any, params: dict[str, Any], custom: dict[str, Any], tmp_path: Path
) -> None:
    import_or_skip("timm")
    model, X = fitted(network, **params)
    check(model, X, tmp_path, **custom)
    names = ", ".join(map(repr, sorted(custom)))
    with pytest.raises(
        ValueError, match=f"it needs objects of your own: {names}. Pass them by name"
    ):
        load(tmp_path / FILE)


def test_an_instance_is_not_changed_by_loading(tmp_path: Path) -> None:
    model, X = fitted(Small(3, 2))
    model.save(tmp_path / FILE)
    given = Small(3, 2)
    before = {name: value.clone() for name, value in given.state_dict().items()}
    again = load(tmp_path / FILE, custom={"Small": given})
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert all(torch.equal(value, before[name]) for name, value in given.state_dict().items())


@pytest.mark.parametrize(
    ("network", "given", "message"),
    [
        (Small, Small(3, 2), r"custom\['Small'\] is .*, but the file needs a class"),
        (
            Small(3, 2),
            Small,
            r"the file needs a function or an object: pass Small\(\.\.\.\), as it",
        ),
        (Small, nn.Linear, r"The network cannot be made|needs|tensors do not fit"),
        (Small(3, 2), Small(3, 2, width=8), r"\d of its tensors do not fit; the first is 'network"),
    ],
)
def test_a_wrong_network_is_told(network: Any, given: Any, message: str, tmp_path: Path) -> None:
    model, _ = fitted(network)
    model.save(tmp_path / FILE)
    with pytest.raises(ValueError, match=f"Cannot load .*{message}") as caught:
        load(tmp_path / FILE, custom={"Small": given})
    assert "loss" not in str(caught.value)


def test_a_registered_network_needs_to_be_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USER_NETWORKS, "mine", Small)
    register_network("mine", Small)
    model, X = fitted("mine", network__width=8)
    check(model, X, tmp_path)
    monkeypatch.delitem(USER_NETWORKS, "mine")
    with pytest.raises(ValueError, match=r"network='mine' is unknown\. .*register_network"):
        load(tmp_path / FILE)


def test_what_no_file_can_hold_is_said_of_networks(tmp_path: Path) -> None:
    model, _ = fitted(Small)
    model.set_params(network__act={1, 2})
    with pytest.raises(
        ValueError,
        match=r"network__act holds \{1, 2\} of type set, which is neither data nor a network",
    ):
        model.save(tmp_path / FILE)
