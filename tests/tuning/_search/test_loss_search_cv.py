from __future__ import annotations

import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.samplers import TPESampler
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearnloss import LossSearchCV
from sklearnloss.losses import FocalLoss

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401
from ..searches import GRID, InOrder, Told, X, search, told, y

#: Two folds of two, see :class:`Told`.
FOLDS = (np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([0, 1, 0, 1]))
HALVES = KFold(2)
NO_PRUNING = optuna.pruners.NopPruner()


def key(params: dict[str, Any]) -> str:
    return str(sorted(params.items()))


def scores_by_params(results: dict[str, Any], n_splits: int) -> dict[str, list[float]]:
    columns = [results[f"split{k}_test_score"] for k in range(n_splits)]
    columns += [results["mean_test_score"], results["std_test_score"], results["rank_test_score"]]
    rows = np.stack(columns, axis=1).tolist()
    return {key(params): row for params, row in zip(results["params"], rows, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (LogisticRegression(), GRID),
        (SVC(), [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.1, 1.0]}]),
        (make_pipeline(StandardScaler(), LinearSVC(random_state=0)), {"linearsvc__C": [0.1, 1.0]}),
    ],
)
def test_a_finite_space_without_pruning_is_a_grid_search(estimator: Any, grid: Any) -> None:
    cv = StratifiedKFold(3)
    ours = search(estimator, grid, n_trials=None, cv=cv, pruner=NO_PRUNING).fit(X, y)
    theirs = GridSearchCV(estimator, grid, cv=cv).fit(X, y)
    expected = scores_by_params(theirs.cv_results_, 3)
    assert scores_by_params(ours.cv_results_, 3) == expected
    assert ours.best_score_ == theirs.best_score_
    assert set(theirs.cv_results_) < set(ours.cv_results_)
    for name, column in theirs.cv_results_.items():
        assert type(ours.cv_results_[name]) is type(column)
        if name.startswith("param_"):
            assert ours.cv_results_[name].mask.sum() == column.mask.sum()


@pytest.mark.slow
def test_a_step_and_its_parameters_are_searched_as_in_a_grid_search() -> None:
    model = Pipeline([("scale", "passthrough"), ("model", LogisticRegression())])
    grid = {
        "scale": [StandardScaler(), MinMaxScaler()],
        "model": [LogisticRegression(C=0.1), LogisticRegression()],
        "model__fit_intercept": [True, False],
    }
    ours = search(model, grid, n_trials=None, pruner=NO_PRUNING).fit(X, y)
    theirs = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert scores_by_params(ours.cv_results_, 2) == scores_by_params(theirs.cv_results_, 2)
    assert not hasattr(grid["scale"][0], "mean_")
    grids = [{"scale": [StandardScaler()], "scale__with_mean": [True, False]}]
    found = search(model, grids, n_trials=None).fit(X, y)
    assert {p["scale__with_mean"] for p in found.cv_results_["params"]} == {True, False}


