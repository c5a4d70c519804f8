from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, is_classifier
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.metrics import CalibrationScorer, calibration_scorer, expected_calibration_error


def digits(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    return X[:60].reshape(-1, 8, 8), np.array(["one", "two", "six"])[y[:60]]


def scenes(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_digit_scenes(12, size=16, n_digits=3, classes=(0, 1), random_state=0)
    return X, np.array([0, 100, 200])[np.minimum(y, n_classes - 1)]


def tiny(kind: Any) -> Any:
    depth = {"depth": 2} if kind is UNetSegmenter else {}
    return kind(width=4, max_epochs=1, batch_size=8, random_state=0, **depth)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("kind", "data"), [(ResNetClassifier, digits), (UNetSegmenter, scenes)])
def test_scores_folds_of_classifiers_and_segmenters(kind: Any, data: Any, n_classes: int) -> None:
    X, y = data(n_classes)
    cv, model = KFold(2), tiny(kind)
    assert is_classifier(model) == (kind is ResNetClassifier)
    expected = []
    for train, test in cv.split(X):
        proba = tiny(kind).fit(X[train], y[train]).predict_proba(X[test])
        expected.append(-float(expected_calibration_error(y[test], proba, labels=np.unique(y))))
    for estimator in (model, make_pipeline(FunctionTransformer(), model)):
        found = cross_val_score(
            estimator, X, y, cv=cv, scoring=calibration_scorer, error_score="raise"
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)


class Sure(BaseEstimator):  # type: ignore[misc]
    """A segmenter that knows three classes."""

    classes_ = np.array([0, 1, 2])

    def fit(self, X: np.ndarray, y: np.ndarray) -> Sure:
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        n, *spatial = X.shape
        return np.broadcast_to([[[[0.8]], [[0.1]], [[0.1]]]], (n, 3, *spatial))


def test_a_fold_may_lack_a_class() -> None:
    X = np.zeros((2, 3, 3))
    assert calibration_scorer(Sure(), X, np.zeros(X.shape, int)) == pytest.approx(-0.2)
    assert calibration_scorer(Sure(), X, np.ones(X.shape, int)) == pytest.approx(-0.8)


def test_settings_reach_the_error() -> None:
    X, y = np.zeros((2, 3, 3)), np.zeros((2, 3, 3), int)
    y[0] = 255
    scorer = CalibrationScorer(ignore_index=255, average="macro", n_bins=5)
    assert repr(scorer) == "CalibrationScorer(ignore_index=255, average='macro', n_bins=5)"
    expected = -(0.2 + 0.1 + 0.1) / 3
    for same in (scorer, pickle.loads(pickle.dumps(scorer))):
        assert same(Sure(), X, y) == pytest.approx(expected)
    with pytest.raises(ValueError, match="holds the label 255"):
        calibration_scorer(Sure(), X, y)
    with pytest.raises(TypeError, match="n_bin"):
        CalibrationScorer(n_bin=5)(Sure(), X, y)


def test_channels_of_multilabel_masks_need_no_labels() -> None:
    X, y = np.zeros((2, 3, 3)), np.zeros((2, 3, 3, 3), int)
    found = CalibrationScorer(multilabel=True)(Sure(), X, y)
    assert found == pytest.approx(-(0.8 + 0.1 + 0.1) / 3)


def weighted() -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    X, y = load_digits(n_class=3, return_X_y=True)
    weight = np.random.default_rng(0).random(len(y))
    return make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)), X, y, weight


def test_weights_are_used_where_scikit_learn_passes_them() -> None:
    model, X, y, weight = weighted()
    model.fit(X, y)
    found = calibration_scorer(model, X, y, sample_weight=weight)
    proba = model.predict_proba(X)
    assert found == -expected_calibration_error(y, proba, sample_weight=weight)
    search = GridSearchCV(LogisticRegression(), {"C": [1e-4]}, scoring=calibration_scorer, cv=2)
    plain = search.fit(X, y).best_score_
    assert search.fit(X, y, sample_weight=weight).best_score_ != plain
    search.set_params(scoring={"calibration": calibration_scorer}, refit=False)
    search.fit(X, y, sample_weight=weight)
    assert search.cv_results_["mean_test_calibration"][0] != plain


def test_weights_are_routed_on_request() -> None:
    _, X, y, weight = weighted()
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression(C=1e-4).set_fit_request(sample_weight=False)
        scorer = CalibrationScorer().set_score_request(sample_weight=True)
        for scoring in (scorer, {"score": scorer}):
            found = cross_validate(
                model, X, y, scoring=scoring, params={"sample_weight": weight}, cv=KFold(2)
            )["test_score"]
            expected = []
            for train, test in KFold(2).split(X):
                proba = model.fit(X[train], y[train]).predict_proba(X[test])
                error = expected_calibration_error(y[test], proba, sample_weight=weight[test])
                expected.append(-float(error))
            np.testing.assert_allclose(found, expected)
