"""Predictions tile by tile, mirrored, and image by image."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators._inference.tiling import finish_tiles

from ..conftest import Data, classifier, segmenter


@pytest.fixture(scope="module")
def nuclei_model() -> UNetSegmenter:
    """A segmenter that finds nuclei."""
    X, y, groups = load_nuclei(border=False)
    model = segmenter("dice", width=8, max_epochs=8, lr=5e-3)
    model.fit(X[groups < 3], y[groups < 3])
    return model


@pytest.fixture(scope="module")
def large_image() -> np.ndarray:
    """One quadrant of the nuclei, put together from its tiles: 1 x 180 x 250."""
    X, _, groups = load_nuclei(border=False)
    tiles = X[groups == 3]
    side = int(len(tiles) ** 0.5)
    rows = [np.hstack(list(tiles[i * side : (i + 1) * side])) for i in range(side)]
    image = np.vstack(rows)
    return np.tile(image, (2, 2))[None, :180, :250]


@pytest.mark.parametrize("spatial", [(50,), (50, 33), (20, 17, 9)])
def test_blending_leaves_a_pixelwise_network_s_scores_alone(spatial: tuple[int, ...]) -> None:
    image = torch.randn(2, *spatial, generator=torch.Generator().manual_seed(0))
    shape = (16, 8, 8)[: len(spatial)]
    finished = finish_tiles(lambda x: 3 * x, image, shape, 4, lambda z: z.numpy())
    np.testing.assert_allclose(finished[0], 3 * image, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_what_fits_one_tile_is_predicted_whole(
    nuclei_model: UNetSegmenter, large_image: np.ndarray
) -> None:
    expected = nuclei_model.set_params(tile=None).predict_proba(large_image)
    for tile in (256, (180, 250), [192, 256]):
        proba = nuclei_model.set_params(tile=tile).predict_proba(large_image)
        np.testing.assert_array_equal(proba, expected)


@pytest.mark.slow
@pytest.mark.parametrize("tile", [96, (128, 64)])
def test_tiles_give_what_the_whole_image_gives(
    tile: Any, nuclei_model: UNetSegmenter, large_image: np.ndarray
) -> None:
    whole = nuclei_model.set_params(tile=None).predict_proba(large_image)
    tiled = nuclei_model.set_params(tile=tile).predict_proba(large_image)
    assert tiled.shape == whole.shape
    assert np.abs(tiled - whole).mean() < 0.05
    assert ((tiled > 0.5) == (whole > 0.5)).mean() > 0.95
    assert not np.array_equal(tiled, whole)


def test_tiles_without_normalisation_differ_at_their_ends_only(binary_scenes: Data) -> None:
    model = segmenter(depth=1, norm="batch", max_epochs=3).fit(*binary_scenes)
    image = np.random.default_rng(0).normal(size=(1, 96, 90)).astype(np.float32)
    whole = model.decision_function(image)
    tiled = model.set_params(tile=48).decision_function(image)
    # Tiles start at 0, 24 and 48; the network sees 11 pixels around each.
    np.testing.assert_allclose(tiled[..., :11, :11], whole[..., :11, :11], rtol=1e-4, atol=1e-5)
    assert np.abs(tiled - whole).mean() < 0.05 * whole.std()


def test_labels_and_probabilities_are_made_of_blended_scores(scenes: Data) -> None:
    model = segmenter("dice", max_epochs=3, tile=8).fit(*scenes)
    image = np.random.default_rng(0).normal(size=(2, 30, 21)).astype(np.float32)
    scores = model.decision_function(image)
    np.testing.assert_array_equal(model.predict(image), scores.argmax(1))
    expected = torch.from_numpy(scores).softmax(1)
    np.testing.assert_allclose(model.predict_proba(image), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_volumes_signals_and_multilabel_masks_have_tiles() -> None:
    rng = np.random.default_rng(0)
    for size in ((24,), (24, 24), (24, 24, 24)):
        X = rng.normal(size=(4, *size)).astype(np.float32)
        y = np.stack([X > 0, X > 1], 1)
        X = X[:, None] if len(size) == 3 else X
        model = segmenter(multilabel=True, tile=8, image_shape=X.shape[1:]).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert np.isfinite(model.predict_proba(X)).all()


def test_a_wrong_tile_is_named(scenes: Data) -> None:
    model = segmenter().fit(*scenes)
    with pytest.raises(ValueError, match=r"tile=\(8, 8, 8\): expected .* 2 of them, one for each"):
        model.set_params(tile=(8, 8, 8)).predict(scenes[0])
    with pytest.raises(ValueError, match="The 'tile' parameter"):
        segmenter(tile=0).fit(*scenes)


PEAK = """
import resource, sys
import numpy as np
from sklearnloss import UNetSegmenter
y = np.arange(4 * 16 * 16).reshape(4, 16, 16) % 40
model = UNetSegmenter("cross_entropy", width=4, depth=2, max_epochs=1, tile=256).fit(y + 0.0, y)
image = np.zeros((1, int(sys.argv[1]), 1024), np.float32)
model.predict(image[:, :300])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert model.predict(image).shape == image.shape
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_scores_of_the_whole_image() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PEAK, "2048"], capture_output=True, text=True, check=True
    )
    # 2048 x 1024 scores of 40 classes take 320 MiB, labels of 8 bytes 16 MiB.
    assert int(result.stdout) < 100


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
@pytest.mark.parametrize("onednn", [True, False])
def test_an_image_alone_is_predicted_as_in_company(
    kind: str, onednn: bool, digits: Data, scenes: Data
) -> None:
    model, X = (
        (classifier(width=32).fit(*digits), digits[0][:6])
        if kind == "classifier"
        else (segmenter(width=8).fit(*scenes), scenes[0][:6])
    )
    enabled = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(onednn)
    try:
        expected = model.predict_proba(X)
        alone = np.concatenate([model.predict_proba(x[None]) for x in X])
        np.testing.assert_array_equal(alone, expected)
        np.testing.assert_array_equal(model.predict_proba(X[::-1])[::-1], expected)
        np.testing.assert_array_equal(model.set_params(batch_size=3).predict_proba(X), expected)
    finally:
        torch._C._set_mkldnn_enabled(enabled)


