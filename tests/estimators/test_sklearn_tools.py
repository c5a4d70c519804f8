"""What scikit-learn's own tools do with the estimators, and what they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearnloss import ResNetClassifier
from sklearnloss.estimators import cross_val_predict_proba, image_level_labels
from sklearnloss.metrics import dice_scorer

from .conftest import Data, classifier, segmenter

NAMES = np.array(["zero", "one", "two"])


@pytest.fixture(scope="module")
def rows(digits: Data) -> Data:
    """The digits as rows of pixels, with names for labels."""
    X, y = digits
    return X.reshape(len(X), -1), NAMES[y]


@pytest.fixture(scope="module")
def two_digits(digits: Data) -> Data:
    """Digits of two classes."""
    X, y = digits
    return X[y < 2], y[y < 2]


def able(**params: Any) -> ResNetClassifier:
    """Return a classifier that trains long enough to tell digits apart."""
    return classifier(**{"width": 8, "batch_size": 8, "max_epochs": 5, "lr": 2e-2, **params})


# Ensembles and wrappers of the classifier


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: BaggingClassifier(model, n_estimators=2, random_state=0),
        lambda model: AdaBoostClassifier(model, n_estimators=2, random_state=0),
        lambda model: make_pipeline(StandardScaler(), model),
    ],
    ids=["bagging", "adaboost", "scaler"],
)
def test_tools_for_rows_take_images_as_rows(rows: Data, wrap: Any) -> None:
    model = wrap(able(image_shape=(8, 8))).fit(*rows)
    assert model.predict_proba(rows[0]).shape == (60, 3)
    assert model.score(*rows) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2, method="isotonic", ensemble=False),
        lambda model: VotingClassifier([("a", model), ("b", able(loss="focal"))], voting="soft"),
        lambda model: StackingClassifier([("a", model)], LogisticRegression(max_iter=500), cv=2),
        OneVsRestClassifier,
    ],
    ids=["sigmoid", "isotonic", "voting", "stacking", "one-vs-rest"],
)
def test_tools_that_do_not_look_into_samples_take_images(digits: Data, wrap: Any) -> None:
    X, y = digits[0][:, None], NAMES[digits[1]]  # (n, 1, 8, 8)
    model = wrap(able()).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
    assert set(model.predict(X)) <= set(NAMES)
    assert model.score(X, y) > 0.8


@pytest.mark.slow
def test_thresholds_move_the_decision(two_digits: Data) -> None:
    X, y = two_digits
    model = able().fit(X, y)
    middle = float(np.median(model.predict_proba(X)[:, 1]))
    fixed = FixedThresholdClassifier(able(), threshold=middle).fit(X, y)
    expected = (model.predict_proba(X)[:, 1] >= middle).astype(int)
    np.testing.assert_array_equal(fixed.predict(X), expected)
    logits = FixedThresholdClassifier(
        able(), threshold=1.5, response_method="decision_function"
    ).fit(X, y)
    np.testing.assert_array_equal(logits.predict(X), model.decision_function(X) >= 1.5)
    tuned = TunedThresholdClassifierCV(able(), cv=2, scoring="balanced_accuracy")
    assert tuned.fit(X, y).best_score_ > 0.8
    assert 0 < tuned.best_threshold_ < 1


@pytest.mark.slow
def test_pixels_have_an_importance(rows: Data) -> None:
    model = able(image_shape=(8, 8)).fit(*rows)
    result = permutation_importance(model, *rows, n_repeats=1, random_state=0)
    assert result.importances_mean.shape == (64,)
    constant = rows[0].std(0) == 0
    assert (result.importances_mean[constant] == 0).all()
    assert result.importances_mean.max() > 0


# Searches and curves of both estimators


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
def test_halving_searches_spend_epochs(digits: Data, binary_scenes: Data, kind: str) -> None:
    model, data = (classifier(), digits) if kind == "classifier" else (segmenter(), binary_scenes)
    search = HalvingGridSearchCV(
        model,
        {"loss": ["focal", "brier"]},
        resource="max_epochs",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=KFold(2),
        random_state=0,
    ).fit(*data)
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_.n_iter_ == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier", "segmenter"])
def test_learning_and_validation_curves(digits: Data, scenes: Data, kind: str) -> None:
    model, data = (able(max_epochs=2), digits) if kind == "classifier" else (segmenter(), scenes)
    cv = KFold(2, shuffle=True, random_state=0)
    sizes, train, test = learning_curve(model, *data, train_sizes=[0.5, 1.0], cv=cv)
    assert sizes.tolist() == [len(data[0]) // 4, len(data[0]) // 2]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()
    _, test = validation_curve(
        model, *data, param_name="loss", param_range=["cross_entropy", "dice"], cv=cv
    )
    assert np.isfinite(test).all()
    assert (test[0] != test[1]).any()


def test_incremental_learning_curves_use_partial_fit(digits: Data) -> None:
    _, _, test = learning_curve(
        classifier(), *digits, train_sizes=[0.5, 1.0], cv=2, exploit_incremental_learning=True
    )
    assert np.isfinite(test).all()


def test_masks_are_cross_validated_and_scored(binary_scenes: Data) -> None:
    X, y = binary_scenes
    cv = KFold(2)
    scores = cross_validate(
        segmenter(), X, y, cv=cv, scoring={"dice": dice_scorer}, return_estimator=True
    )
    for (_, test), model, score in zip(
        cv.split(X), scores["estimator"], scores["test_dice"], strict=True
    ):
        assert score == dice_scorer(model, X[test], y[test])
    predicted = cross_val_predict(segmenter(), X, y, cv=cv)
    for (_, test), model in zip(cv.split(X), scores["estimator"], strict=True):
        np.testing.assert_array_equal(predicted[test], model.predict(X[test]))
    score, permuted, _ = permutation_test_score(segmenter(), X, y, cv=cv, n_permutations=2)
    assert np.isfinite([score, *permuted]).all()


def test_masks_are_stratified_by_image_level_labels(binary_scenes: Data) -> None:
    X, y = binary_scenes[0], binary_scenes[1].copy()
    y[::2] = 0
    with pytest.raises(ValueError, match="dim 3|unknown"):
        train_test_split(X, y, stratify=y)
    labels = image_level_labels(y)
    folds = list(StratifiedKFold(3).split(X, labels))
    assert [int(labels[test].sum()) for _, test in folds] == [2, 2, 2]
    assert np.isfinite(cross_val_score(segmenter(), X, y, cv=folds)).all()


def test_probabilities_of_masks_need_the_function_of_this_package(scenes: Data) -> None:
    with (
        pytest.warns(RuntimeWarning, match="Number of classes in training fold"),
        pytest.raises(ValueError, match="shape mismatch"),
    ):
        cross_val_predict(segmenter(), *scenes, cv=2, method="predict_proba")
    assert cross_val_predict_proba(segmenter(), *scenes, cv=2).shape == (12, 3, 16, 16)


# Weights, groups and metadata routing


@pytest.fixture(params=["classifier", "segmenter"])
def problem(request: pytest.FixtureRequest, digits: Data, binary_scenes: Data) -> tuple[Any, ...]:
    """An estimator, its data, and weights of them."""
    made = (
        (classifier(), *digits) if request.param == "classifier" else (segmenter(), *binary_scenes)
    )
    weight = np.linspace(0.2, 3, len(made[1]))
    return (*made, weight)


@pytest.mark.slow
def test_weights_reach_the_fits_of_searches_and_pipelines(problem: tuple[Any, ...]) -> None:
    model, X, y, weight = problem
    expected = model.fit(X, y, sample_weight=weight).decision_function(X)
    plain = model.fit(X, y).decision_function(X)
    assert not np.array_equal(expected, plain)
    search = GridSearchCV(model, {"max_epochs": [1]}, cv=KFold(2)).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(search.decision_function(X), expected)
    pipe = Pipeline([("same", FunctionTransformer()), ("model", model)])
    pipe.fit(X, y, model__sample_weight=weight)
    np.testing.assert_array_equal(pipe.decision_function(X), expected)


@pytest.mark.slow
def test_weights_are_routed_where_they_are_asked_for(problem: tuple[Any, ...]) -> None:
    model, X, y, weight = problem
    train, test = next(iter(KFold(2).split(X)))
    fitted = model.fit(X[train], y[train], sample_weight=weight[train])
    weighted = fitted.score(X[test], y[test], sample_weight=weight[test])
    alone = fitted.score(X[test], y[test])
    params = {"sample_weight": weight}
    with config_context(enable_metadata_routing=True):
        both = model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_val_score(both, X, y, cv=KFold(2), params=params)
        assert scores[0] == weighted
        only_fit = both.set_score_request(sample_weight=False)
        scores = cross_val_score(only_fit, X, y, cv=KFold(2), params=params)
        assert scores[0] == alone
        renamed = clone(model).set_fit_request(sample_weight="importance")
        renamed.set_score_request(sample_weight=None)
        scores = cross_val_score(renamed, X, y, cv=KFold(2), params={"importance": weight})
        assert scores[0] == alone
        pipe = make_pipeline(FunctionTransformer(), renamed)
        search = GridSearchCV(pipe, {}, cv=KFold(2)).fit(X, y, importance=weight)
        assert search.cv_results_["split0_test_score"][0] == alone


def test_weights_that_nobody_asked_for_are_refused(problem: tuple[Any, ...]) -> None:
    model, X, y, weight = problem
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="sample_weight"),
    ):
        cross_val_score(type(model)(), X, y, params={"sample_weight": weight}, error_score="raise")


@pytest.mark.slow
def test_groups_stay_together(problem: tuple[Any, ...]) -> None:
    model, X, y, _ = problem
    groups = np.arange(len(X)) % 3
    scores = cross_val_score(model, X, y, groups=groups, cv=GroupKFold(3))
    folds = list(GroupKFold(3).split(X, groups=groups))
    by_hand = [model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds]
    np.testing.assert_array_equal(scores, by_hand)
    search = GridSearchCV(model, {}, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert search.best_score_ == pytest.approx(np.mean(by_hand))
    with config_context(enable_metadata_routing=True):
        routed = cross_val_score(model, X, y, cv=GroupKFold(3), params={"groups": groups})
    np.testing.assert_array_equal(routed, scores)