def test_the_budget_counts_complete_and_stopped_candidates_but_not_failed_ones() -> None:
    values: list[Any] = [0.1, 0.2, ValueError("a bug"), 0.3, np.nan, 0.4, 0.6, 0.7]
    with (
        pytest.warns(FitFailedWarning, match="1 of 6 candidates failed"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        found = told(values, n_trials=5, sampler=InOrder(), pruner=NO_PRUNING).fit(*FOLDS)
    states = found.cv_results_["trial_state"].tolist()
    assert states.count("FAIL") == 1
    assert len(states) == 6


def test_a_search_without_losses_has_none_to_compare() -> None:
    made = search(space=GRID, n_trials=1)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        made.compare(X, y)
    with pytest.raises(ValueError, match=r"only over param_distributions.* Pass losses= to search"):
        made.fit(X, y).compare(X, y)


@pytest.mark.slow
def test_a_comparison_takes_the_best_settings_and_the_metric_of_the_search(
    binary_scenes: Data,  # noqa: F811
) -> None:
    names = ["dice", "bce", "focal"]
    model = segmenter(width=2, max_epochs=1)
    options: dict[str, Any] = {"cv": 2, "n_trials": 3, "refit": False}
    found = LossSearchCV(model, names, scoring="iou", **options).fit(*binary_scenes)
    compared = found.compare(*binary_scenes, losses=["bce", "dice"], cv=2, random_state=0)
    assert sorted(compared.labels_) == ["bce", "dice"]
    assert compared.settings_["dice"] == found.best_per_loss_["dice"]["params"]
    with pytest.raises(ValueError, match="'hinge' is not among the losses that have settings"):
        found.compare(*binary_scenes, losses=["dice", "hinge"])
    both = {"one": "iou", "two": make_scorer(lambda y, p: -1.0)}
    found.set_params(scoring=both, refit="two").fit(*binary_scenes)
    compared = found.compare(*binary_scenes, losses=["bce", "dice"], cv=2)
    assert compared.about_["metric"] == "two"
    assert (compared.scores_ == -1).all()


def test_a_storage_is_for_a_scorer_that_does_the_same(tmp_path: Path) -> None:
    def hit(y: Any, p: Any) -> Any:
        return np.mean(y == p) ** 2

    def edited(y: Any, p: Any) -> Any:
        return np.mean(y == p)

    edited.__qualname__ = hit.__qualname__
    settings: dict[str, Any] = {"space": GRID, "storage": tmp_path / "s.journal", "n_trials": 1}
    search(scoring=make_scorer(hit), **settings).fit(X, y)
    search(scoring=make_scorer(hit), **settings).fit(X, y)
    with pytest.raises(
        ValueError, match=r"holds a different search: scoring make_scorer\(hit.* -> "
    ):
        search(scoring=make_scorer(edited), **settings).fit(X, y)


def test_a_finite_space_ends_a_search_before_its_budget() -> None:
    assert len(search(space=GRID, n_trials=50).fit(X, y).cv_results_["params"]) == 6


def test_a_search_ends_when_its_time_is_up_but_has_one_candidate() -> None:
    found = search(n_trials=None, timeout=1e-9).fit(X, y)
    assert len(found.cv_results_["params"]) == 1
    assert found.best_params_ == {"C": 1.0}


def test_a_clock_that_is_set_forward_does_not_end_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time

    def jump(study: Any, trial: Any) -> None:
        monkeypatch.setattr(time, "time", lambda: now() + 3600.0)

    found = search(space=GRID, n_trials=None, timeout=600, callbacks=[jump]).fit(X, y)
    assert len(found.cv_results_["params"]) == 6


def test_losses_that_n_trials_has_no_room_for_are_named_before_the_search() -> None:
    grids = [{"C": [0.1]}, {"C": [1.0]}, {"C": [10.0]}]
    with pytest.warns(UserWarning, match=r"n_trials=2 tries the first 2 of 3 .* tried: 2\.$"):
        search(space=grids, n_trials=2).fit(X, y)


def test_what_a_storage_holds_already_is_not_named_as_untried(tmp_path: Path) -> None:
    grids = [{"C": [0.1]}, {"C": [1.0]}, {"C": [10.0]}]
    options: dict[str, Any] = {"space": grids, "storage": tmp_path / "s.journal"}
    search(n_trials=3, **options).fit(X, y)
    assert len(search(n_trials=1, **options).fit(X, y).cv_results_["params"]) == 3  # is silent


def test_grids_that_there_was_no_time_for_are_named() -> None:
    grids = [{"C": [0.1]}, {"C": [1.0]}, {"C": [10.0]}]
    with pytest.warns(
        UserWarning, match="were never tried, as the search ended too early: 1, 2.*timeout=1e-"
    ):
        found = search(space=grids, n_trials=9, timeout=1e-9).fit(X, y)
    assert not hasattr(found, "untried_losses_")


def test_losses_that_were_not_tried_are_listed(binary_scenes: Data) -> None:  # noqa: F811
    names = ["dice", "bce", "focal"]
    model = segmenter(width=2, max_epochs=1)
    found = LossSearchCV(model, names, cv=2, n_trials=3, refit=False)
    assert found.fit(*binary_scenes).untried_losses_ == []
    found.set_params(timeout=1e-9)
    with pytest.warns(
        UserWarning, match="were never tried.*: bce, focal.*only the best of the oth"
    ):
        found.fit(*binary_scenes)
    assert found.untried_losses_ == ["bce", "focal"]
    found.set_params(timeout=None, callbacks=[lambda study, trial: study.stop()])
    with pytest.warns(UserWarning, match="ended too early: bce, focal.* let the search continue"):
        found.fit(*binary_scenes)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_pruner_for_independent_scores_is_refused() -> None:
    wilcoxon = optuna.pruners.WilcoxonPruner()
    for pruner in (wilcoxon, optuna.pruners.PatientPruner(wilcoxon, patience=1)):
        with pytest.raises(ValueError, match="WilcoxonPruner.* reports the mean over all folds"):
            search(pruner=pruner).fit(X, y)


@pytest.mark.slow
def test_reruns_with_the_same_seed_are_identical() -> None:
    one, other = (search(n_trials=8).fit(X, y) for _ in range(2))
    assert one.cv_results_["params"] == other.cv_results_["params"]
    assert np.array_equal(
        one.cv_results_["mean_test_score"], other.cv_results_["mean_test_score"], equal_nan=True
    )
    assert search(n_trials=8, random_state=1).fit(X, y).best_params_ != one.best_params_


def test_parameters_are_not_changed_by_fit() -> None:
    sampler, pruner = TPESampler(seed=3), optuna.pruners.MedianPruner()
    model, space = LogisticRegression(), {"C": (0.1, 10.0)}
    found = search(model, space, sampler=sampler, pruner=pruner)
    before = pickle.dumps((sampler, pruner))
    found.fit(X, y)
    assert pickle.dumps((sampler, pruner)) == before
    assert found.estimator is model
    assert not hasattr(model, "coef_")
    assert model.random_state is None
    assert space == {"C": (0.1, 10.0)}


def test_a_score_that_is_not_finite_ranks_last_with_a_warning_and_never_wins() -> None:
    found = told([np.nan, np.inf, 0.1], pruner=NO_PRUNING)
    with pytest.warns(UserWarning, match="One or more of the test scores are non-finite") as caught:
        found.fit(*FOLDS)
    assert "  1 x the score is nan in fold 1" in str(caught[0].message)
    results = found.cv_results_
    assert found.best_params_ == {"value": 0.1}
    order = np.argsort(results["rank_test_score"])
    assert results["trial_state"][order].tolist() == ["COMPLETE", "PRUNED", "PRUNED"]
    reasons = results["reason"][order].tolist()
    assert reasons[0] == ""
    assert set(reasons[1:]) == {"the score is nan in fold 1", "the score is inf in fold 1"}
    assert np.isnan(results["mean_test_score"][order[1:]]).all()
    constrained = [t for t in found.study_.trials if t.user_attrs.get("reason")]
    assert [max(t.constraints.values()) for t in constrained] == [1.0, 1.0]


@pytest.mark.parametrize("error_score", [np.nan, 1.0])
def test_one_failed_fold_never_improves_a_score(error_score: float) -> None:
    # The first fold is tested on ones.
    values = [(0.5, 0.6), (ValueError("only here"), 0.9), (0.2, 0.2)]
    model = told(values, error_score=error_score, cv=HALVES, pruner=NO_PRUNING)
    with pytest.warns(FitFailedWarning, match="1 x ValueError in fold 2: only here"):
        found = model.fit(*FOLDS)
    results = found.cv_results_
    (failed,) = np.flatnonzero(results["trial_state"] == "FAIL")
    assert results["rank_test_score"][failed] == 3
    assert results["split0_test_score"][failed] == 0.9
    assert np.array_equal(results["split1_test_score"][failed], error_score, equal_nan=True)
    assert found.best_params_ == {"value": (0.5, 0.6)}
    assert found.best_score_ == 0.55


def test_errors_are_raised_on_request() -> None:
    with pytest.raises(ValueError, match="only here"):
        told([0.5, ValueError("only here")], error_score="raise").fit(*FOLDS)


def test_if_all_fail_the_reasons_are_told_and_kept() -> None:
    found = told([ValueError("one"), MemoryError("two"), np.nan])
    with pytest.raises(ValueError, match="None of the 3 candidates succeeded") as error:
        found.fit(*FOLDS)
    for part in ("1 x ValueError in fold 1: one", "MemoryError in fold 1: two", "Traceback"):
        assert part in str(error.value)
    assert len(found.cv_results_["params"]) == 3
    assert (found.cv_results_["rank_test_score"] == 1).all()
    assert not hasattr(found, "best_params_")


def test_a_search_in_which_everything_fails_gives_up() -> None:
    found = search(LogisticRegression(solver="none"), n_trials=100)
    with pytest.raises(ValueError, match="None of the 5 candidates succeeded"):
        found.fit(X, y)


def test_a_fit_leaves_nothing_of_the_one_before() -> None:
    found = search(n_trials=2).fit(X, y)
    found.set_params(estimator=LogisticRegression(solver="none"))
    with pytest.raises(ValueError, match="None of the 5 candidates succeeded"):
        found.fit(X, y)
    assert not hasattr(found, "best_estimator_")
    assert not hasattr(found, "best_score_")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"param_distributions": {"D": [1]}}, {"cv": 200}, {"n_trials": 0}, {"losses": "x"}]
)
def test_a_fit_that_is_refused_leaves_what_was_found(changes: dict[str, Any]) -> None:
    found = search(n_trials=2).fit(X, y)
    before = found.best_params_, found.n_splits_
    with pytest.raises((ValueError, TypeError), match="D|n_splits=200|n_trials|no loss"):
        found.set_params(**changes).fit(X, y)
    assert (found.best_params_, found.n_splits_) == before
    assert found.predict(X).shape == (150,)


