"""Axes that can be read in two ways are asked for, not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..conftest import classifier, segmenter

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("lazy", [False, True])
def test_volumes_without_channels_are_pointed_out(lazy: bool) -> None:
    X = RNG.normal(size=(3, 5, 8, 8))
    y = (X > 0).astype(int)
    pairs: tuple[Any, Any] = (list(zip(X, y, strict=True)), None) if lazy else (X, y)
    with pytest.raises(ValueError, match=r"read as 5 channels.*image_shape=\(1, 5, 8, 8\)"):
        segmenter().fit(*pairs)
    assert segmenter(depth=1, image_shape=(1, 5, 8, 8)).fit(*pairs).input_shape_ == (1, 5, 8, 8)
    last = segmenter(depth=1, channels="last")
    with pytest.raises(ValueError, match=r"X\[..., None\], or image_shape=\(5, 8, 8, 1\)"):
        last.fit(*pairs)


@pytest.mark.parametrize("kind", ["array", "list", "files"])
def test_masks_tell_that_channels_come_last(kind: str, tmp_path: Path) -> None:
    X = RNG.normal(size=(4, 8, 9, 5))
    y: Any = (X[..., 0] > 0).astype(int)
    images: Any = X
    if kind == "list":
        images, y = [*X[:3], X[3, :7]], [*y[:3], y[3, :7]]
    elif kind == "files":
        images = [tmp_path / f"{k}.npy" for k in range(4)]
        for path, image in zip(images, X, strict=True):
            np.save(path, image)
    with pytest.raises(ValueError, match=r"channels seem to be last: set channels='last'"):
        segmenter().fit(images, y)
    assert segmenter(channels="last").fit(images, y).input_shape_ == (5, 8, 9)


def test_masks_tell_that_channels_come_first() -> None:
    X = RNG.normal(size=(4, 5, 8, 9))
    with pytest.raises(ValueError, match=r"channels seem to be first: set channels='first'"):
        segmenter(channels="last").fit(X, (X[:, 0] > 0).astype(int))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        (
            (8, 12, 12),
            r"volumes, .*image_shape=\(1, 8, 12, 12\).*confirm it with image_shape=\(8, 12, 12\)",
        ),
        ((8, 8, 3), "If the channels come last, set channels='last'"),
        ((12, 12, 7), "If the channels come last, set channels='last'"),
    ],
)
def test_a_classifier_points_out_axes_that_may_be_others(
    shape: tuple[int, ...], advice: str, lazy: bool
) -> None:
    X = RNG.normal(size=(4, *shape))
    labels = [0, 1, 0, 1]
    given: tuple[Any, Any] = (list(zip(X, labels, strict=True)), None) if lazy else (X, labels)
    with pytest.warns(UserWarning, match=advice):
        classifier().fit(*given)
    assert classifier(image_shape=shape).fit(*given).input_shape_ == shape  # silent


@pytest.mark.parametrize("shape", [(3, 8, 8), (4, 9, 9), (24, 7, 7), (1, 6, 8, 8)])
def test_usual_channels_raise_no_warning(shape: tuple[int, ...]) -> None:
    assert classifier().fit(RNG.normal(size=(4, *shape)), [0, 1, 0, 1]).input_shape_ == shape


def test_one_image_and_its_mask_are_not_taken_for_rows() -> None:
    X = RNG.normal(size=(16, 12))
    y = (X > 0).astype(int)
    for image in (X, np.stack([X] * 3), np.stack([X] * 3, -1)):
        with pytest.raises(
            ValueError, match=r"one image and its mask, pass X\[None\] and y\[None\]"
        ):
            segmenter().fit(image, y)
    with pytest.raises(ValueError, match=r"If they are rows, set image_shape=\(1, 12\)"):
        segmenter().partial_fit(X, y)
    assert segmenter(image_shape=(12,)).fit(X, y).input_shape_ == (1, 12)
    assert segmenter().fit(X[:, None], y).input_shape_ == (1, 1, 12)


def test_a_segmenter_learns_from_one_image() -> None:
    X = RNG.normal(size=(1, 16, 12))
    y = (X > 0).astype(int)
    model = segmenter(max_epochs=2).fit(X, y)
    assert model.partial_fit([X[0]], [y[0]]).predict(X).shape == (1, 16, 12)
    with pytest.raises(ValueError, match="a minimum of 2 is required"):
        classifier().fit(X, [0])


def test_image_shape_does_not_mix_axes() -> None:
    X = RNG.normal(size=(4, 8, 6))
    with pytest.raises(ValueError, match=r"image_shape=\(6, 8\) mixes the axes .*shape \(8, 6\)"):
        classifier(image_shape=(6, 8)).fit(X, [0, 1, 0, 1])
    for shape, given in [((2, 4, 6), (8, 6)), ((3, 4, 4), (3, 16)), ((1, 8, 6), (8, 6))]:
        images = RNG.normal(size=(4, *given))
        assert classifier(image_shape=shape).fit(images, [0, 1, 0, 1]).input_shape_ == shape


def test_signals_with_channels_are_images_of_one_row() -> None:
    rows = RNG.normal(size=(4, 3 * 20))
    assert classifier(image_shape=(3, 1, 20)).fit(rows, [0, 1, 0, 1]).input_shape_ == (3, 1, 20)


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 8, 8)])
def test_images_without_pixels_are_refused(shape: tuple[int, ...]) -> None:
    X = np.zeros((4, *shape))
    with pytest.raises(ValueError, match="at least one pixel is required"):
        classifier().fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"X\[0\] has shape .*of at least one pixel"):
        classifier().fit(list(zip(X, [0, 1, 0, 1], strict=True)))
