"""What cannot be a network for the images is refused before training, with shapes and advice."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sklearnloss import ImageClassifier, ImageSegmenter
from sklearnloss.networks import list_networks
from tests.optional import import_or_skip

IMAGES = np.random.default_rng(0).normal(size=(4, 1, 20, 22)).astype(np.float32)
MASKS = np.digitize(IMAGES[:, 0], [-0.5, 0.5])
LABELS = np.arange(4) % 3


class Returns(nn.Module):
    """Scores per pixel, and what a function makes of them."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.conv(x))


class TwoInTraining(Returns):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x)[:, :2] if self.training else self.conv(x)


def pooled(n_classes: int, in_channels: int = 1, kernel: int = 3) -> nn.Module:
    layer = nn.Conv2d(in_channels, n_classes, kernel)
    return nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def other_names(k: int) -> nn.Module:
    return pooled(k)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (pooled(3), r"of shape \(2, 3\) for images.*Expected \(n, 3, \*spatial\).*ImageClassifier"),
        (nn.Conv2d(1, 2, 3, padding=1), r"\(2, 2, 65, 67\).*Expected \(n, 3.*last layer.*Conv2d"),
        (nn.Conv2d(1, 3, 3), r"\(2, 3, 18, 20\) for .*\(2, 1, 20, 22\).*Pad its convolutions"),
        (nn.Sequential(nn.Conv2d(1, 3, 1), nn.MaxPool2d(2)), r"\(2, 3, 10, 11\).*interpolate"),
        (Returns(lambda x: x * float("nan")), "NaN or infinity for random images.*its weights"),
        (Returns(lambda x: "scores"), r"an object of type str. Expected scores: a tensor \(n, 3"),
        (Returns(lambda x: {"a": 1}), "an object of type dict"),
        (Returns(lambda x: None), "an object of type NoneType"),
        (Returns(lambda x: x.argmax(1)), r"shape \(2, 65, 67\).*scores for each pixel"),
        (Returns(Tensor.long), "dtype torch.int64. Expected floating point"),
        (Returns(lambda x: x.softmax(1)), "returns probabilities.*Remove the softmax"),
        (Returns(lambda x: x.mean(0, keepdim=True)), r"\(1, 3, 20, 22\) for images of shape \(2,"),
        (TwoInTraining(None), r"In training mode: .*\(2, 2, 20, 22\)"),
        (nn.Conv3d(1, 3, 3, padding=1), "first convolution is of 3 axes, but the images have 2"),
        (nn.Conv2d(3, 3, 1), r"convolution takes 3 channels. Change the first layer.*class, Conv"),
        (dict, "dict returned an object of type dict. Expected a torch.nn.Module"),
        (lambda in_channels, n_classes: 1 / 0, r"\(in_channels=1, n_classes=3\) raised ZeroDiv"),
        (other_names, "other_names needs 'k'. Set network__k.*adapter="),
        (lambda: nn.Conv2d(1, 2, 3, padding=1), "Its parameters are: none.*adapter="),
        ("unett", "network='unett' is unknown.*Did you mean 'unet'"),
        ("resnet", "'resnet' is for ImageClassifier"),
    ],
)
def test_no_network_for_masks(network: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSegmenter(network, max_epochs=1).fit(IMAGES, MASKS)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Conv2d(1, 3, 3), r"\(2, 3, 63, 65\).*scores for each image.*ImageSegmenter"),
        (pooled(5), r"\(2, 5\).*Expected \(n, 3\), 3 of them. Change the last layer"),
        (pooled(3, in_channels=3), r"1 channels and 20 x 22 pixels.*takes 3 channels"),
        (lambda in_channels, n_classes: pooled(5), "called with in_channels=1, n_classes=3"),
        (nn.Sequential(nn.Flatten(), nn.Linear(100, 3)), r"2x440 and 100x3"),
        (Returns(lambda x: x.mean((2, 3)).softmax(1)), "returns probabilities"),
        ("unet", "'unet' is for ImageSegmenter"),
    ],
)
def test_no_network_for_labels(network: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageClassifier(network, max_epochs=1).fit(IMAGES, LABELS)


def failing(network: Any, **numbers: Any) -> nn.Module:
    raise KeyError("width")


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (failing, r"adapter raised KeyError: 'width'.*in_channels=1, n_outputs=3, image_shape="),
        (lambda network: network(3), "unexpected keyword argument 'in_channels'"),
        (lambda network, **numbers: None, "adapter returned an object of type NoneType"),
        (lambda network, **numbers: pooled(5), "The network returns.*receives the numbers as"),
    ],
)
def test_an_adapter_that_fails(adapter: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageClassifier(pooled, adapter=adapter, max_epochs=1).fit(IMAGES, LABELS)


@pytest.mark.parametrize(
    ("network", "name", "message"),
    [
        (pooled, "kernl", "Invalid parameter 'network__kernl'.*Did you mean 'kernel'"),
        (
            pooled(3),
            "kernel",
            "network__kernel cannot be set: .*already a module.*network=Sequential",
        ),
        ("resnet", "wdth", "Did you mean 'width'"),
    ],
)
def test_parameters_that_a_network_does_not_have(network: Any, name: str, message: str) -> None:
    params: dict[str, Any] = {f"network__{name}": 3}
    with pytest.raises(ValueError, match=message):
        ImageClassifier(network, max_epochs=1, **params).fit(IMAGES, LABELS)
    with pytest.raises(ValueError, match=f"Invalid parameter 'network__{name}'"):
        ImageClassifier(network).set_params(**params)


@pytest.mark.parametrize(
    ("library", "module", "name", "package"),
    [
        ("timm", "timm", "test_resnet", "timm"),
        ("smp", "segmentation_models_pytorch", "Unet/resnet18", "segmentation-models-pytorch"),
        ("torchvision", "torchvision.models", "resnet18", "torchvision"),
        ("monai", "monai.networks.nets", "UNet", "monai"),
    ],
)
def test_a_missing_library_is_named_and_how_to_install_it(
    library: str, module: str, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    message = f"begin with '{library}:' need {package}.*pip install {package}"
    model = ImageClassifier(f"{library}:{name}", max_epochs=1)
    assert model.get_params()["network"] == f"{library}:{name}"
    assert f"{library}:{name}" in repr(model)
    with pytest.raises(ImportError, match=message):
        model.fit(IMAGES, LABELS)
    with pytest.raises(ImportError, match=message):
        list_networks(f"{library}:*")


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("timm", "timm:resnt18", "timm has no network 'resnt18'.*Did you mean 'resnet18'"),
        ("timm", "timm:resnet18", "'timm:resnet18' classifies images.*'smp:Unet/tu-resnet18'"),
        ("segmentation_models_pytorch", "smp:Unett/resnet18", "Did you mean 'Unet'"),
        ("segmentation_models_pytorch", "smp:Unet/resnet1", "no encoder 'resnet1'.*'resnet18'"),
        ("segmentation_models_pytorch", "smp:Unet", "lacks an encoder.*'smp:Unet/resnet18'"),
        ("torchvision.models", "torchvision:resnet9", "torchvision has no network 'resnet9'"),
        ("torchvision.models", "torchvision:resnet18", "torchvision:resnet18.*not for masks"),
        ("monai.networks.nets", "monai:UNett", "monai has no network 'UNett'"),
        ("monai.networks.nets", "monai:UNet", "needs 'channels', 'strides'. Set network__channels"),
    ],
)
def test_names_that_a_library_does_not_have(module: str, name: str, message: str) -> None:
    import_or_skip(module)
    with pytest.raises(ValueError, match=message):
        ImageSegmenter(name, max_epochs=1).fit(IMAGES, MASKS)


def test_trying_a_network_leaves_its_weights_and_the_random_numbers() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Conv2d(1, 3, 3, padding=1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with pytest.raises(ValueError, match="Change the last layer"):
        ImageSegmenter(network, max_epochs=1, random_state=0).fit(IMAGES, MASKS * (MASKS < 2))
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in before)
    torch.testing.assert_close(torch.rand(2), expected)
