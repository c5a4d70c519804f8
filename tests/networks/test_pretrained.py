"""The libraries' own weights, from files where the libraries look for them."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import Tensor

from sklearnloss import ImageClassifier, ImageSegmenter, load
from sklearnloss.networks._adapt.wanted import Wanted
from sklearnloss.networks._build import build_network

from ..optional import import_or_skip

State = dict[str, Tensor]
# A network of a library, its parameters that ask for weights, and what was put into the file.
Stored = tuple[str, dict[str, Any], State]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let libraries look for files in an empty folder, and reach nothing else."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def random_state(network: Any) -> State:
    """Return a state dict like a network's, with other numbers everywhere."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(value.shape, generator=generator) * 0.1
        if value.is_floating_point()
        else value
        for name, value in network.state_dict().items()
    }


def store_torchvision(folder: Path, name: str, **params: Any) -> State:
    models = import_or_skip("torchvision.models")
    weights = models.get_model_weights(name).DEFAULT
    n_classes = len(weights.meta["categories"])
    state = random_state(models.get_model(name, weights=None, num_classes=n_classes, **params))
    path = folder / "torch/hub/checkpoints" / Path(weights.url).name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return state


def store_smp(folder: Path, encoder: str, monkeypatch: pytest.MonkeyPatch) -> State:
    encoders = import_or_skip("segmentation_models_pytorch").encoders
    constants = import_or_skip("huggingface_hub.constants")
    settings = encoders.encoders[encoder]["pretrained_settings"]["imagenet"]
    repository = f"models--{settings['repo_id'].replace('/', '--')}"
    snapshot = folder / "hf" / repository / "snapshots" / settings["revision"]
    snapshot.mkdir(parents=True)
    state = random_state(encoders.get_encoder(encoder))
    save_file(state, snapshot / "model.safetensors")
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hf"))
    return state


def store_timm(folder: Path, name: str) -> tuple[dict[str, Any], State]:
    state = random_state(import_or_skip("timm").create_model(name))
    save_file(state, folder / "timm.safetensors")
    file = str(folder / "timm.safetensors")
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": file}}, state


