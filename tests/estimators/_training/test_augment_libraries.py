"""Transforms of torchvision, albumentations and kornia move images with their masks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ...optional import import_or_skip
from ..conftest import Data, classifier, segmenter
from .augmenting import Scaling, augmented


def torchvision() -> Any:
    return import_or_skip("torchvision.transforms.v2")


def albumentations() -> Any:
    return import_or_skip("albumentations")


def kornia() -> Any:
    return pytest.importorskip("kornia.augmentation")


Make = Callable[[], Any]

FLIPS: dict[str, Make] = {
    "torchvision": lambda: torchvision().RandomHorizontalFlip(1.0),
    "torchvision sequence": lambda: torchvision().Compose([torchvision().RandomHorizontalFlip(1)]),
    "torchvision module": lambda: nn.Sequential(torchvision().RandomHorizontalFlip(1.0)),
    "albumentations": lambda: albumentations().HorizontalFlip(p=1),
    "albumentations sequence": lambda: albumentations().Compose(
        [albumentations().HorizontalFlip(p=1)]
    ),
    "albumentations tensors": lambda: albumentations().Compose(
        [albumentations().HorizontalFlip(p=1), albumentations().ToTensorV2()]
    ),
    "kornia": lambda: kornia().RandomHorizontalFlip(p=1.0),
    "kornia sequence": lambda: kornia().AugmentationSequential(
        kornia().RandomHorizontalFlip(p=1.0), data_keys=["input", "mask"]
    ),
    "kornia images": lambda: kornia().AugmentationSequential(
        kornia().RandomHorizontalFlip(p=1.0), data_keys=["input"]
    ),
    "kornia module": lambda: nn.Sequential(kornia().RandomHorizontalFlip(p=1.0)),
}
SOME: dict[str, Make] = {
    "torchvision": lambda: torchvision().RandomHorizontalFlip(),
    "albumentations": lambda: albumentations().HorizontalFlip(),
    "kornia": lambda: kornia().RandomHorizontalFlip(),
}
AFFINE: dict[str, Make] = {
    "torchvision": lambda: torchvision().RandomAffine(40),
    "albumentations": lambda: albumentations().Affine(rotate=(-40, 40), p=1),
    "kornia": lambda: kornia().RandomAffine(40.0, p=1.0),
}

libraries = pytest.mark.parametrize("make", FLIPS.values(), ids=FLIPS)
SCALING = Scaling(torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.2]))


def batch(*spatial: int, n: int = 4) -> tuple[Tensor, Tensor]:
    """Return scaled images of three channels, and masks of three classes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, *spatial, generator=generator)
    masks = torch.randint(0, 3, (n, *spatial), generator=generator).to(torch.uint8)
    return SCALING.apply(images), masks


def changed(
    transform: Any, images: Tensor, masks: Tensor | None, seed: int = 0, **labels: Any
) -> tuple[Tensor, Any]:
    known = {} if masks is None else {"values": [0, 1, 2], **labels}
    return augmented(transform, images, masks, seed, scaling=SCALING, **known)


@libraries
def test_a_flip_flips_images_and_masks(make: Make) -> None:
    images, masks = batch(8, 12)
    out, moved = changed(make(), images, masks)
    torch.testing.assert_close(out, images.flip(-1))
    assert torch.equal(moved, masks.flip(-1))
    assert moved.dtype == masks.dtype


@libraries
def test_a_flip_flips_images_without_masks(make: Make) -> None:
    images, _ = batch(8, 12)
    torch.testing.assert_close(changed(make(), images, None)[0], images.flip(-1))


@pytest.mark.parametrize("make", SOME.values(), ids=SOME)
def test_each_image_is_changed_in_its_own_way(make: Make) -> None:
    images, masks = batch(8, 8, n=32)
    out, moved = changed(make(), images, masks)
    flipped = [not torch.allclose(a, b, atol=1e-4) for a, b in zip(out, images, strict=True)]
    assert 4 < sum(flipped) < 28
    for each, mask, source in zip(flipped, moved, masks, strict=True):
        assert torch.equal(mask, source.flip(-1) if each else source)


