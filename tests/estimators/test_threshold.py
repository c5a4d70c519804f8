"""Thresholds and temperatures chosen on held-out data, and what they change."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from torch import nn
from torch.utils.data import TensorDataset

from sklearnloss import ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter, load
from sklearnloss.estimators._inference.constant_model import constant_model
from sklearnloss.estimators._inference.probability_counts import THRESHOLDS
from sklearnloss.metrics import calibration_scorer, dice_score, iou_score, iou_scorer

from .conftest import Data, classifier, segmenter

Array = np.ndarray[Any, Any]
IGNORED = 9


def masks(proba: Array, threshold: Any) -> Array:
    """Return where a probability is above a threshold, in the precision of the probability."""
    above: Array = (proba[:, 1] > proba.dtype.type(threshold)).astype(np.uint8)
    return above


@pytest.fixture(scope="module")
def squares() -> Data:
    """16 noisy images of a bright square, with masks of which some pixels are ignored."""
    rng = np.random.default_rng(1)
    y = np.zeros((16, 16, 16), np.uint8)
    for mask in y:
        row, column = rng.integers(0, 9, 2)
        mask[row : row + 7, column : column + 7] = 1
    X = (y + 0.6 * rng.normal(size=y.shape)).astype(np.float32)
    y[:, 0] = IGNORED
    return X, y


@pytest.fixture(scope="module")
def fitted(squares: Data) -> UNetSegmenter:
    X, y = squares
    model = segmenter("tversky", loss__beta=0.9, ignore_index=IGNORED, max_epochs=5)
    model.fit(X, y)
    return model


@pytest.fixture
def model(fitted: UNetSegmenter) -> UNetSegmenter:
    copied: UNetSegmenter = pickle.loads(pickle.dumps(fitted))
    return copied


@pytest.fixture(scope="module")
def fitted_labels(squares: Data) -> tuple[ResNetClassifier, Array, Array]:
    """A classifier of images with a large square, which are few."""
    X, _ = squares
    X = np.concatenate([X, X[:, ::-1], X[..., ::-1]])
    rng = np.random.default_rng(0)
    y = np.where(X.mean((1, 2)) + 0.02 * rng.normal(size=len(X)) > 0.22, "large", "small")
    y = np.where(y == "large", "small", "tall")  # so that the second class is the rare one
    return classifier(max_epochs=5).fit(X, y), X, y


@pytest.mark.parametrize(
    ("scoring", "metric"), [(None, iou_score), ("iou", iou_score), ("dice", dice_score)]
)
def test_masks_get_the_best_of_all_thresholds(
    model: UNetSegmenter, squares: Data, scoring: Any, metric: Any
) -> None:
    X, y = squares
    proba, weight = model.predict_proba(X), np.arange(1.0, 17)
    for sample_weight in (None, weight):
        scores = np.array(
            [
                metric(y, masks(proba, t), ignore_index=IGNORED, sample_weight=sample_weight)
                for t in THRESHOLDS[26:-26:45]
            ]
        )
        assert model.fit_threshold(X, y, scoring=scoring, sample_weight=sample_weight) is model
        found = metric(
            y,
            masks(proba, model.threshold_),
            ignore_index=IGNORED,
            sample_weight=sample_weight,
        )
        assert found >= scores.max() - 1e-12
        assert model.threshold_ in THRESHOLDS
        assert found - scores.max() < 0.02
    assert_array_equal(model.predict(X), masks(proba, model.threshold_))


def test_predict_uses_the_given_threshold_or_else_the_fitted_one(
    model: UNetSegmenter, squares: Data
) -> None:
    X, y = squares
    proba, before = model.predict_proba(X), model.predict(X)
    assert model.threshold_ is None
    assert_array_equal(before, (model.decision_function(X)[:, 0] > 0).astype(np.uint8))
    assert_array_equal(model.predict(X, threshold=0.9), masks(proba, 0.9))
    assert before.dtype == model.predict(X, 0.9).dtype
    model.threshold_ = 0.8
    assert_array_equal(model.predict(X), masks(proba, 0.8))
    assert_array_equal(model.predict(X, 0.2), masks(proba, 0.2))
    assert model.score(X, y) == iou_score(y, masks(proba, 0.8), ignore_index=IGNORED)
    assert iou_scorer(model, list(X), list(y)) == pytest.approx(model.score(X, y))
    model.threshold_ = None
    assert_array_equal(model.predict(X), before)
    assert clone(model).threshold_ is None


@pytest.mark.slow
def test_a_score_that_needs_masks_is_computed_at_nineteen_thresholds(
    model: UNetSegmenter, squares: Data
) -> None:
    X, y = squares[0][:4], squares[1][:4]
    few = np.arange(1, 20) / 20

    def share(estimator: Any, X: Array, y: Array) -> float:
        return -abs(float(np.mean(estimator.predict(X))) - 0.1)

    expected = [-abs(masks(model.predict_proba(X), t).mean() - 0.1) for t in few]
    assert model.fit_threshold(X, y, scoring=share).threshold_ == few[int(np.argmax(expected))]
    assert model.fit_threshold(X, y, scoring="boundary_iou").threshold_ in few


@pytest.mark.slow
def test_files_and_tiles_and_mirrored_images_have_the_same_threshold(
    model: UNetSegmenter, squares: Data, tmp_path: Path
) -> None:
    X, y = squares
    files: list[list[Path]] = [[], []]
    for k, (image, mask) in enumerate(zip(X, y, strict=True)):
        for each, name, array in zip(files, ("x", "y"), (image, mask), strict=True):
            each.append(tmp_path / f"{name}{k:02}.npy")
            np.save(each[-1], array)
    X, y, files = X[:6], y[:6], [each[:6] for each in files]
    model.fit_temperature(X, y).fit_threshold(X, y)
    threshold, temperature, predicted = model.threshold_, model.temperature_, model.predict(X)
    model.threshold_ = model.temperature_ = None
    model.fit_temperature(*files).fit_threshold(*files)
    assert (model.threshold_, model.temperature_) == (threshold, temperature)
    assert_array_equal(model.predict(files[0]), predicted)
    model.set_params(tta="flip", tile=8)
    assert_array_equal(model.predict(X), masks(model.predict_proba(X), threshold))
    mirrored = model.fit_threshold(X, y).threshold_
    scores = [
        iou_score(y, masks(model.predict_proba(X), t), ignore_index=IGNORED)
        for t in (mirrored, 0.5, threshold)
    ]
    assert scores[0] == max(scores)


def test_images_of_different_sizes(model: UNetSegmenter, squares: Data) -> None:
    X, y = squares
    images, targets = [X[0], X[1][:12]], [y[0], y[1][:12]]
    model.fit_temperature(images, targets).fit_threshold(images, targets)
    for image, mask in zip(images, model.predict(images), strict=True):
        assert_array_equal(mask, masks(model.predict_proba(image[None]), model.threshold_)[0])


def test_the_temperature_of_masks_is_that_of_a_numerical_search(
    model: UNetSegmenter, squares: Data
) -> None:
    X, y = squares
    labels, z = model.predict(X), model.decision_function(X)[:, 0].astype(float)
    z, true, weight = z[y != IGNORED], y[y != IGNORED], np.repeat(np.arange(1, 17), 15 * 16)

    def log_loss(log_t: float) -> float:
        u = z * np.exp(-log_t)
        return float(np.sum(weight * (np.logaddexp(0, u) - true * u)))

    model.fit_temperature(X, y, sample_weight=np.arange(1, 17))
    best = minimize_scalar(log_loss, bracket=(-1, 1), tol=1e-12).x
    assert model.temperature_ == pytest.approx(np.exp(best), rel=1e-6)
    assert_array_equal(model.predict(X), labels)
    proba = model.predict_proba(X)[:, 1][y != IGNORED]
    assert_allclose(proba, 1 / (1 + np.exp(-z / model.temperature_)), atol=1e-6)
    assert_array_equal(model.predict(X, 0.5), labels)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_the_temperature_of_several_classes(scenes: Data, loss: Any) -> None:
    X, y = scenes
    model = segmenter(loss, max_epochs=3).fit(X[:6], y[:6])
    labels, proba = model.predict(X), model.predict_proba(X).astype(float)
    model.fit_temperature(X[6:], y[6:])
    u = np.log(proba)
    truth = np.take_along_axis(u[6:], y[6:, None].astype(int), 1)[:, 0]

    def log_loss(log_t: float) -> float:
        b = np.exp(-log_t)
        return float(np.sum(np.logaddexp.reduce(b * u[6:], axis=1) - b * truth))

    best = minimize_scalar(log_loss, bracket=(-1, 1), tol=1e-12).x
    assert model.temperature_ == pytest.approx(np.exp(best), rel=1e-3)
    assert_array_equal(model.predict(X), labels)
    expected = np.exp(log_softmax(u / model.temperature_, axis=1))
    assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    with pytest.raises(ValueError, match="3 classes that exclude each other"):
        model.fit_threshold(X, y)
    with pytest.raises(ValueError, match="The most probable one is predicted"):
        model.predict(X, threshold=0.4)


def test_overlapping_labels_get_a_threshold_each(squares: Data) -> None:
    X, y = squares
    both = np.stack([y == 1, X > 0.8], 1).astype(np.uint8)
    model = segmenter("bce", multilabel=True, classes=["square", "bright"], max_epochs=4)
    model.fit(X, both)
    labels, proba = model.predict(X), model.predict_proba(X)
    model.fit_threshold(X, both)
    assert model.threshold_.shape == (2,)
    for k in range(2):
        scores = [
            iou_score(both[:, [k]], (proba[:, [k]] > np.float32(t)).astype(int), multilabel=True)
            for t in THRESHOLDS[::20]
        ]
        chosen = proba[:, [k]] > np.float32(model.threshold_[k])
        assert iou_score(both[:, [k]], chosen.astype(int), multilabel=True) >= max(scores) - 1e-12
    by_label = {"bright": 0.9, "square": 0.1}
    expected = (proba > np.array([0.1, 0.9], np.float32)[:, None, None]).astype(np.uint8)
    assert_array_equal(model.predict(X, by_label), expected)
    assert_array_equal(model.predict(X, [0.1, 0.9]), expected)
    model.threshold_ = None
    assert_array_equal(model.fit_temperature(X, both).predict(X), labels)
    with pytest.raises(ValueError, match="does not score each label by itself"):
        model.fit_threshold(X, both, scoring="boundary_iou")


def test_labels_have_the_thresholds_of_scikit_learn(
    fitted_labels: tuple[ResNetClassifier, Array, Array],
) -> None:
    fitted, X, y = fitted_labels
    model = pickle.loads(pickle.dumps(fitted))
    proba = model.predict_proba(X)[:, 1]
    frozen = FrozenEstimator(model)
    for threshold in (0.05, 0.3, 0.6):
        fixed = FixedThresholdClassifier(frozen, threshold=threshold, pos_label="tall").fit(X, y)
        assert_array_equal(model.predict(X, threshold), fixed.predict(X))
    tuned = TunedThresholdClassifierCV(
        frozen,
        scoring="balanced_accuracy",
        cv="prefit",
        refit=False,
        thresholds=THRESHOLDS[26:-26:9],
    ).fit(X, y)
    model.fit_threshold(X, y, scoring="balanced_accuracy")
    found = balanced_accuracy_score(y, model.predict(X))
    assert found >= tuned.best_score_ > 0.55
    tall = y == "tall"
    recalls = [((proba > t)[tall].mean() + (proba <= t)[~tall].mean()) / 2 for t in THRESHOLDS]
    assert found == pytest.approx(max(recalls))
    accuracies = [np.mean(np.where(proba > t, "tall", "small") == y) for t in THRESHOLDS]
    assert model.fit_threshold(X, y).score(X, y) == pytest.approx(max(accuracies))

    def cost(true: Array, pred: Array) -> float:
        return -float(np.sum(true != pred)) - 20 * float(np.sum((true == "tall") & (pred != true)))

    model.fit_threshold(X, y, scoring=make_scorer(cost))
    few = np.arange(1, 20) / 20
    assert cost(y, model.predict(X)) == max(
        cost(y, np.where(proba > t, "tall", "small")) for t in few
    )


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_the_temperature_of_labels(
    fitted_labels: tuple[ResNetClassifier, Array, Array], loss: str
) -> None:
    _, X, y = fitted_labels
    y = np.where(np.arange(len(y)) % 5 == 0, "wide", y)
    model = classifier(loss, max_epochs=3).fit(X, y)
    labels, u = model.predict(X), np.log(model.predict_proba(X))
    codes = np.searchsorted(model.classes_, y)
    model.fit_temperature(X, y)

    def log_loss(log_t: float) -> float:
        return float(-log_softmax(u * np.exp(-log_t), axis=1)[np.arange(len(y)), codes].sum())

    best = minimize_scalar(log_loss, bracket=(-1, 1), tol=1e-12).x
    assert model.temperature_ == pytest.approx(np.exp(best), rel=1e-6)
    assert_array_equal(model.predict(X), labels)
    pairs = TensorDataset(*map(_tensor, (X, codes)))
    numbers = classifier(loss, max_epochs=1).fit(X, codes)
    expected = pickle.loads(pickle.dumps(numbers)).fit_temperature(X, codes).temperature_
    assert numbers.fit_temperature(pairs).temperature_ == expected


def _tensor(values: Array) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))


@pytest.mark.parametrize("kind", [ImageSegmenter, ImageClassifier])
def test_networks_of_the_user(squares: Data, kind: Any) -> None:
    X, y = squares
    masks_ = kind is ImageSegmenter
    target = (y == 1).astype(np.uint8) if masks_ else (X.mean((1, 2)) > 0.2).astype(int)
    target[0] = 1 - target[0]  # no threshold and no temperature is right for all
    layers: list[nn.Module] = [nn.Conv2d(1, 2 - masks_, 3, padding=1)]
    layers += [] if masks_ else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = kind(nn.Sequential(*layers), max_epochs=9, lr=0.1, random_state=0).fit(X, target)
    before = model.predict(X)
    model.fit_temperature(X, target)
    assert_array_equal(model.predict(X), before)
    model.fit_threshold(X, target)
    assert_array_equal(
        model.predict(X), masks(model.predict_proba(X), model.threshold_).astype(before.dtype)
    )


def test_saved_and_pickled_models_keep_both(
    model: UNetSegmenter, squares: Data, tmp_path: Path
) -> None:
    X, y = squares
    model.fit_temperature(X, y).fit_threshold(X, y)
    model.save(tmp_path / "model.safetensors")
    for again in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert again.threshold_ == model.threshold_
        assert again.temperature_ == model.temperature_
        assert_array_equal(again.predict(X), model.predict(X))
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(model).temperature_ is None
    constant = constant_model(model)
    assert constant.threshold_ is None
    assert (constant.predict(X) == 0).all()
    model.threshold_ = None
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").threshold_ is None
    model.threshold_ = 3.0
    with pytest.raises(ValueError, match="expected a probability"):
        model.save(tmp_path / "model.safetensors")


def test_further_training_resets_both(model: UNetSegmenter, squares: Data) -> None:
    X, y = squares
    model.fit_temperature(X, y).fit_threshold(X, y)
    rule = model.threshold_, model.temperature_
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X, y + 3)
    assert (model.threshold_, model.temperature_) == rule
    with pytest.warns(UserWarning, match="threshold_ and temperature_ were reset"):
        model.set_params(max_epochs=1).partial_fit(X, y)
    assert model.threshold_ is model.temperature_ is None
    model.threshold_ = 0.2
    with pytest.warns(UserWarning, match="threshold_ was reset"):
        model.set_params(warm_start=True).fit(X, y)
    model.threshold_ = 0.2
    model.set_params(warm_start=False).fit(X, y)  # like all that an earlier fit has found
    assert model.threshold_ is None


def test_a_new_temperature_resets_the_threshold(model: UNetSegmenter, squares: Data) -> None:
    X, y = squares
    model.fit_threshold(X, y)
    with pytest.warns(UserWarning, match="before calibration and was reset"):
        model.fit_temperature(X, y)
    assert model.threshold_ is None


def test_what_cannot_be_fitted_is_refused(model: UNetSegmenter, squares: Data) -> None:
    X, y = squares
    with pytest.raises(ValueError, match="Did you mean 'dice'"):
        model.fit_threshold(X, y, scoring="dise")
    with pytest.raises(ValueError, match="does not depend on a threshold"):
        model.fit_threshold(X, y, scoring=calibration_scorer)
    with pytest.raises(ValueError, match="scores one label per image"):
        model.fit_threshold(X, y, scoring="accuracy")
    with pytest.raises(ValueError, match="not among the classes"):
        model.fit_temperature(X, np.where(y == 1, 4, y))
    with pytest.raises(ValueError, match="requires y"):
        model.fit_threshold(X)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        model.fit_threshold(X, y, sample_weight=[1, 2])
    with pytest.raises(ValueError, match="expected a probability"):
        model.predict(X, threshold=-0.1)
    assert model.threshold_ is model.temperature_ is None
