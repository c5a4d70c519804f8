from __future__ import annotations

from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss.estimators import cross_val_predict_proba

from .conftest import Data, classifier, segmenter


def test_each_image_is_predicted_by_a_model_fitted_without_it(scenes: Data) -> None:
    X, y = scenes
    proba = cross_val_predict_proba(segmenter(), X, y, cv=KFold(3))
    assert proba.shape == (12, 3, 16, 16)
    for train, test in KFold(3).split(X):
        expected = segmenter().fit(X[train], y[train]).predict_proba(X[test])
        np.testing.assert_array_equal(proba[test], expected)


def test_it_agrees_with_scikit_learn_on_labels(digits: Data) -> None:
    X, y = digits[0].reshape(60, -1), np.array(["zero", "one", "two"])[digits[1]]
    model = LogisticRegression(max_iter=300)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    expected = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(cross_val_predict_proba(model, X, y, cv=cv), expected)
    np.testing.assert_allclose(
        cross_val_predict_proba(model, X, y),
        cross_val_predict(model, X, y, method="predict_proba"),
    )


def test_it_leaves_the_estimator_alone(binary_scenes: Data) -> None:
    model = segmenter()
    cross_val_predict_proba(model, *binary_scenes, cv=2)
    assert not hasattr(model, "net_")


def test_a_class_that_a_fold_lacks_has_probability_zero_there(scenes: Data) -> None:
    X, y = scenes[0], np.where(scenes[1] == 1, 0, 5 * scenes[1])  # classes 0 and 10
    y[0, :4] = 3  # only in the first image
    cv = KFold(3)
    proba = cross_val_predict_proba(segmenter(), X, y, cv=cv)
    assert proba.shape == (12, 3, 16, 16)  # 0, 3 and 10
    assert (proba[:4, 1] == 0).all()
    assert (proba[4:, 1] > 0).all()
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
    train, test = next(cv.split(X))
    two = segmenter().fit(X[train], y[train]).predict_proba(X[test])
    np.testing.assert_array_equal(proba[test][:, [0, 2]], two)


def test_labels_may_be_named_in_advance(binary_scenes: Data) -> None:
    X, y = binary_scenes
    proba = cross_val_predict_proba(segmenter(classes=[0, 1, 2]), X, y, cv=2)
    assert proba.shape == (12, 3, 16, 16)


def test_multilabel_names_keep_their_order(scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y == 1, y == 2], 1)
    model = segmenter(multilabel=True, classes=["zero", "one"])
    proba = cross_val_predict_proba(model, X, masks, cv=KFold(2))
    expected = clone(model).fit(X[:6], masks[:6]).predict_proba(X[6:])
    np.testing.assert_array_equal(proba[6:], expected)


def test_groups_stay_together_and_weights_are_split(binary_scenes: Data) -> None:
    X, y = binary_scenes
    groups = np.arange(12) % 3
    weight = np.linspace(0.1, 5, 12)
    proba = cross_val_predict_proba(
        segmenter(), X, y, groups=groups, cv=GroupKFold(3), params={"sample_weight": weight}
    )
    train, test = np.flatnonzero(groups != 1), np.flatnonzero(groups == 1)
    model = segmenter().fit(X[train], y[train], sample_weight=weight[train])
    np.testing.assert_array_equal(proba[test], model.predict_proba(X[test]))


def test_metadata_is_routed(binary_scenes: Data) -> None:
    X, y = binary_scenes
    groups, weight = np.arange(12) % 2, np.linspace(0.1, 5, 12)
    params = {"sample_weight": weight}
    expected = cross_val_predict_proba(
        segmenter(), X, y, groups=groups, cv=GroupKFold(2), params=params
    )
    with config_context(enable_metadata_routing=True):
        model = segmenter().set_fit_request(sample_weight=True)
        proba = cross_val_predict_proba(
            model, X, y, cv=GroupKFold(2), params={**params, "groups": groups}
        )
        np.testing.assert_array_equal(proba, expected)
        with pytest.raises(
            UnsetMetadataPassedError, match="sample_weight.*cross_val_predict_proba"
        ):
            cross_val_predict_proba(segmenter(), X, y, cv=2, params=params)
        with pytest.raises(ValueError, match="Pass params={'groups': groups}"):
            cross_val_predict_proba(model, X, y, groups=groups, cv=GroupKFold(2))