def test_a_resumed_search_without_a_seed_refits_alike(tmp_path: Path) -> None:
    model = RandomForestClassifier(n_estimators=3)
    options = {"storage": tmp_path / "search.journal", "random_state": None, "n_trials": 2}
    one, other = (search(model, {"max_depth": [1, 2]}, **options).fit(X, y) for _ in range(2))
    assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
    assert one.cv_results_["mean_fit_time"].tolist() == other.cv_results_["mean_fit_time"].tolist()


def test_candidates_are_stopped_between_folds_and_say_where() -> None:
    values = [(0.9, 0.9), (0.9, 0.1), (0.2, 0.2)]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    found = told(values, cv=HALVES, pruner=pruner, sampler=InOrder()).fit(*FOLDS)
    states = found.cv_results_["trial_state"]
    assert set(found.cv_results_["reason"][states == "PRUNED"]) <= {"stopped after fold 1"}
    assert (states == "PRUNED").any()
    pruned = states == "PRUNED"
    assert np.isnan(found.cv_results_["mean_test_score"][pruned]).all()
    assert (found.cv_results_["n_epochs"][pruned] == 1).all()
    assert not np.isnan(found.cv_results_["split0_test_score"]).any()
    assert np.isnan(found.cv_results_["split1_test_score"][pruned]).all()


