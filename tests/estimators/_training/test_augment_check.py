"""An augmentation of one's own is tried before training: images and masks have to move alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from ..conftest import Data, classifier, segmenter
from .augmenting import Scaling, tried

Pair = tuple[Tensor, Tensor]
Change = Callable[[Tensor, Tensor], Any]


def trial(
    change: Change, spatial: tuple[int, ...] = (32, 32), n_channels: int = 1, **labels: Any
) -> None:
    """Try a change on images of a size."""
    image = torch.rand(1, n_channels, *spatial, generator=torch.Generator().manual_seed(0))
    scaling = Scaling(torch.tensor([0.5]), torch.tensor([0.3]))
    tried(change, image, scaling, **{"values": [0, 1], **labels})


def refused(change: Change, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(ValueError, match="augment moves images but not their masks, or moves"):
        trial(change, *args, **kwargs)


def sometimes(share: float, change: Change) -> Change:
    return lambda images, masks: (
        change(images, masks) if torch.rand(()) < share else (images, masks)
    )


def each(share: float, images: Tensor, changed: Tensor) -> Tensor:
    chosen = torch.rand(len(images)) < share
    return torch.where(chosen.reshape(-1, *[1] * (images.ndim - 1)), changed, images)


def warped(values: Tensor, matrix: Tensor, mode: str) -> Tensor:
    layers = values if values.ndim == 4 else values.unsqueeze(1)
    grid = F.affine_grid(matrix.expand(len(layers), 2, 3), list(layers.shape), align_corners=False)
    moved = F.grid_sample(layers.float(), grid, mode, align_corners=False)
    return moved.reshape(values.shape).to(values.dtype)


def turn(degrees: float, zoom: float = 1.0) -> Tensor:
    angle = torch.tensor(degrees).deg2rad()
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    return torch.stack([torch.stack([cos, -sin, 0 * cos]), torch.stack([sin, cos, 0 * cos])])


def filtered(function: Callable[..., np.ndarray], **settings: Any) -> Change:
    def change(images: Tensor, masks: Tensor) -> Pair:
        parts = [[function(c, **settings) for c in image] for image in images.numpy()]
        return torch.from_numpy(np.array(parts)), masks

    return change


def erased(images: Tensor, masks: Tensor) -> Pair:
    images = images.clone()
    for image in images:
        top, left = torch.randint(0, 20, (2,)).tolist()
        image[:, top : top + 16, left : left + 12] = torch.randn(())
    return images, masks


def elastic(images: Tensor, masks: Tensor, strength: float = 0.1) -> Pair:
    rough = F.interpolate(torch.randn(len(images), 2, 5, 5), images.shape[2:], mode="bicubic")
    grid = F.affine_grid(turn(0.0).expand(len(images), 2, 3), list(images.shape), False)
    grid = grid + strength * rough.movedim(1, -1)
    moved = F.grid_sample(masks.unsqueeze(1).float(), grid, "nearest", align_corners=False)
    return F.grid_sample(images, grid, align_corners=False), moved[:, 0].to(masks.dtype)


HARMLESS: dict[str, Change] = {
    "nothing": lambda images, masks: (images, masks),
    "noise": lambda images, masks: (images + 2 * torch.randn_like(images), masks),
    "inversion": lambda images, masks: (-images, masks),
    "gamma": lambda images, masks: ((images - images.amin()).pow(0.3), masks),
    "lighting": lambda images, masks: (images + torch.linspace(-3, 3, 32), masks),
    "blur": filtered(ndimage.gaussian_filter, sigma=3),
    "median": filtered(ndimage.median_filter, size=5),
    "pixels": lambda images, masks: (
        F.interpolate(F.avg_pool2d(images, 4), images.shape[2:]),
        masks,
    ),
    "erased": erased,
    "dropped channels": lambda images, masks: (
        images * (torch.arange(3) > 1)[:, None, None],
        masks,
    ),
    "flips": lambda images, masks: (images.flip(-1), masks.flip(-1)),
    "turn": lambda images, masks: (
        warped(images, turn(25, 1.3), "bilinear"),
        warped(masks, turn(25, 1.3), "nearest"),
    ),
    "elastic": elastic,
    "crop": lambda images, masks: (images[..., 4:20, 8:30], masks[..., 4:20, 8:30]),
    "enlarged": lambda images, masks: (
        F.interpolate(images, scale_factor=1.5, mode="bilinear"),
        F.interpolate(masks.unsqueeze(1).float(), scale_factor=1.5),
    ),
    "shuffled samples": lambda images, masks: (images.flip(0), masks.flip(0)),
    "a pixel": lambda images, masks: (images.roll(1, -1), masks),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_moves_no_mask_or_both_passes(change: Change) -> None:
    trial(change, n_channels=3)


def test_what_is_added_cancels() -> None:
    trial(lambda images, masks: (images + 30 * torch.randn_like(images), masks))
    trial(lambda images, masks: (images + 100 * torch.rand(images.shape[2:]), masks))


def test_strong_blur_of_large_images_passes() -> None:
    trial(filtered(ndimage.gaussian_filter, sigma=6), (64, 64))
    trial(filtered(ndimage.uniform_filter, size=15), (64, 64))


HARMFUL: dict[str, Change] = {
    "flip": lambda images, masks: (images.flip(-1), masks),
    "flip of masks": lambda images, masks: (images, masks.flip(-1)),
    "two flips": lambda images, masks: (images.flip(-1), masks.flip(-2)),
    "transposition": lambda images, masks: (images.mT, masks),
    "flip of one": lambda images, masks: (torch.cat([images[:1].flip(-1), images[1:]]), masks),
    "flip at times": sometimes(
        0.5, lambda images, masks: (images.flip(-1) + torch.randn_like(images), masks)
    ),
    "drawn twice": lambda images, masks: (
        each(0.5, images, images.flip(-1)),
        each(0.5, masks, masks.flip(-1)),
    ),
    "shift": lambda images, masks: (images.roll(3, -1), masks),
    "turn": lambda images, masks: (warped(images, turn(10), "bilinear"), masks),
    "zoom": lambda images, masks: (warped(images, turn(0, 1.25), "bilinear"), masks),
    "elastic": lambda images, masks: (elastic(images, masks, 0.3)[0], masks),
    "other samples": lambda images, masks: (images.flip(0), masks),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", HARMFUL.values(), ids=HARMFUL)
def test_what_moves_images_alone_is_refused(change: Change) -> None:
    refused(change, n_channels=3)


@pytest.mark.slow
@pytest.mark.parametrize("spatial", [(16, 16), (24, 90), (150, 150), (200,), (16, 24, 24)])
def test_images_of_any_size_and_number_of_axes_are_tried(spatial: tuple[int, ...]) -> None:
    trial(HARMLESS["noise"], spatial)
    trial(lambda images, masks: (images.flip(-1), masks.flip(-1)), spatial)
    refused(HARMFUL["flip"], spatial)


def test_masks_of_several_labels_are_tried(scenes: Data) -> None:
    settings: dict[str, Any] = {"n_masks": 3, "values": [0, 255], "ignored": 7}
    trial(lambda images, masks: (images.flip(-1), masks.flip(-1)), **settings)
    refused(HARMFUL["flip"], **settings)


def test_a_generator_of_its_own_is_no_reason() -> None:
    generator = np.random.default_rng(0)

    def flip(images: Tensor, masks: Tensor) -> Pair:
        if generator.random() < 0.5:
            return images + 0.5 * torch.randn_like(images), masks
        return images.flip(-1), masks.flip(-1)

    trial(flip)


def test_fit_refuses_what_moves_images_alone(binary_scenes: Data) -> None:
    model = segmenter(augment=lambda images, masks: (images.flip(-1), masks))
    with pytest.raises(ValueError, match=r"in a trial, \d+ of 24 images no longer matched their"):
        model.fit(*binary_scenes)
    assert not hasattr(model, "net_")
    segmenter(augment=lambda images, masks: (images.flip(-1), masks.flip(-1))).fit(*binary_scenes)


def test_an_augmentation_is_tried_once(binary_scenes: Data) -> None:
    X, y = binary_scenes
    calls: list[int] = []

    def nothing(images: Tensor, masks: Tensor) -> Pair:
        calls.append(len(images))
        return images, masks

    model = segmenter(augment=nothing).partial_fit(X, y)
    first = len(calls)
    model.partial_fit(X, y)
    assert len(calls) - first == 3  # the batches
    assert calls[:first] == [2] * (first - 3) + [4] * 3


MASKS: list[tuple[Callable[[Tensor], Any], str]] = [
    (lambda masks: masks + 0.25, r"masks with fractions, as 9\.25, .*without interpolation"),
    (
        lambda masks: F.one_hot(masks.long()).movedim(-1, 1),
        r"masks of shape \(2, 10, 32, 32\) .*"
        r"Expected masks of shape \(2, 32, 32\): a label per pixel, not a channel per class",
    ),
    (lambda masks: masks[:, :16], r"Expected masks of shape \(2, 32, 32\)\.$"),
    (
        lambda masks: masks.long() + 7,
        r"the label 16, but the classes are \[1, 3, 9\]\. .*"
        r"or set ignore_index=16",
    ),
    (lambda masks: "masks", "masks of type str"),
    (lambda masks: np.array([None]), "masks of type ndarray"),
    (
        lambda masks: F.interpolate(masks[:, None].float(), (48, 48), mode="area")[:, 0],
        "Expected masks",
    ),
]


@pytest.mark.parametrize(("change", "message"), MASKS)
def test_masks_of_no_labels_are_refused(change: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial(lambda images, masks: (images, change(masks)), values=[1, 3, 9])


def test_masks_may_come_as_arrays_or_whole_floats_and_with_a_channel() -> None:
    trial(lambda images, masks: (images.numpy(), masks.numpy()))
    trial(lambda images, masks: (images.double(), masks.double().unsqueeze(1)))


def test_interpolated_labels_are_told_from_filled_ones() -> None:
    def blend(images: Tensor, masks: Tensor) -> Pair:
        large = F.interpolate(masks.unsqueeze(1).float(), scale_factor=1.5, mode="bilinear")
        return F.interpolate(images, scale_factor=1.5), large[:, 0].long()

    with pytest.raises(ValueError, match="the label 1 where they had only 0 and 2: they are"):
        trial(blend, values=[0, 1, 2])

    def fill(images: Tensor, masks: Tensor) -> Pair:
        return F.pad(images, (3, 0)), F.pad(masks, (3, 0), value=1)

    trial(fill, values=[0, 1, 2])


def test_filled_pixels_may_be_ignored(scenes: Data) -> None:
    def fill(images: Tensor, masks: Tensor) -> Pair:
        return F.pad(images[..., 3:], (3, 0)), F.pad(masks[..., 3:], (3, 0), value=9)

    with pytest.raises(ValueError, match=r"the label 9, but the classes are \[0, 1, 2\]"):
        segmenter(augment=fill).fit(*scenes)
    model = segmenter(augment=fill, ignore_index=9).fit(*scenes)
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("ignored", [None, 200, -1])
def test_a_change_sees_the_labels_of_the_user(ignored: int | None, scenes: Data) -> None:
    X, y = scenes
    labels = np.array([3, 10, 77])[y]
    if ignored is not None:
        labels[:, :3] = ignored
    seen: set[int] = set()

    def look(images: Tensor, masks: Tensor) -> Pair:
        seen.update(masks.unique().tolist())
        return images, masks

    model = segmenter(augment=look, ignore_index=ignored).fit(X, labels)
    assert seen == set(np.unique(labels))
    plain = segmenter(ignore_index=ignored).fit(X, labels)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda images, masks: images,
            "returns an object of type Tensor. Expected a pair",
        ),
        (lambda images, masks: ("x", masks), "returns an object of type str. Expected images"),
        (lambda images, masks: (0 * images, masks), "returns the same images for any input"),
        (lambda images, masks: (images / 0, masks), "returns images with NaN or infinity"),
    ],
)
def test_images_that_are_none_are_refused(change: Change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial(change)


def test_images_of_labels_are_tried_too(digits: Data) -> None:
    with pytest.raises(ValueError, match="returns the same images for any input"):
        classifier(augment=torch.zeros_like).fit(*digits)
    classifier(augment=lambda images: images.flip(-1)).fit(*digits)  # no mask to part from