def test_data_sets_and_tensors_work(binary_scenes: Data) -> None:
    X, y = binary_scenes
    expected = cross_val_predict_proba(segmenter(), X, y, cv=2)
    tensors = torch.from_numpy(X), torch.from_numpy(y)
    np.testing.assert_array_equal(cross_val_predict_proba(segmenter(), *tensors, cv=2), expected)
    pairs = torch.utils.data.TensorDataset(*tensors)
    np.testing.assert_array_equal(cross_val_predict_proba(segmenter(), pairs, cv=2), expected)
    images = Images(X)
    np.testing.assert_array_equal(cross_val_predict_proba(segmenter(), images, y, cv=2), expected)


class Images(torch.utils.data.Dataset[Any]):
    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.images[index]


class Prior(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts, pixel by pixel, how often each class was seen."""

    def fit(self, X: Any, y: Any) -> Prior:
        self.classes_, counts = np.unique(
            np.concatenate([m.ravel() for m in y]), return_counts=True
        )
        self.share_ = counts / counts.sum()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        proba = np.empty(len(X), dtype=object)
        for k, image in enumerate(X):
            proba[k] = np.broadcast_to(self.share_[:, None, None], (len(self.share_), *image.shape))
        return proba


class Meeting(Prior):
    """Is fitted when another one is being fitted at the same time."""

    barrier = Barrier(2, timeout=600)

    def fit(self, X: Any, y: Any) -> Prior:
        self.barrier.wait()
        return super().fit(X, y)


def test_folds_are_fitted_at_the_same_time(scenes: Data) -> None:
    X, y = scenes
    with parallel_config("threading"):
        proba = cross_val_predict_proba(Meeting(), X, y, cv=2, n_jobs=2)
    expected = cross_val_predict_proba(Prior(), X, y, cv=2)
    np.testing.assert_array_equal(proba, expected)


def test_pipelines_work(binary_scenes: Data) -> None:
    pipe = make_pipeline(FunctionTransformer(), segmenter())
    expected = cross_val_predict_proba(segmenter(), *binary_scenes, cv=2)
    np.testing.assert_array_equal(cross_val_predict_proba(pipe, *binary_scenes, cv=2), expected)


def test_images_of_unlike_sizes_have_an_array_each() -> None:
    y = [np.array([[0, 1]]), np.array([[0, 0], [1, 2]]), np.array([[1, 1]]), np.array([[0, 2]])]
    proba = cross_val_predict_proba(Prior(), y, y, cv=KFold(2))
    assert proba.dtype == object
    assert [p.shape for p in proba] == [(3, 1, 2), (3, 2, 2), (3, 1, 2), (3, 1, 2)]
    assert proba[0][:, 0, 0].tolist() == [0.25, 0.5, 0.25]
    lacking = cross_val_predict_proba(Prior(), y, y, cv=[([1, 3], [0, 2]), ([0, 2], [1, 3])])
    assert lacking[3][:, 0, 0].tolist() == [0.25, 0.75, 0]


def test_test_sets_must_be_a_partition(binary_scenes: Data) -> None:
    X, y = binary_scenes
    message = "of 12 images [0-9]+ are in none and [0-9]+ in several. Use a splitter"
    with pytest.raises(ValueError, match=message):
        cross_val_predict_proba(segmenter(), X, y, cv=ShuffleSplit(2, random_state=0))
    twice = [([0, 1], list(range(2, 12))), ([2, 3], [0, 1, 4])]
    with pytest.raises(ValueError, match="of 12 images 0 are in none and 1 in several"):
        cross_val_predict_proba(segmenter(), X, y, cv=twice)


def test_a_classifier_of_images_works_too(digits: Data) -> None:
    X, y = digits
    cv = StratifiedKFold(2)
    proba = cross_val_predict_proba(classifier(), X, y, cv=cv)
    expected = cross_val_predict(classifier(), X, y, cv=cv, method="predict_proba")
    np.testing.assert_array_equal(proba, expected)