def test_more_images_than_a_batch_are_predicted_in_their_order(digits: Data) -> None:
    model = classifier().fit(*digits)
    X = np.tile(digits[0], (3, 1, 1))
    np.testing.assert_array_equal(
        model.predict_proba(X), np.tile(model.predict_proba(X[:60]), (3, 1))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tta", "flips"), [("mirror", [(), (2,)]), ("flip", [(), (1,), (2,), (1, 2)])]
)
def test_mirrored_scores_are_averaged(
    tta: str, flips: list[tuple[int, ...]], scenes: Data, digits: Data
) -> None:
    model = segmenter(max_epochs=2).fit(*scenes)
    X = scenes[0][:3]
    turned = [
        np.flip(model.decision_function(np.flip(X, f).copy()), tuple(axis + 1 for axis in f))
        for f in flips
    ]
    scores = model.set_params(tta=tta).decision_function(X)
    np.testing.assert_allclose(scores, np.mean(turned, 0), rtol=1e-4, atol=1e-5)
    again = model.decision_function(X[:, :, ::-1].copy())[..., ::-1]
    np.testing.assert_allclose(again, scores, rtol=1e-4, atol=1e-5)

    labels = classifier(max_epochs=2).fit(*digits)
    X = digits[0]
    expected = np.mean([labels.decision_function(np.flip(X, f).copy()) for f in flips], 0)
    scores = labels.set_params(tta=tta).decision_function(X)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_mirroring_goes_with_tiles_and_volumes() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 1, 16, 16, 16)).astype(np.float32)
    model = segmenter(tta="flip").fit(X, X[:, 0] > 0)
    scores = model.decision_function(X)
    turned = model.decision_function(X[:, :, ::-1].copy())[:, :, ::-1]
    np.testing.assert_allclose(turned, scores, rtol=1e-4, atol=1e-5)
    assert model.set_params(tile=8).predict(X).shape == (3, 16, 16, 16)


def test_an_unknown_way_of_mirroring_is_named(scenes: Data) -> None:
    with pytest.raises(ValueError, match="The 'tta' parameter"):
        segmenter(tta="rot90").fit(*scenes)