def test_refit_trains_the_best_on_all_data() -> None:
    found = search().fit(X, y)
    expected = LogisticRegression(**found.best_params_).fit(X, y)
    assert np.array_equal(found.best_estimator_.coef_, expected.coef_)
    assert np.array_equal(found.predict(X), expected.predict(X))
    assert np.array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert np.array_equal(found.decision_function(X), expected.decision_function(X))
    assert found.score(X, y) == expected.score(X, y)
    assert found.classes_.tolist() == [0, 1, 2]
    assert found.n_features_in_ == 4
    assert found.refit_time_ > 0
    assert not hasattr(found, "score_samples")
    assert not hasattr(found, "transform")
    assert not hasattr(found, "best_loss_")


def test_without_refit_there_is_nothing_to_predict_with() -> None:
    found = search(refit=False).fit(X, y)
    assert found.best_score_ == found.cv_results_["mean_test_score"][found.best_index_]
    assert not hasattr(found, "best_estimator_")
    with pytest.raises(AttributeError, match="predict"):
        found.predict(X)


def test_before_fit_there_is_nothing_to_predict_with() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        search().predict(X)


def last_complete(results: dict[str, Any]) -> int:
    return int(np.flatnonzero(results["trial_state"] == "COMPLETE")[-1])


def test_refit_may_be_a_function() -> None:
    found = search(refit=last_complete, pruner=NO_PRUNING).fit(X, y)
    assert found.best_index_ == 3
    assert found.best_params_ == found.cv_results_["params"][3]
    assert not hasattr(found, "best_score_")
    assert found.predict(X).shape == (150,)


