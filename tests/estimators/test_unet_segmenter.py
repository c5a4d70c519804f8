from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import list_losses
from sklearnloss.metrics import dice_score, iou_score

from .conftest import Data, segmenter


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auto", *list_losses("segmentation")])
@pytest.mark.parametrize("border", [False, True])
def test_every_loss_finds_nuclei(loss: str, border: bool) -> None:
    X, y, groups = load_nuclei(border=border)
    X, y = X[:, ::2, ::2], y[:, ::2, ::2]
    train, test = groups < 2, groups == 2
    # A full mask has no center line to be wrong about: clDice is a term beside another loss.
    name = "dice+cl_dice" if loss == "cl_dice" else loss
    model = segmenter(name, width=8, max_epochs=6, lr=1e-2).fit(X[train], y[train])
    found = dice_score(y[test] > 0, model.predict(X[test]) > 0, labels=[1])
    assert found > 0.65


def test_every_layout_gives_the_same_model(binary_scenes: Data) -> None:
    X, y = binary_scenes
    expected = segmenter().fit(X, y).predict_proba(X)
    layouts: list[tuple[Any, Any, dict[str, Any]]] = [
        (X[:, None], y, {}),
        (X[..., None], y[..., None], {"channels": "last"}),
        (X, y[:, None], {}),
        (X, y.astype(bool), {}),
        (X, y * 255, {}),
        (X, y.astype(np.int64) * 1000 - 7, {}),
        (X, y.astype(float), {}),
        (torch.from_numpy(X), torch.from_numpy(y), {}),
        (X.reshape(12, -1), y.reshape(12, -1), {"image_shape": (16, 16)}),
        (X.astype(np.float64), y.tolist(), {}),
    ]
    for images, masks, params in layouts:
        model = segmenter(**params).fit(images, masks)
        np.testing.assert_array_equal(model.predict_proba(images), expected)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32])
def test_predictions_speak_the_user_s_labels(kind: Any, binary_scenes: Data) -> None:
    X, y = binary_scenes
    masks = (y * 255).astype(kind)
    model = segmenter(max_epochs=6, lr=0.01).fit(X, masks)
    predicted = model.predict(X)
    assert predicted.dtype == masks.dtype
    assert predicted.shape == masks.shape
    assert set(np.unique(predicted)) == set(np.unique(masks))


@pytest.mark.parametrize("loss", ["dice", "cross_entropy", "bce", "hinge"])
def test_probabilities_are_probabilities_whatever_the_loss(
    loss: str, binary_scenes: Data, scenes: Data
) -> None:
    for n_classes, (X, y) in ((2, binary_scenes), (3, scenes)):
        model = segmenter(loss).fit(X, y)
        proba = model.predict_proba(X)
        assert proba.shape == (12, n_classes, 16, 16)
        np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
        np.testing.assert_array_equal(model.classes_[proba.argmax(1)], model.predict(X))


def test_predict_agrees_with_the_network_s_scores(scenes: Data) -> None:
    """skorch's own classifier takes the softmax over the image's last axis here."""
    X, y = scenes
    model = segmenter("cross_entropy", normalize=None, max_epochs=3).fit(X, y)
    with torch.no_grad():
        logits = model.module_.eval()(torch.from_numpy(X)[:, None])
    np.testing.assert_array_equal(model.predict(X), logits.argmax(1))
    np.testing.assert_allclose(model.predict_proba(X), logits.softmax(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (7, 31), (40, 24), (1, 1)])
def test_images_of_any_size_are_predicted(size: tuple[int, int], binary_scenes: Data) -> None:
    model = segmenter().fit(*binary_scenes)
    images = np.random.default_rng(0).normal(size=(2, *size)).astype(np.float32)
    assert model.predict(images).shape == (2, *size)
    assert model.predict_proba(images).shape == (2, 2, *size)


@pytest.mark.slow
def test_volumes_and_signals() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((6, 8, 8, 8)) > 0.5).astype(int)
    X = (y + 0.1 * rng.normal(size=y.shape)).astype(np.float32)[:, None]
    model = segmenter(max_epochs=25, lr=0.02, batch_size=2).fit(X, y)
    assert model.score(X, y) > 0.9
    rows = segmenter(image_shape=(32,), max_epochs=10, lr=0.02, batch_size=8).fit(
        X.reshape(-1, 32), y.reshape(-1, 32)
    )
    assert rows.score(X.reshape(-1, 32), y.reshape(-1, 32)) > 0.9


