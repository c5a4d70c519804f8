"""Networks of four libraries train, predict and are saved as our own are."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearnloss import ImageClassifier, ImageSegmenter, load
from sklearnloss.networks import list_networks
from tests.optional import import_or_skip

MODULES = {
    "timm": "timm",
    "smp": "segmentation_models_pytorch",
    "torchvision": "torchvision.models",
    "monai": "monai.networks.nets",
}
VIT: dict[str, Any] = {"img_size": 32, "patch_size": 8, "depth": 1, "embed_dim": 24, "num_heads": 3}
SWIN: dict[str, Any] = {"img_size": 56, "depths": (1, 1), "embed_dim": 24, "num_heads": (1, 2)}
MONAI_VIT: dict[str, Any] = {
    **{"patch_size": 8, "hidden_size": 24, "num_heads": 3, "mlp_dim": 16, "num_layers": 1},
    "classification": True,
}
UNETR: dict[str, Any] = {"hidden_size": 24, "num_heads": 3, "mlp_dim": 16, "feature_size": 4}
DYNUNET: dict[str, Any] = {
    **{"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]},
    **{"filters": [4, 8, 8], "deep_supervision": True},
}
RESNET: dict[str, Any] = {"block": "basic", "layers": (1, 1, 1, 1), "block_inplanes": (4, 4, 8, 8)}
DENSENET: dict[str, Any] = {"init_features": 8, "growth_rate": 4, "block_config": (1, 1)}
SEGRESNET: dict[str, Any] = {"init_filters": 8, "blocks_down": (1, 1, 1), "blocks_up": (1, 1)}
SWINUNETR: dict[str, Any] = {"feature_size": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}

SLOW = pytest.mark.slow


def case(name: str, *marks: Any, **params: Any) -> Any:
    return pytest.param(name, {f"network__{k}": v for k, v in params.items()}, id=name, marks=marks)


SEGMENTERS = [
    case("unet", width=4, depth=2),
    case("smp:Unet/tu-test_efficientnet"),
    case("smp:UnetPlusPlus/tu-test_efficientnet"),
    case("smp:FPN/tu-test_efficientnet", SLOW),
    case("smp:Linknet/tu-test_efficientnet"),
    case("smp:MAnet/tu-test_efficientnet", SLOW),
    case("smp:PSPNet/tu-test_efficientnet", SLOW),
    case("smp:PAN/tu-test_efficientnet", SLOW),
    case("smp:UPerNet/tu-test_efficientnet", SLOW),
    case("smp:DeepLabV3Plus/tu-mobilenetv3_small_050", SLOW),
    case("smp:Segformer/tu-test_efficientnet"),
    case("smp:DPT/tu-test_vit", SLOW),
    case("smp:Unet/resnet18", SLOW),
    case("torchvision:lraspp_mobilenet_v3_large", SLOW),
    case("torchvision:deeplabv3_mobilenet_v3_large", SLOW),
    case("torchvision:fcn_resnet50", SLOW, aux_loss=True),
    case("monai:UNet", channels=(4, 8, 16), strides=(2, 2)),
    case("monai:BasicUNet", features=(4,) * 6),
    case("monai:BasicUNetPlusPlus", SLOW, features=(4,) * 6),
    case("monai:SegResNet", **SEGRESNET),
    case("monai:SegResNetDS", init_filters=8, blocks_down=(1, 1, 1)),
    case("monai:AttentionUnet", channels=(4, 8), strides=(2,)),
    case("monai:DynUNet", **DYNUNET),
    case("monai:UNETR", img_size=(48, 48), **UNETR),
    case("monai:SwinUNETR", SLOW, **SWINUNETR),
    case("monai:RegUNet", num_channel_initial=4, depth=2),
    case("monai:MedNeXt", init_filters=4),
    case("monai:HighResNet"),
]
CLASSIFIERS = [
    case("resnet", width=4),
    case("timm:test_resnet"),
    case("timm:test_vit"),
    case("timm:test_convnext"),
    case("timm:mobilenetv3_small_050"),
    case("timm:vit_tiny_patch16_224", **VIT),
    case("timm:swin_tiny_patch4_window7_224", **SWIN),
    case("timm:resnet10t", SLOW),
    case("timm:convnext_atto", SLOW),
    case("torchvision:mobilenet_v3_small"),
    case("torchvision:mnasnet0_5"),  # whose state dict has a version of its own
    case("torchvision:squeezenet1_1"),
    case("torchvision:shufflenet_v2_x0_5"),
    case("torchvision:resnet18", SLOW),
    case("torchvision:googlenet", SLOW),
    case("monai:DenseNet", **DENSENET),
    case("monai:ResNet", **RESNET),
    case("monai:ViT", **MONAI_VIT),
    case("monai:SEResNet50", SLOW),
]
SEGMENTERS_OF_VOLUMES = [
    case("unet", width=4, depth=1),
    case("monai:UNet", channels=(4, 8), strides=(2,)),
    case("monai:SegResNet", **SEGRESNET),
    case("monai:DynUNet", **DYNUNET),
    case("monai:BasicUNet", features=(4,) * 6),
    case("monai:UNETR", **UNETR),
]
CLASSIFIERS_OF_VOLUMES = [
    case("resnet", width=4),
    case("monai:DenseNet", **DENSENET),
    case("monai:ResNet", **RESNET),
]
SEGMENTERS_OF_SIGNALS = [
    case("unet", width=4, depth=2),
    case("monai:UNet", channels=(4, 8), strides=(2,)),
    case("monai:AttentionUnet", channels=(4, 8), strides=(2,)),
]
CLASSIFIERS_OF_SIGNALS = [case("resnet", width=4), case("monai:DenseNet", **DENSENET)]

over_segmenters = pytest.mark.parametrize(("network", "params"), SEGMENTERS)
over_classifiers = pytest.mark.parametrize(("network", "params"), CLASSIFIERS)


def import_library(network: str) -> None:
    library, colon, _ = network.partition(":")
    if colon:
        import_or_skip(MODULES[library])


def segmenter(network: Any, **params: Any) -> ImageSegmenter:
    import_library(network)
    defaults: dict[str, Any] = {"max_epochs": 1, "batch_size": 2, "lr": 1e-3, "random_state": 0}
    return ImageSegmenter(network, **{"loss": "cross_entropy", **defaults, **params})


def classifier(network: Any, **params: Any) -> ImageClassifier:
    import_library(network)
    defaults: dict[str, Any] = {"max_epochs": 1, "batch_size": 3, "lr": 1e-3, "random_state": 0}
    return ImageClassifier(network, **{**defaults, **params})


def images_and_masks(*shape: int, n_images: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, C, *spatial) whose right half is brighter, and masks of it."""
    y = np.zeros((n_images, *shape[1:]), dtype=np.uint8)
    y[..., shape[-1] // 2 :] = 1
    noise = np.random.default_rng(0).normal(size=(n_images, *shape))
    return (noise + 2 * y[:, None]).astype(np.float32), y


def images_and_labels(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Return six images (n, C, *spatial) of three levels, and the levels."""
    y = np.arange(6) % 3
    noise = np.random.default_rng(0).normal(size=(6, *shape))
    return (noise + y.reshape(-1, *[1] * len(shape))).astype(np.float32), y


def check_it_is_kept(model: Any, X: np.ndarray, path: Path) -> None:
    """A fitted model predicts the same bits after each way of keeping it."""
    expected = model.predict_proba(X)
    model.save(path / "model.safetensors")
    for again in (load(path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict_proba(X), expected)


@over_segmenters
def test_a_segmenter_trains_on_images_of_odd_sizes_and_is_saved(
    network: str, params: dict[str, Any], tmp_path: Path
) -> None:
    X, y = images_and_masks(3, 45, 37)
    model = clone(segmenter(network, **params)).fit(X, y)
    assert np.isfinite(model.history_[:, "train_loss"]).all()
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (4, 2, 45, 37)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert model.predict(X).shape == y.shape
    check_it_is_kept(model, X, tmp_path)
    assert model.set_params(tta="flip").predict(X[:1]).shape == (1, 45, 37)


@over_classifiers
def test_a_classifier_trains_on_images_of_odd_sizes_and_is_saved(
    network: str, params: dict[str, Any], tmp_path: Path
) -> None:
    X, y = images_and_labels(3, 35, 27)
    model = clone(classifier(network, **params)).fit(X, y)
    assert np.isfinite(model.history_[:, "train_loss"]).all()
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (6, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert model.predict(X).shape == y.shape
    check_it_is_kept(model, X, tmp_path)
    both = model.set_params(tta="mirror").decision_function(X)
    mirrored = model.decision_function(X[..., ::-1])
    np.testing.assert_allclose(both, mirrored, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("network", "params"), SEGMENTERS_OF_VOLUMES)
def test_a_segmenter_trains_on_volumes(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_masks(1, 18, 21, 17, n_images=2)
    model = segmenter(network, **params).fit(X, y)
    assert model.predict_proba(X).shape == (2, 2, 18, 21, 17)


@pytest.mark.parametrize(("network", "params"), CLASSIFIERS_OF_VOLUMES)
def test_a_classifier_trains_on_volumes(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_labels(1, 12, 9, 10)
    assert classifier(network, **params).fit(X, y).predict_proba(X).shape == (6, 3)


@pytest.mark.parametrize(("network", "params"), SEGMENTERS_OF_SIGNALS)
def test_a_segmenter_trains_on_signals(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_masks(1, 61)
    model = segmenter(network, image_shape=(61,), **params).fit(X[:, 0], y)
    assert model.predict_proba(X[:, 0]).shape == (4, 2, 61)


@pytest.mark.parametrize(("network", "params"), CLASSIFIERS_OF_SIGNALS)
def test_a_classifier_trains_on_signals(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_labels(61)
    model = classifier(network, image_shape=(61,), **params).fit(X, y)
    assert model.predict_proba(X).shape == (6, 3)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        case("smp:Unet/tu-test_efficientnet"),
        case("monai:BasicUNet", features=(4,) * 6),
        case("torchvision:lraspp_mobilenet_v3_large", SLOW),
    ],
)
def test_images_of_one_channel_and_further_labels(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_masks(1, 40, 40)
    y = np.where(X[:, 0] > 4, 2, y)
    y[:, :4] = 255
    model = segmenter(network, ignore_index=255, **params).fit(X[:, 0], y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X[:, 0]).shape == (4, 3, 40, 40)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        case("timm:test_resnet"),
        case("torchvision:squeezenet1_1"),
        case("monai:ResNet", **RESNET),
        case("monai:SEResNet50", SLOW),
    ],
)
def test_images_of_one_channel_and_labels(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_labels(1, 24, 24)
    assert classifier(network, **params).fit(X[:, 0], y).predict_proba(X[:, 0]).shape == (6, 3)


@pytest.mark.parametrize(
    ("network", "params"),
    [case("smp:Unet/tu-test_efficientnet"), case("monai:DynUNet", **DYNUNET)],
)
def test_multilabel_masks(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_masks(3, 33, 40)
    both = np.stack([y, 1 - y, y], axis=1)
    model = segmenter(network, multilabel=True, loss="bce", **params).fit(X, both)
    assert model.predict_proba(X).shape == model.predict(X).shape == (4, 3, 33, 40)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        case("unet", width=4, depth=1, norm="batch"),
        case("monai:UNet", channels=(4, 8), strides=(2,), norm="batch"),
        case("monai:HighResNet", SLOW),
    ],
)
def test_tiles_of_local_networks_make_the_whole(network: str, params: dict[str, Any]) -> None:
    X, y = images_and_masks(1, 150, 170, n_images=2)
    model = segmenter(network, **params).fit(X, y)
    whole = model.predict_proba(X)
    np.testing.assert_allclose(model.set_params(tile=128).predict_proba(X), whole, atol=0.02)


@pytest.mark.parametrize(
    ("network", "params"),
    [case("smp:Unet/tu-test_efficientnet"), case("monai:BasicUNet", features=(4,) * 6)],
)
def test_mirrored_images_have_mirrored_scores_with_tta(
    network: str, params: dict[str, Any]
) -> None:
    X, y = images_and_masks(3, 32, 64)  # nothing to pad
    model = segmenter(network, tta="flip", **params).fit(X, y)
    mirrored = model.decision_function(X[..., ::-1, ::-1])[..., ::-1, ::-1]
    np.testing.assert_allclose(model.decision_function(X), mirrored, atol=1e-4)


def test_a_network_of_one_size_predicts_larger_images_in_tiles() -> None:
    X, y = images_and_masks(1, 32, 32)
    model = segmenter(
        "monai:UNETR", network__img_size=(32, 32), **{f"network__{k}": v for k, v in UNETR.items()}
    )
    model.fit(X, y)
    large = images_and_masks(1, 50, 70, n_images=1)[0]
    assert model.predict(large).shape == (1, 50, 70)
    np.testing.assert_array_equal(model.predict(large), model.set_params(tile=32).predict(large))
    with pytest.raises(ValueError, match=r"only images of 32 x 32 pixels.*50 x 70.*tile=32"):
        model.module_(torch.zeros(1, 1, 50, 70))


def test_the_size_that_a_network_is_made_for_is_known_by_its_name() -> None:
    X, y = images_and_labels(1, 24, 16)
    model = classifier("monai:ViT", **{f"network__{k}": v for k, v in MONAI_VIT.items()}).fit(X, y)
    assert model.module_.sizes.fixed == (24, 16)  # and not the patches of 8 x 8
    model.set_params(network__img_size=(32, 32)).fit(X, y)
    assert model.module_.sizes.fixed == (32, 32)


def test_a_network_that_takes_no_small_images_takes_any_larger_ones() -> None:
    X, y = images_and_labels(1, 24, 16)
    model = classifier("torchvision:inception_v3", max_epochs=1, network__aux_logits=False)
    sizes = model.set_params(batch_size=6).fit(X[:2], y[:2]).module_.sizes
    assert (sizes.multiple, sizes.least) == (1, 75)  # says its paper, and torchvision


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("timm:resnet10*", "timm:resnet10t"),
        ("smp:Unet/resnet*", "smp:Unet/resnet18"),
        ("torchvision:*mobilenet*", "torchvision:lraspp_mobilenet_v3_large"),
        ("monai:*ResNet", "monai:SegResNet"),
    ],
)
def test_networks_of_a_library_are_listed(pattern: str, name: str) -> None:
    import_library(pattern)
    names = list_networks(pattern)
    assert name in names
    assert names == sorted(names)
    assert len(names) < len(list_networks(f"{pattern.partition(':')[0]}:*"))
