"""Searches that take a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.samplers import RandomSampler
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearnloss import LossSearchCV

X, y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)

#: An endless space, and a finite one.
RANGE = {"C": (0.1, 10.0, "log")}
GRID = {"C": [0.1, 1.0, 10.0], "fit_intercept": [True, False]}


class Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Scores ``value``, or that of the fold; raises it if it is an exception."""

    def __init__(self, value: Any = 0.5) -> None:
        self.value = value

    def fit(self, X: Any, y: Any) -> Told:
        if isinstance(self.value, BaseException):
            raise self.value
        self.classes_ = np.unique(y)
        self.n_features_in_ = np.shape(X)[1]
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:
        if isinstance(self.value, tuple):  # by the fold, which the first value of X tells
            value = self.value[int(X[0][0])]
            if isinstance(value, BaseException):
                raise value
            return float(value)
        return float(self.value)


def told(values: list[Any], **options: Any) -> LossSearchCV:
    """Return a search over what :class:`Told` is told."""
    return search(Told(), {"value": values}, **{"n_trials": None, **options})


def search(
    estimator: Any = None, space: Mapping[str, Any] | Any = None, **options: Any
) -> LossSearchCV:
    """Return a search over logistic regressions, unless told otherwise."""
    options = {"n_trials": 4, "cv": 2, "random_state": 0, **options}
    estimator = LogisticRegression() if estimator is None else estimator
    space = RANGE if space is None else space
    return LossSearchCV(estimator, param_distributions=space, **options)


class InOrder(RandomSampler):
    """Takes choices one after the other."""

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return distribution.choices[trial.number % len(distribution.choices)]


class Metric:
    """Scores one of the numbers that :class:`Told` is told, or that of the fold."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        value = estimator.value[self.index]
        return float(value[int(X[0][0])] if isinstance(value, tuple) else value)


#: Three metrics of candidates that are told three numbers.
METRICS = {name: Metric(index) for index, name in enumerate("abc")}


def goals(values: list[Any], n_metrics: int = 2, **options: Any) -> LossSearchCV:
    """Return a search for the front of what :class:`Told` is told."""
    scoring = dict(list(METRICS.items())[:n_metrics])
    options = {"scoring": scoring, "refit": "pareto", "sampler": InOrder(), **options}
    return told(values, **options)