def stored(library: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    if library == "timm":
        return ("timm:test_resnet", *store_timm(folder, "test_resnet"))
    if library == "timm vit":
        return ("timm:test_vit", *store_timm(folder, "test_vit"))
    if library == "torchvision":
        state = store_torchvision(folder, "squeezenet1_1")
        return "torchvision:squeezenet1_1", {"weights": "DEFAULT"}, state
    if library == "torchvision masks":
        state = store_torchvision(folder, "lraspp_mobilenet_v3_large", weights_backbone=None)
        return "torchvision:lraspp_mobilenet_v3_large", {"weights": "DEFAULT"}, state
    state = {
        f"encoder.{name}": value
        for name, value in store_smp(folder, "mobilenet_v2", monkeypatch).items()
    }
    small = {"decoder_channels": (8, 8, 8, 8, 8)}
    return "smp:Unet/mobilenet_v2", {"encoder_weights": "imagenet", **small}, state


FIRST = {
    "timm": "conv1.0.weight",
    "timm vit": "patch_embed.proj.weight",
    "torchvision": "features.0.weight",
    "torchvision masks": "backbone.0.0.weight",
    "smp": "encoder.features.0.0.weight",
}
HEADS = {
    "timm": ["fc"],
    "timm vit": ["head"],
    "torchvision": ["classifier.1"],
    "torchvision masks": ["classifier.low_classifier", "classifier.high_classifier"],
    "smp": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("in_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("library", FIRST)
def test_all_but_the_ends_is_equal_to_the_file(
    library: str, in_channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, params, state = stored(library, tmp_path, monkeypatch)
    wanted = Wanted(in_channels, 5, (64, 64), per_pixel="masks" in library or library == "smp")

    def build(seed: int) -> State:
        torch.manual_seed(seed)
        tensors: State = build_network(name, wanted, params).network.state_dict()  # type: ignore[union-attr]
        return tensors

    own, other = build(0), build(1)
    heads = {f"{head}.{end}" for head in HEADS[library] for end in ("weight", "bias")}
    for key, value in state.items():
        if key in heads:
            assert own[key].shape == (5, *value.shape[1:])
        elif key == FIRST[library] and in_channels != 3:
            k = torch.arange(in_channels) % 3
            expected = value.sum(1, keepdim=True)
            if in_channels > 1:
                expected = value[:, k] * (3 / in_channels)
            torch.testing.assert_close(own[key], expected)
        else:
            assert torch.equal(own[key], value), key
    assert own.keys() >= state.keys()
    random = [key for key in own if key not in state or key in heads]
    weights = [key for key in random if key.endswith("weight") and own[key].ndim > 1]
    assert weights
    again = build(0)
    assert all(torch.equal(own[key], again[key]) for key in own)
    if library != "timm vit":  # whose head starts at zero or nearly so
        assert all(not torch.equal(own[key], other[key]) for key in weights)


def without_network(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let downloads fail, wherever the tests run, and caches be empty."""

    def fail(*_: Any, **__: Any) -> None:
        raise URLError("there is no network")

    monkeypatch.setenv("TORCH_HOME", str(folder / "empty"))
    monkeypatch.setattr(torch.hub, "urlopen", fail)
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # it tries again and again otherwise


def images(n: int = 6, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 3, size, size)).astype(np.uint8)


def estimator(name: str, params: dict[str, Any], **others: Any) -> Any:
    cls = ImageSegmenter if name.startswith("smp:") or "lraspp" in name else ImageClassifier
    nested = {f"network__{key}": value for key, value in params.items()}
    small = {"max_epochs": 1, "batch_size": 3, "random_state": 0, "normalize": "imagenet"}
    return cls(name, **{**small, **nested, **others})


def labels(model: Any, X: np.ndarray) -> np.ndarray:
    y = np.arange(len(X)) % 2
    return (X[:, 0] > 127).astype(np.uint8) if isinstance(model, ImageSegmenter) else y


@pytest.mark.slow
@pytest.mark.parametrize("library", FIRST)
def test_training_starts_from_the_file_and_nothing_later_fetches(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, params, state = stored(library, tmp_path, monkeypatch)
    X = images()
    model = estimator(name, params, lr=1e-12, weight_decay=0, warm_start=True)
    y = labels(model, X)
    model.fit(X, y)
    key = FIRST[library]
    torch.testing.assert_close(model.module_.network.get_parameter(key), state[key])
    expected = model.predict_proba(X)
    for path in (*tmp_path.rglob("*.pth"), *tmp_path.rglob("*.safetensors")):
        path.unlink()  # a fit that looks for them fails from now on
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    model.set_params(max_epochs=2).fit(X, y)  # goes on
    again.partial_fit(X, y)
    assert len(model.history_) == 3
    without_network(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match=f"weights of network='{name}' .* could not be fetched"):
        clone(model).fit(X, y)


@pytest.mark.slow
def test_each_fold_of_a_search_loads_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, params, state = stored("timm", tmp_path, monkeypatch)
    X = images(8)
    y = np.arange(8) // 2 % 2
    begun: list[Tensor] = []

    def record(model: ImageClassifier, *_: Any) -> float:
        begun.append(model.module_.network.conv1[0].weight.detach().clone())  # type: ignore[index, union-attr]
        return 0.0

    model = estimator(name, params, lr=1e-12, weight_decay=0)
    GridSearchCV(model, {"loss": ["cross_entropy", "focal"]}, cv=2, scoring=record).fit(X, y)
    assert len(begun) == 4
    for weight in begun:
        torch.testing.assert_close(weight, state["conv1.0.weight"])


FAILING: list[tuple[str, dict[str, Any]]] = [
    ("torchvision:squeezenet1_1", {"weights": "DEFAULT"}),
    ("torchvision:lraspp_mobilenet_v3_large", {"weights_backbone": "DEFAULT"}),
    (
        "timm:test_resnet",
        {"pretrained": True, "pretrained_cfg_overlay": {"hf_hub_id": None, "url": "https://a.b/c"}},
    ),
]


@pytest.mark.parametrize(("name", "params"), FAILING, ids=lambda value: str(value)[:30])
def test_a_download_that_fails_is_an_error_before_training(
    name: str, params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch, tmp_path)
    import_or_skip("timm" if name.startswith("timm") else "torchvision.models")
    model = estimator(name, params)
    X = images(4)
    with pytest.raises(
        ValueError,
        match=rf"weights of network='{name}' \(network__\w+=.* could not be fetched: .*Error: "
        r".*pass the file as weights='\.\.\.'; or leave out network__\w+ to start from random",
    ):
        model.fit(X, labels(model, X))
    assert not hasattr(model, "net_")


def test_unknown_weights_are_refused_by_name() -> None:
    import_or_skip("torchvision.models")
    model = estimator("torchvision:squeezenet1_1", {"weights": "DEFAUT"})
    with pytest.raises(ValueError, match=r"no such weights of squeezenet1_1. Expected one of 'IM"):
        model.fit(images(4), [0, 1, 0, 1])
    model = estimator("torchvision:squeezenet1_1", {"pretrained": True})
    with pytest.raises(ValueError, match=r"is deprecated. Set network__weights='DEFAULT'"):
        model.fit(images(4), [0, 1, 0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "deeplabv3_mobilenet_v3_large"])
def test_settings_that_weights_imply_are_there_without_them(name: str, tmp_path: Path) -> None:
    masks = name.startswith("deeplab")
    params: dict[str, Any] = {"aux_loss": True, "weights_backbone": None} if masks else {}
    store_torchvision(tmp_path, name, **params or {"aux_logits": True, "init_weights": False})
    wanted = Wanted(3, 4, (64, 64), masks)

    def build(fetch: bool) -> Any:
        return build_network(
            f"torchvision:{name}", wanted, {"weights": "DEFAULT"}, fetch_weights=fetch, probe=False
        )

    with_weights, without = build(True).eval(), build(False).eval()
    without.load_state_dict(with_weights.state_dict())
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for theirs, ours in zip(with_weights.outputs(x), without.outputs(x), strict=True):
            assert torch.equal(theirs, ours)
    if masks:
        assert len(with_weights.outputs(x)) == 2


@pytest.mark.slow
def test_monai_fetches_nothing_unasked() -> None:
    import_or_skip("monai.networks.nets")
    wanted = Wanted(1, 3, (64, 64), per_pixel=False)
    build_network("monai:EfficientNetBN", wanted, {"model_name": "efficientnet-b0"}, probe=False)


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("timm:hf-hub:someone/network", {}),
    ("timm:test_resnet.local-dir:/tmp", {}),
    ("timm:local-dir:/tmp", {}),
    ("smp:Unet/tu-hf-hub:someone/network", {}),
    ("monai:TorchVisionFCModel", {"model_name": "get_model"}),
    ("monai:one_hot", {}),
    ("torchvision:__init__", {}),
]


@pytest.mark.parametrize(("name", "params"), HOSTILE, ids=lambda value: str(value)[:40])
def test_names_that_lead_elsewhere_are_unknown(name: str, params: dict[str, Any]) -> None:
    library = {"smp": "segmentation_models_pytorch", "torchvision": "torchvision.models"}
    prefix = name.partition(":")[0]
    import_or_skip(library.get(prefix, prefix))
    wanted = Wanted(3, 2, (32, 32), per_pixel=name.startswith("smp:"))
    with pytest.raises(ValueError, match=r"is unknown: .* has no network"):
        build_network(name, wanted, params, fetch_weights=False)


HOSTILE_PARAMS: list[dict[str, Any]] = [
    {"pretrained": True},
    {"checkpoint_path": "bomb.pth"},
    {"pretrained": True, "pretrained_cfg_overlay": {"url": "https://example.org/a.pth"}},
    {"pretrained": True, "pretrained_cfg_overlay": {"file": "bomb.pth"}},
    {"pretrained": True, "pretrained_cfg": {"hf_hub_id": "someone/network", "custom_load": True}},
]


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("params", HOSTILE_PARAMS, ids=lambda params: str(list(params)))
def test_parameters_of_a_file_read_and_fetch_nothing(
    params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_or_skip("timm")
    monkeypatch.chdir(tmp_path)
    X = images(4)
    model = estimator("timm:test_resnet", {}).fit(X, [0, 1, 0, 1])
    torch.save({"state_dict": Bomb()}, "bomb.pth")
    # As if the file had been written so.
    model.set_params(**{f"network__{key}": value for key, value in params.items()})
    model.save("model.safetensors")
    again = load("model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert not Path("exploded").exists()
