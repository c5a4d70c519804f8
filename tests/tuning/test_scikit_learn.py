"""That a search is a citizen of scikit-learn's: its own checks, and its metadata."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnloss import LossSearchCV

from .searches import X, search, y

CHECKED: dict[str, Any] = {"n_trials": 2, "cv": 2, "error_score": "raise", "random_state": 0}


def expected_failures(estimator: Any) -> dict[str, str]:
    """Return the check that ``GridSearchCV`` fails in scikit-learn's own suite, too."""
    return {"check_supervised_y_2d": "no warning"} if is_regressor(estimator) else {}


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        LossSearchCV(Ridge(), param_distributions={"alpha": [0.1, 1.0]}, **CHECKED),
        LossSearchCV(
            LogisticRegression(), param_distributions={"C": (0.1, 10.0, "log")}, **CHECKED
        ),
        LossSearchCV(
            Pipeline([("pca", PCA()), ("ridge", Ridge())]),
            param_distributions={"ridge__alpha": [0.1, 1.0]},
            **CHECKED,
        ),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        # As in scikit-learn's suite, where only some warnings are errors.
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


GROUPS = np.arange(150) % 6
WEIGHTS = np.random.default_rng(0).uniform(0.1, 3.0, 150)


@pytest.mark.usefixtures("routing")
def test_routed_metadata_reach_estimator_scorer_and_folds() -> None:
    model = LogisticRegression().set_fit_request(sample_weight=True)
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
    options = {"cv": GroupKFold(3), "scoring": scorer}
    found = search(model, {"C": [0.01, 1.0]}, n_trials=None, **options)
    found.fit(X, y, sample_weight=WEIGHTS, groups=GROUPS)
    grid = GridSearchCV(model, {"C": [0.01, 1.0]}, **options)
    grid.fit(X, y, sample_weight=WEIGHTS, groups=GROUPS)
    assert found.best_score_ == grid.best_score_
    assert np.array_equal(found.best_estimator_.coef_, grid.best_estimator_.coef_)
    weighted = found.score(X, y, sample_weight=WEIGHTS)
    assert weighted == grid.score(X, y, sample_weight=WEIGHTS) != found.score(X, y)


@pytest.mark.usefixtures("routing")
def test_the_default_folds_take_routed_groups() -> None:
    seen: list[int] = []

    def leaks(model: Any, X: Any, y: Any) -> float:
        seen.append(len(X))
        return 1.0

    found = search(cv=None, scoring=leaks, n_trials=1).fit(X, y, groups=GROUPS)
    assert found.n_splits_ == 5
    assert sorted(seen) == [25, 25, 25, 25, 50]  # six groups of 25


@pytest.mark.slow
@pytest.mark.usefixtures("routing")
def test_groups_go_through_cross_validation_to_the_inner_folds() -> None:
    scores = cross_validate(
        search(cv=None, n_trials=1),
        X,
        y,
        cv=GroupKFold(3),
        params={"groups": GROUPS},
        return_estimator=True,
    )
    # Four of six groups are left, so that there are no five folds.
    assert [inner.n_splits_ for inner in scores["estimator"]] == [4, 4, 4]


@pytest.mark.usefixtures("routing")
def test_metadata_that_nobody_asked_for_are_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight.*not explicitly set as requested or not"):
        search().fit(X, y, sample_weight=WEIGHTS)


def test_without_routing_fit_parameters_go_to_the_estimator() -> None:
    with pytest.raises(ValueError, match="5 x TypeError in fold 1: .* keyword argument 'color'"):
        search().fit(X, y, color=WEIGHTS)
