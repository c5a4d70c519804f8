from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ..conftest import Data, classifier, segmenter
from .augmenting import augmented

GEOMETRIC = ["affine", "crop", "flip", "mirror", "rot90", "shift"]
CHANGES = sorted([*GEOMETRIC, "intensity", "noise"])


def pair(shape: tuple[int, ...] = (16, 16), n: int = 8) -> tuple[Tensor, Tensor]:
    """Return masks of blobs, and images that show exactly the masks."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(n, 1, *[-(-side // 4) for side in shape], generator=generator) > 0.5
    masks = coarse[:, 0].long()
    for axis, side in enumerate(shape, start=1):
        masks = masks.repeat_interleave(4, axis).narrow(axis, 0, side)
    return masks.unsqueeze(1).float(), masks


def changed(name: Any, shape: tuple[int, ...] = (16, 16), seed: int = 0) -> tuple[Tensor, Tensor]:
    images, masks = pair(shape)
    out, labels = augmented(name, images, masks, seed, values=[0, 1])
    assert labels is not None
    return out, labels


@pytest.mark.parametrize("shape", [(16, 16), (16, 24), (8, 12, 16), (32,)])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_masks_move_with_their_images(name: str, shape: tuple[int, ...]) -> None:
    images, masks = changed(name, shape)
    assert images.shape == (8, 1, *shape)
    assert masks.shape == (8, *shape)
    assert masks.dtype == torch.int64
    # Interpolation blurs an edge, but its two sides stay where the mask has them.
    agree = ((images[:, 0] > 0.5).long() == masks).float().mean()
    assert agree == 1 if name not in ("affine", "crop") else agree > 0.95


@pytest.mark.parametrize("name", GEOMETRIC)
def test_images_are_moved_each_in_its_own_way(name: str) -> None:
    original, _ = pair()
    images, _ = changed(name)
    moved = [not torch.equal(a, b) for a, b in zip(images, original, strict=True)]
    assert any(moved)
    one = torch.ones(64, 1, 1, 1) * original[:1]
    twins, _ = augmented(name, one, None)
    assert len({tuple(twin.ravel().tolist()) for twin in twins}) > 1


@pytest.mark.parametrize("name", ["intensity", "noise"])
def test_intensities_change_the_images_alone(name: str) -> None:
    original, labels = pair()
    images, masks = changed(name)
    assert torch.equal(masks, labels)
    assert not torch.equal(images, original)
    assert (images - original).abs().max() < 1


@pytest.mark.parametrize("name", CHANGES)
def test_inputs_stay_as_they_are_and_seeds_decide(name: str) -> None:
    images, masks = pair()
    before = images.clone(), masks.clone()
    first = augmented(name, images, masks, 5)
    again = augmented(name, images, masks, 5)
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])
    assert torch.equal(first[0], again[0])


def test_turns_keep_the_shape_of_images_that_are_not_square() -> None:
    images, _ = changed("rot90", (16, 24))
    original, _ = pair((16, 24))
    for image, source in zip(images, original, strict=True):
        assert torch.equal(image, source) or torch.equal(image, source.rot90(2, (-2, -1)))


def test_changes_follow_one_another_and_may_be_one_s_own() -> None:
    def darker(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        return images - 10 + 0 * torch.rand(1), masks

    images, masks = changed(["flip", darker])
    flipped, labels = changed("flip")
    assert torch.equal(images, flipped - 10)
    assert torch.equal(masks.long(), labels)


def test_crops_enlarge_a_part_of_the_image() -> None:
    ramp = torch.linspace(0, 1, 33).expand(64, 1, 33, 33)
    out, _ = augmented("crop", ramp, None)
    steps = (out[..., 17] - out[..., 16])[:, 0, 0] * 32  # 1 without enlarging
    assert 0.69 < steps.min() < 0.75
    assert 0.95 < steps.max() < 1.01
    assert out.min() >= 0
    assert out.max() <= 1


def test_an_own_change_is_seeded(digits: Data) -> None:
    X, y = digits

    def noisy(images: Tensor) -> Tensor:
        return images + torch.randn_like(images)

    first = classifier(augment=noisy).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(classifier(augment=noisy).fit(X, y).predict_proba(X), first)
    plain = classifier().fit(X, y).predict_proba(X)
    assert not np.array_equal(plain, first)


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["torch", "numpy", "python"])
def test_random_numbers_of_an_own_change_come_from_the_random_state(
    draw: str, digits: Data
) -> None:
    sources = {
        "torch": lambda: float(torch.rand(())),
        "numpy": lambda: np.random.random(),  # noqa: NPY002
        "python": random.random,
    }
    drawn: list[float] = []

    def darker(images: Tensor) -> Tensor:
        drawn.append(sources[draw]())
        return images - drawn[-1]

    before = [source() for source in sources.values()]
    states = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    models = [classifier(augment=darker, random_state=seed).fit(*digits) for seed in (0, 0, 1)]
    first, again, other = np.split(np.array(drawn), 3)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(set(first[-4:])) == 4  # each batch in its own way
    X = digits[0]
    np.testing.assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert str(np.random.get_state()) == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]
    assert before


@pytest.mark.cuda
def test_random_numbers_on_a_gpu_come_from_the_random_state(digits: Data) -> None:
    def noisy(images: Tensor) -> Tensor:
        return images + torch.randn_like(images)

    state = torch.cuda.get_rng_state()
    losses = [
        classifier(augment=noisy, device="cuda", deterministic=True, random_state=seed)
        .fit(*digits)
        .history_[-1, "train_loss"]
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(torch.cuda.get_rng_state(), state)


@pytest.mark.slow
def test_fits_in_threads_draw_as_fits_alone(digits: Data) -> None:
    X, y = digits

    def noisy(images: Tensor) -> Tensor:
        noise = [float(np.random.random() + random.random()) for _ in range(3)]  # noqa: NPY002
        return images + sum(noise) * torch.randn_like(images)

    def fitted(seed: int) -> np.ndarray:
        proba: np.ndarray = classifier(augment=noisy, random_state=seed).fit(X, y).predict_proba(X)
        return proba

    alone = [fitted(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(fitted, range(4))), alone)


def test_ignored_pixels_stay_ignored(scenes: Data) -> None:
    X, y = scenes
    masked = y.copy()
    masked[:, :4] = 7
    model = segmenter(augment=["flip", "rot90", "affine", "shift"], ignore_index=7, max_epochs=2)
    assert set(np.unique(model.fit(X, masked).predict(X))) <= {0, 1, 2}


def test_multilabel_masks_move_too(scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y > 0, y > 1], 1)
    model = segmenter(augment=list(CHANGES), multilabel=True).fit(X, masks)
    assert model.predict(X).shape == masks.shape


def test_only_training_is_augmented(digits: Data) -> None:
    X, y = digits
    model = classifier(augment="noise", early_stopping=True, max_epochs=2).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("flop", r"augment='flop' is unknown\. Expected one of 'affine'.*Did you mean 'flip'"),
        ("flop", rf"Expected one of {', '.join(map(repr, CHANGES))}, a list of them"),
        (["flip", 3], "augment=3 is unknown"),
        ({"flip": 0.5}, r"augment=\{'flip': 0.5\} is unknown"),
        (nn.Bilinear(1, 1, 1), r"augment=Bilinear takes .*, but is called with \(images\)"),
        (lambda images: images[:, :0], r"changed images of shape \(.*their number and channels"),
        (lambda images, masks: images, r"augment=<lambda> takes \(images, masks\), but is called"),
        (nn.Identity, r"augment=Identity is a class\. Pass an object: add \(\)\."),
    ],
)
def test_a_wrong_change_is_named(augment: Any, message: str, digits: Data) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(augment=augment).fit(*digits)