@pytest.mark.parametrize("make", AFFINE.values(), ids=AFFINE)
def test_random_numbers_come_from_our_generator(make: Make) -> None:
    images, masks = batch(16, 16)
    transform = make()
    first, moved = changed(transform, images, masks, seed=3)
    again, same = changed(transform, images, masks, seed=3)
    other, _ = changed(transform, images, masks, seed=4)
    assert torch.equal(first, again)
    assert torch.equal(moved, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("make", AFFINE.values(), ids=AFFINE)
def test_turned_masks_hold_labels(make: Make) -> None:
    images, masks = batch(16, 16)
    masks[masks == 1] = 255  # ignored
    settings: dict[str, Any] = {"values": [-3, 40, 300], "ignored": 7}
    _, moved = changed(make(), images, masks, **{**settings, "values": [0, 40, 300]})
    assert set(moved.unique().tolist()) <= {0, 2, 255}
    assert not torch.equal(moved, masks)


@libraries
def test_masks_of_several_labels_move_too(make: Make) -> None:
    images, masks = batch(8, 12)
    several = torch.stack([masks > 0, masks > 1], 1).to(torch.uint8)
    out, moved = changed(make(), images, several, values=[0, 255], n_masks=2)
    torch.testing.assert_close(out, images.flip(-1))
    assert torch.equal(moved, several.flip(-1))


@pytest.mark.parametrize(
    "make",
    [
        FLIPS["torchvision"],
        FLIPS["albumentations"],
    ],
    ids=["torchvision", "albumentations"],
)
def test_volumes_move_with_their_masks(make: Make) -> None:
    images, masks = batch(4, 6, 8)
    out, moved = changed(make(), images, masks)
    torch.testing.assert_close(out, images.flip(-1))
    assert torch.equal(moved, masks.flip(-1))


@pytest.mark.parametrize("library", SOME)
def test_signals_are_refused(library: str) -> None:
    images, masks = batch(16)
    with pytest.raises(ValueError, match=f"from {library} is for images, but these are signals"):
        changed(SOME[library](), images, masks)


class Seen(nn.Module):
    """Notes what a transform of kornia would see."""

    images: Tensor

    def forward(self, images: Tensor) -> Tensor:
        Seen.images = images.clone()
        return images


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0.0, 1.0, torch.uint8),
        (20.0, 200.0, torch.uint8),
        (0.0, 1.0, torch.float32),
        (20.0, 200.0, torch.float32),
        (-900.0, 3000.0, torch.float32),
    ],
)
def test_libraries_see_images_in_the_unit_range(
    low: float, high: float, dtype: torch.dtype
) -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    raw = low + (high - low) * images
    scaling = Scaling(raw.mean((0, 2, 3)), raw.std((0, 2, 3)))
    transform = nn.Sequential(Seen(), kornia().RandomHorizontalFlip(p=0.0))
    sequence = kornia().ImageSequential(*transform)
    out, _ = augmented(sequence, scaling.apply(raw), None, scaling=scaling, dtype=dtype)
    torch.testing.assert_close(out, scaling.apply(raw), rtol=1e-4, atol=1e-4)
    if dtype == torch.uint8:
        expected = raw / 255
    elif high == 1:
        expected = raw
    else:
        least, most = raw.amin((1, 2, 3), True), raw.amax((1, 2, 3), True)
        expected = (raw - least) / (most - least)
    torch.testing.assert_close(Seen.images, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("make", FLIPS.values(), ids=FLIPS)
def test_estimators_take_transforms(make: Make, binary_scenes: Data, digits: Data) -> None:
    X, y = binary_scenes
    model = segmenter(augment=["noise", make()]).fit(X, y * 255)
    assert set(np.unique(model.predict(X))) <= {0, 255}
    classifier(augment=make()).fit(*digits)


def test_a_cropped_batch_is_trained_on(binary_scenes: Data) -> None:
    X, y = binary_scenes
    crop = kornia().RandomCrop((8, 12))
    model = segmenter(augment=crop, loss="bce").fit(X, y)
    assert model.predict(X).shape == y.shape


REFUSED: list[tuple[Make, str]] = [
    (lambda: kornia().RandomMixUpV2(), "augment holds RandomMixUpV2, which mixes images and their"),
    (lambda: nn.Sequential(kornia().RandomMosaic((8, 8))), "holds RandomMosaic, which mixes"),
    (
        lambda: kornia().Normalize(torch.tensor([0.5]), torch.tensor([0.5])),
        "augment holds Normalize, but only training images are augmented.*normalize='auto'",
    ),
    (
        lambda: kornia().RandomJigsaw(p=1.0),
        r"augment=RandomJigsaw from kornia fails on images and masks of shape \(1, 16, 16\)",
    ),
    (
        lambda: kornia().AugmentationSequential(
            kornia().RandomRotation(30.0, p=1.0),
            extra_args={_mask_key(): {"resample": "bilinear", "align_corners": None}},
        ),
        "masks with fractions",
    ),
    (lambda: _geometry().Hflip(), "augment moves images but not their masks"),
    (
        lambda: torchvision().Compose([torchvision().MixUp(num_classes=2)]),
        "augment holds MixUp, which mixes images and their labels",
    ),
    (
        lambda: import_or_skip("torchvision.transforms").RandomHorizontalFlip(),
        "RandomHorizontalFlip from torchvision.transforms, which ignores masks. Use the one from",
    ),
    (lambda: torchvision().JPEG(50), "augment=JPEG from torchvision fails on .* float32 in"),
    (lambda: torchvision().RandomAffine(40, fill=9), r"the label 9, but the classes are \[0, 1\]"),
    (lambda: albumentations().Normalize(), "augment holds Normalize"),
    (
        lambda: albumentations().Compose(
            [albumentations().Lambda(image=lambda image, **_: image[:, ::-1], p=1)]
        ),
        "augment moves images but not their masks",
    ),
    (
        lambda: pytest.importorskip("monai.transforms").RandFlip(prob=1.0),
        "augment=RandFlip is from monai, whose transforms are not supported. Expected one from",
    ),
]


def _mask_key() -> Any:
    return pytest.importorskip("kornia.constants").DataKey.MASK


def _geometry() -> Any:
    return pytest.importorskip("kornia.geometry.transform")


@pytest.mark.parametrize(("make", "message"), REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transforms_that_are_of_no_use_are_refused(
    make: Make, message: str, binary_scenes: Data
) -> None:
    model = segmenter(augment=make())
    with pytest.raises(ValueError, match=message):
        model.fit(*binary_scenes)


def test_older_transforms_of_torchvision_change_images_with_labels(digits: Data) -> None:
    old = import_or_skip("torchvision.transforms")
    for transform in (old.RandomRotation(10), old.Compose([old.ColorJitter(0.2)])):
        first, again = (classifier(augment=transform).fit(*digits) for _ in range(2))
        X = digits[0]
        np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torchvision", "albumentations"])
def test_the_guide_s_example_runs(library: str) -> None:
    import_or_skip(library)
    guide = Path(__file__).parents[3] / "docs" / "how_to" / "augmentation.md"
    blocks = re.findall(r"^```(python|py)\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE)
    scope: dict[str, Any] = {}
    exec(blocks[0][1], scope)
    (example,) = [code for kind, code in blocks if kind == "py" and library in code]
    exec(example, scope)
    assert scope["model"].n_iter_ == 1


def test_a_transform_of_the_user_s_is_not_changed() -> None:
    transform = kornia().RandomAffine(40.0, p=1.0)
    images, masks = batch(16, 16)
    changed(transform, images, masks)
    assert transform._params == {}