def test_score_is_the_mean_iou(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(max_epochs=3).fit(X, y)
    assert model.score(X, y) == iou_score(y, model.predict(X))
    w = np.arange(12.0)
    assert model.score(X, y[:, None], w) == iou_score(y, model.predict(X), sample_weight=w)


def test_auto_is_dice_with_a_cross_entropy(binary_scenes: Data, scenes: Data) -> None:
    assert repr(segmenter().fit(*binary_scenes).loss_) == "DiceLoss() + BCEWithLogitsLoss()"
    assert repr(segmenter().fit(*scenes).loss_) == "DiceLoss() + CrossEntropyLoss()"
    model = segmenter(loss__dice__eps=1.0).fit(*scenes)
    assert repr(model.loss_) == "DiceLoss(eps=1.0) + CrossEntropyLoss()"


@pytest.mark.parametrize("loss", ["auto", "bce", "cross_entropy", "focal", "hinge"])
def test_ignored_pixels_teach_nothing_and_are_never_predicted(loss: str, scenes: Data) -> None:
    X, y = scenes
    X, y = X.copy(), y.copy()
    X[:, :8] = 1e3 * np.random.default_rng(1).normal(size=X[:, :8].shape)
    y[:, :8] = 99
    model = segmenter(loss, ignore_index=99, max_epochs=2).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert 99 not in model.predict(X)
    assert model.score(X, y) == iou_score(y[:, 8:], model.predict(X)[:, 8:])


def test_the_label_under_ignored_pixels_does_not_matter(binary_scenes: Data) -> None:
    X, y = binary_scenes
    hidden = y.astype(int).copy()
    hidden[:, :4] = -1
    model = segmenter(ignore_index=-1).fit(X, hidden)
    shown = segmenter(ignore_index=255).fit(X, np.where(hidden < 0, 255, hidden))
    np.testing.assert_array_equal(model.predict_proba(X), shown.predict_proba(X))


def test_class_weights_reach_every_term(binary_scenes: Data, scenes: Data) -> None:
    X, y = binary_scenes
    model = segmenter("bce", class_weight={1: 3.0}).fit(X, y)
    assert model.loss_.pos_weight.tolist() == [3.0]
    model = segmenter("focal", class_weight={1: 3.0}).fit(X, y)
    assert model.loss_.alpha.tolist() == [0.75]
    X, y = scenes
    model = segmenter(class_weight=[1.0, 2.0, 3.0]).fit(X, y)
    params = model.loss_.get_params()
    assert params["dice__class_weight"].tolist() == [1.0, 2.0, 3.0]
    assert params["cross_entropy__class_weight"].tolist() == [1.0, 2.0, 3.0]


def test_classes_that_a_fold_lacks_have_a_channel(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(classes=[0, 1, 2, 3]).fit(X, np.minimum(y, 1))
    assert model.predict_proba(X).shape == (12, 4, 16, 16)


def test_same_seed_same_model(scenes: Data) -> None:
    X, y = scenes
    expected = segmenter().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(segmenter().fit(X, y).predict_proba(X), expected)
    assert (segmenter(random_state=1).fit(X, y).predict_proba(X) != expected).any()


def test_fitted_models_pickle(scenes: Data) -> None:
    X, y = scenes
    model = segmenter().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_masks_with_many_labels() -> None:
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(4 * 16 * 16) % 300).reshape(4, 16, 16)
    X = rng.normal(size=(4, 16, 16))
    model = segmenter("cross_entropy", classes=range(300)).fit(X, y)
    assert len(model.classes_) == 300
    y[0, 0, :5] = -1
    model = segmenter("cross_entropy", classes=range(300), ignore_index=-1).fit(X, y)
    assert len(model.classes_) == 300


@pytest.mark.cuda
def test_cuda_gives_what_the_cpu_gives(scenes: Data) -> None:
    X, y = scenes
    on_gpu = segmenter(device="cuda", precision="float32").fit(X, y)
    on_cpu = segmenter(device="cpu").fit(X, y)
    np.testing.assert_allclose(on_gpu.predict_proba(X), on_cpu.predict_proba(X), atol=1e-2)
    assert isinstance(on_gpu, UNetSegmenter)