@pytest.mark.parametrize("error_score", [1.0, np.nan])
def test_a_function_cannot_choose_a_candidate_that_failed(error_score: float) -> None:
    def greedy(results: dict[str, Any]) -> int:
        return int(np.argmax(results["mean_test_score"]))  # the first nan, if there is one

    found = told([ValueError("a bug"), 0.3, 0.5], error_score=error_score, refit=greedy)
    with pytest.warns(FitFailedWarning, match="1 of 3"):
        found.fit(*FOLDS)
    assert found.best_params_ == {"value": 0.5}
    assert found.best_params_ == found.cv_results_["params"][found.best_index_]


def two_metrics(model: Any, X: Any, y: Any) -> dict[str, float]:
    accuracy = float(accuracy_score(y, model.predict(X)))
    return {"right": accuracy, "wrong": 1 - accuracy}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        (["accuracy", "f1_macro"], "f1_macro"),
        (("accuracy", "f1_macro"), "accuracy"),
        ({"a": "accuracy", "b": make_scorer(accuracy_score)}, "b"),
        (two_metrics, "wrong"),
    ],
)
def test_several_metrics_are_kept_and_one_is_searched_by(scoring: Any, metric: str) -> None:
    found = search(scoring=scoring, refit=metric, pruner=NO_PRUNING).fit(X, y)
    assert found.multimetric_
    means = found.cv_results_[f"mean_test_{metric}"]
    assert found.best_score_ == means.max() == found.study_.best_value
    assert found.cv_results_[f"rank_test_{metric}"][found.best_index_] == 1
    assert f"split1_test_{metric}" in found.cv_results_
    assert "mean_test_score" not in found.cv_results_
    grid = GridSearchCV(
        found.estimator,
        {name: [value] for name, value in found.best_params_.items()},
        cv=2,
        scoring=scoring,
        refit=metric,
    ).fit(X, y)
    assert grid.best_score_ == found.best_score_
    assert found.score(X, y) == grid.score(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("scoring", [["accuracy", "f1_macro"], two_metrics])
def test_several_metrics_need_the_name_of_one(scoring: Any) -> None:
    with pytest.raises(ValueError, match="For multi-metric scoring, the parameter refit must be"):
        search(scoring=scoring).fit(X, y)
    found = search(scoring=scoring, refit=False, pruner=NO_PRUNING).fit(X, y)
    assert not hasattr(found, "best_params_")
    assert found.multimetric_


def test_a_wrong_name_is_told_after_one_candidate() -> None:
    fitted: list[int] = []

    def count(model: Any, X: Any, y: Any) -> dict[str, float]:
        fitted.append(1)
        return {"a": 1.0, "b": 1.0}

    with pytest.raises(ValueError, match="For multi-metric scoring, the parameter refit must be"):
        search(scoring=count, refit="c", n_trials=20).fit(X, y)
    assert len(fitted) == 2


def test_a_second_metric_that_is_not_finite_does_not_win_by_it() -> None:
    def half(model: Any, X: Any, y: Any) -> dict[str, float]:
        return {"a": model.value, "b": np.nan if model.value == 0.9 else model.value}

    found = told([0.9, 0.5], scoring=half, refit="a", pruner=NO_PRUNING)
    with pytest.warns(UserWarning, match="non-finite.*\n  1 x mean_test_b is not finite"):
        found.fit(*FOLDS)
    ranks = dict(
        zip(found.cv_results_["mean_test_a"], found.cv_results_["rank_test_b"], strict=True)
    )
    assert ranks == {0.9: 2, 0.5: 1}


@pytest.mark.slow
def test_groups_stay_together_by_default_and_go_to_the_splitter() -> None:
    groups = np.arange(150) % 7
    found = search(cv=None).fit(X, y, groups=groups)
    assert found.n_splits_ == 5
    found = search(cv=GroupKFold(3), pruner=NO_PRUNING).fit(X, y, groups=groups)
    grid = GridSearchCV(found.estimator, {"C": [1.0]}, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert found.cv_results_["mean_test_score"][0] == grid.best_score_


def test_sample_weights_are_split_with_the_samples() -> None:
    weights = np.random.default_rng(0).uniform(0.1, 3, 150)
    model = LogisticRegression()
    found = search(model, {"C": [0.01, 1.0]}, pruner=NO_PRUNING, n_trials=None)
    found.fit(X, y, sample_weight=weights)
    grid = GridSearchCV(model, {"C": [0.01, 1.0]}, cv=2).fit(X, y, sample_weight=weights)
    assert scores_by_params(found.cv_results_, 2) == scores_by_params(grid.cv_results_, 2)
    assert np.array_equal(found.best_estimator_.coef_, grid.best_estimator_.coef_)


def test_tags_are_those_of_the_estimator() -> None:
    assert is_classifier(search())
    assert is_regressor(search(Ridge(), {"alpha": (0.1, 1.0)}))


@pytest.mark.slow
def test_it_nests_in_cross_validation_with_stratified_folds() -> None:
    scores = cross_validate(search(n_trials=2), X, y, cv=3, return_estimator=True)
    assert min(scores["test_score"]) > 0.9
    assert all(hasattr(inner, "best_params_") for inner in scores["estimator"])
    predicted = cross_val_predict(search(n_trials=2), X, y, cv=3)
    assert accuracy_score(y, predicted) > 0.9


@pytest.mark.slow
def test_it_is_a_step_of_a_pipeline_and_a_grid_search_over_it_works() -> None:
    pipeline = make_pipeline(StandardScaler(), search(n_trials=2))
    grid = GridSearchCV(pipeline, {"losssearchcv__n_trials": [1, 2]}, cv=2).fit(X, y)
    assert grid.best_score_ > 0.9


def test_names_of_columns_are_kept() -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    found = search().fit(table, pd.Series(y))
    assert found.feature_names_in_.tolist() == list("abcd")
    assert found.predict(table).shape == (150,)


def test_labels_may_be_texts() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    found = search().fit(X, names)
    assert set(found.predict(X)) <= set(names)


def test_clones_have_the_parameters_and_no_results() -> None:
    found = search(storage="postgresql://me:secret@host/name", callbacks=[print])
    copy = clone(found)
    assert copy.get_params().keys() == found.get_params().keys()
    assert copy.storage == "postgresql://me:secret@host/name"
    assert clone(search().fit(X, y)).__dict__.keys() == copy.__dict__.keys()
    copy.set_params(estimator__C=7.0, n_trials=3)
    assert (copy.estimator.C, copy.n_trials, found.n_trials) == (7.0, 3, 4)


def test_a_fitted_search_is_pickled_without_study_and_storage() -> None:
    found = search(storage=optuna.storages.InMemoryStorage()).fit(X, y)
    copy = pickle.loads(pickle.dumps(found))
    assert copy.storage is None
    assert not hasattr(copy, "study_")
    assert np.array_equal(copy.predict(X), found.predict(X))
    assert copy.best_params_ == found.best_params_
    assert hasattr(found, "study_")


def test_an_address_stays_out_of_the_pickle_of_a_fitted_search() -> None:
    found = search().fit(X, y).set_params(storage="postgresql://me:secret@host/name")
    assert b"secret" not in pickle.dumps(found)
    unfitted = pickle.loads(pickle.dumps(clone(found)))
    assert unfitted.storage == "postgresql://me:secret@host/name"


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:secret@host/name", "mysql+pymysql://me:sec:secret@host:3306/name"],
)
def test_no_representation_shows_a_password(address: str) -> None:
    found = search(storage=address)
    nested = Pipeline([("scale", StandardScaler()), ("search", found)])
    shown = [
        text
        for model in (found, nested, GridSearchCV(nested, {}), clone(nested))
        for text in (repr(model), str(model), model._repr_html_())
    ]
    assert all("secret" not in text for text in shown)
    assert all("***" in text for text in shown)
    assert found.get_params()["storage"] == address


def test_the_representation_shows_what_was_set() -> None:
    text = repr(LossSearchCV(LogisticRegression(), n_trials=3, storage="a.journal"))
    assert text == "LossSearchCV(estimator=LogisticRegression(), n_trials=3, storage='a.journal')"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_trials": 0}, "The 'n_trials' parameter"),
        ({"timeout": 0}, "The 'timeout' parameter"),
        ({"sampler": "tpe"}, "The 'sampler' parameter"),
        ({"pruner": "median"}, "The 'pruner' parameter"),
        ({"random_state": -1}, "The 'random_state' parameter"),
        ({"error_score": "ignore"}, "The 'error_score' parameter"),
        ({"sampler": optuna.samplers.GridSampler({"C": [1.0]})}, "uses its own grid"),
        ({"cv": 1}, "The 'cv' parameter"),
    ],
)
def test_illegal_parameters_are_refused_before_anything_is_trained(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        told([0.5], **changes).fit(*FOLDS)


@pytest.mark.slow
def test_optunas_plots_and_importances_work_on_the_study() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    grids = [{"kernel": ["linear"], "C": (0.1, 10.0)}, {"kernel": ["rbf"], "gamma": (0.1, 1.0)}]
    found = search(SVC(), grids, n_trials=12, cv=3).fit(X, y)
    study = found.study_
    plots = optuna.visualization.matplotlib
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes for parameter")  # few trials
        importances = optuna.importance.get_param_importances(study)
    assert set(importances) <= {"grid", "C", "gamma", "0__kernel", "1__kernel"}
    for plot in (
        plots.plot_optimization_history,
        plots.plot_param_importances,
        plots.plot_slice,
        plots.plot_parallel_coordinate,
        plots.plot_edf,
        plots.plot_intermediate_values,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plot(study)
        pyplot.close("all")


@pytest.mark.slow
def test_the_best_trial_of_the_study_is_the_best_candidate() -> None:
    found = search(n_trials=10, cv=3).fit(X, y)
    best = found.study_.best_trial
    assert best.user_attrs["candidate"] == found.best_index_
    assert best.params == found.best_params_
    assert best.value == found.best_score_
    assert len(found.study_.trials) == len(found.cv_results_["params"])
    states = [trial.state.name for trial in found.study_.trials]
    assert states == found.cv_results_["trial_state"].tolist()


def test_objects_as_parameters_reach_the_estimator_as_they_are() -> None:
    class Holder(BaseEstimator):  # type: ignore[misc]
        def __init__(self, thing: Any = None) -> None:
            self.thing = thing

        def fit(self, X: Any, y: Any) -> Holder:
            return self

        def score(self, X: Any, y: Any) -> float:
            return float(getattr(self.thing, "gamma", 0.0))

    things = [(1, 2), FocalLoss(gamma=3), np.mean]
    found = search(Holder(), {"thing": things}, n_trials=None).fit(X, y)
    assert found.best_params_["thing"] is things[1]
    assert found.best_score_ == 3.0


def test_told_scores_what_it_is_told() -> None:
    assert Told(0.25).fit(*FOLDS).score(*FOLDS) == 0.25
