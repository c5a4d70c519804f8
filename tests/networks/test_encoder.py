"""The parts of networks that fine-tuning speaks of."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from sklearnloss.networks import ResNet, UNet
from sklearnloss.networks._adapt.encoder import find_stages, match_parameters, norms_of

from ..optional import import_or_skip


def encoder(network: nn.Module, *, masks: bool) -> set[str]:
    return set(match_parameters(network, "encoder", per_pixel=masks, where="freeze"))


def left(network: nn.Module, *, masks: bool) -> set[str]:
    """Return the parts of a network that are not its encoder."""
    inside = encoder(network, masks=masks)
    names = [name for name, _ in network.named_parameters() if name not in inside]
    return {name.partition(".")[0] for name in names}


def first_of_stages(network: nn.Module) -> list[str]:
    stages = find_stages(network)
    named = [name for name, _ in network.named_parameters()]
    assert sorted(name for names in stages for name in names) == sorted(named)
    return [names[0] for names in stages]


def test_the_encoder_of_our_own_networks() -> None:
    assert left(UNet(width=2, depth=2), masks=True) == {"up", "head"}
    assert left(ResNet(width=2), masks=False) == {"fc"}


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", {"fc"}),
        ("test_convnext", {"head"}),
        ("test_efficientnet", {"classifier"}),
        ("test_vit", {"head"}),
        ("deit_tiny_distilled_patch16_224", {"head", "head_dist"}),
    ],
)
def test_the_encoder_of_timms_classifiers_is_all_but_the_head(name: str, head: set[str]) -> None:
    network = import_or_skip("timm").create_model(name, num_classes=3)
    assert left(network, masks=False) == head
    assert find_stages(network)[-1][-1].partition(".")[0] in head


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", {"fc"}),
        ("squeezenet1_0", {"classifier"}),
        ("vit_b_32", {"heads"}),  # whose child "encoder" has no embedding of patches
        ("mobilenet_v3_small", {"classifier"}),
    ],
)
def test_the_encoder_of_torchvisions_classifiers(name: str, head: set[str]) -> None:
    models = import_or_skip("torchvision.models")
    assert left(models.get_model(name, num_classes=3), masks=False) == head


def test_the_encoder_of_networks_for_masks() -> None:
    smp = import_or_skip("segmentation_models_pytorch")
    network = smp.Unet("resnet18", encoder_weights=None)
    assert left(network, masks=True) == {"decoder", "segmentation_head"}
    models = import_or_skip("torchvision.models")
    fcn = models.get_model("fcn_resnet50", weights_backbone=None, aux_loss=True)
    assert left(fcn, masks=True) == {"classifier", "aux_classifier"}
    assert find_stages(fcn)[-1][-1].startswith("aux_classifier.")


@pytest.mark.parametrize(
    ("name", "params", "others"),
    [
        ("SegResNet", {"init_filters": 8}, {"up_layers", "up_samples", "conv_final"}),
        (
            "BasicUNet",
            {"features": (2,) * 6},
            {"upcat_4", "upcat_3", "upcat_2", "upcat_1", "final_conv"},
        ),
        (
            "DynUNet",
            {"kernel_size": [3] * 3, "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]},
            {"upsamples", "output_block"},
        ),
    ],
)
def test_the_encoder_of_monais_networks(name: str, params: Any, others: set[str]) -> None:
    nets = import_or_skip("monai.networks.nets")
    network = getattr(nets, name)(spatial_dims=2, in_channels=1, out_channels=2, **params)
    assert left(network, masks=True) == others


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.bare = nn.BatchNorm2d(2, affine=False)
        self.last = nn.Linear(2, 2)


class Named(Small):
    encoder_parts = ("first", "norm")


def test_an_encoder_that_is_not_known_is_an_error_with_the_parts() -> None:
    expected = r"which part of Small .*such as 'first\.\*'\. Its parts are 'first', 'norm', 'last'"
    with pytest.raises(ValueError, match=expected):
        encoder(Small(), masks=False)
    assert left(Named(), masks=False) == {"last"}
    nets = import_or_skip("monai.networks.nets")
    network = nets.UNet(2, 1, 2, channels=(2, 4), strides=(2,))
    with pytest.raises(ValueError, match=r"parts are 'model.0', 'model.1', 'model.2'"):
        encoder(network, masks=True)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("layer1", r"'layer1', which matches no parameter.*use 'layer1\.\*' for its"),
        ("layer9.*", r"Did you mean 'layer\d\.\*?"),
        ("conv1.weigth", "Did you mean 'conv1.weight'"),
    ],
)
def test_a_pattern_without_a_match_lists_names(pattern: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        match_parameters(ResNet(width=2), pattern, per_pixel=False, where="freeze")


def test_norms_are_frozen_with_all_of_their_parameters() -> None:
    network = ResNet(width=2)
    names = [name for name, _ in network.named_parameters()]
    assert norms_of(network, [name for name in names if name.startswith("bn1.")]) == ["bn1"]
    assert norms_of(network, [name for name in names if name.endswith("weight")]) == []
    small = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False)))
    assert norms_of(small, ["0.0.weight"]) == []
    assert norms_of(small, ["0.0.weight", "0.0.bias"]) == ["0.1"]


def test_the_stages_of_our_own_networks() -> None:
    assert first_of_stages(UNet(width=2, depth=2)) == [
        *("stem.0.weight", "down.0.0.weight", "down.1.0.weight"),
        *("up.0.enlarge.weight", "up.1.enlarge.weight", "head.weight"),
    ]
    blocks = [f"layer{k}.0.conv1.weight" for k in (1, 2, 3, 4)]
    assert first_of_stages(ResNet(width=2)) == ["conv1.weight", *blocks, "fc.weight"]
    assert find_stages(ResNet(width=2))[0] == ["conv1.weight", "bn1.weight", "bn1.bias"]


def test_the_stages_of_libraries_networks() -> None:
    timm = import_or_skip("timm")
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    blocks = [f"blocks.{k}.norm1.weight" for k in range(12)]
    assert first_of_stages(vit) == ["cls_token", *blocks, "head.weight"]
    smp = import_or_skip("segmentation_models_pytorch")
    stages = find_stages(smp.Unet("resnet18", encoder_weights=None))
    assert [len(names) for names in stages] == [3, 12, 15, 15, 15, 30, 2]
    models = import_or_skip("torchvision.models")
    dense = first_of_stages(models.get_model("densenet121", num_classes=3))
    assert len(dense) == 9  # a stem, four blocks, three transitions and a head


def test_a_sequential_has_a_stage_per_layer() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 3))
    assert find_stages(network) == [
        ["0.weight", "0.bias", "1.weight", "1.bias"],
        ["3.weight", "3.bias"],
    ]
    assert find_stages(nn.Linear(2, 1)) == [["weight", "bias"]]
