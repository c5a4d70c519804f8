"""A single fit of cross-validation: on the training part of a split, scored on its test part."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from torch import Tensor
from torch.utils.data import Dataset

from ..._utils.pipeline import last_step, reach_final
from ..._utils.rows import take_rows
from ...estimators._base import ImageEstimator
from ...estimators._data.rows import Rows
from .interrupts import raise_if_interrupted
from .sklearn_private import method_params, only_predicts, safe_split, score

Array = np.ndarray


@dataclass
class FitData:
    """Estimator, data and scorer, which are the same for all fits of a search or comparison.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fit.
    X, y : array-like
        The data.
    scorer : callable
        One of scikit-learn's scorers, for one or several metrics.
    fit_params, score_params : dict
        Arguments of ``fit`` and of the scorer.
    """

    estimator: Any
    X: Any
    y: Any
    scorer: Any
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]


class FoldFit:
    """A fit on the training part of a split, scored on its test part.

    Parameters
    ----------
    data : FitData
        Estimator, data and scorer.
    params : dict
        The estimator's parameters.
    train, test : ndarray of int
        Positions of samples.
    seed : int
        Seed of the estimator, if it has none of its own.
    reseed : bool, default=False
        Whether to replace the seeds that the estimator has.

    Attributes
    ----------
    model : estimator
        With the parameters and the seed.
    X, y : array-like
        The test part.
    n_epochs : int
        Number of trained epochs; 1 for an estimator without epochs.
    fit_time, score_time : float
        Seconds.
    """

    def __init__(
        self,
        data: FitData,
        params: Mapping[str, Any],
        train: Array,
        test: Array,
        *,
        seed: int,
        reseed: bool = False,
    ) -> None:
        self.data = data
        self.train = train
        model = clone(data.estimator)
        model.set_params(**clone(dict(params), safe=False))
        self.model = seed_estimator(model, seed, replace=reseed)
        self.X, self.y = take(data, model, test, train)
        self.score_params = method_params(data.X, data.score_params, test)
        self.n_epochs = 0
        self.fit_time = self.score_time = 0.0
        self._watch_time = 0.0
        self._transformed: Any = None

    def fit(
        self,
        on_epoch: Callable[[FoldFit], object] | None = None,
        context: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        """Fit the model.

        Parameters
        ----------
        on_epoch : callable, default=None
            Called with this object after each epoch but the last.
        context : context manager, default=None
            Entered for the call of the model's ``fit``.
        """
        X, y = take(self.data, self.model, self.train)
        params = method_params(self.data.X, self.data.fit_params, self.train)
        part = last_step(self.model)[1]
        if has_epochs := isinstance(part, ImageEstimator):
            part._epoch_hook = functools.partial(self._end_epoch, on_epoch)
        else:
            self.n_epochs = 1
        begun = time.perf_counter()
        try:
            with context or contextlib.nullcontext():
                fit(self.model, X, y, params)
        finally:
            if has_epochs:
                part._epoch_hook = None  # or a reference cycle would keep the network in memory
            raise_if_interrupted()  # an interrupted fit is not a result
        self.fit_time = time.perf_counter() - begun - self._watch_time

    def _end_epoch(
        self, on_epoch: Callable[[FoldFit], object] | None, part: Any, epoch: int
    ) -> None:
        self.n_epochs = epoch
        if on_epoch is not None and epoch < part.max_epochs:
            begun = time.perf_counter()
            on_epoch(self)
            self._watch_time += time.perf_counter() - begun

    def score_epoch(self) -> Any:
        """Return the scores of the model while it is fitted, after an epoch."""
        part = last_step(self.model)[1]
        # A user's scorer may inspect a pipeline. For others, the first steps, which are already
        # fitted, transform the test part only once.
        if part is self.model or not only_predicts(self.data.scorer):
            return self._score(self.model, self.X)
        if self._transformed is None:
            self._transformed = reach_final(self.model, self.X)[1]
        return self._score(part, self._transformed)

    def score(self) -> Any:
        """Return the scores of the fitted model: a number, or a dict of numbers by metric."""
        begun = time.perf_counter()
        scores = self._score(self.model, self.X)
        self.score_time = time.perf_counter() - begun
        return scores

    def _score(self, model: Any, X: Any) -> Any:
        return score(model, X, self.y, self.data.scorer, self.score_params, "raise")


def fit(estimator: Any, X: Any, y: Any, params: Mapping[str, Any]) -> None:
    """Fit an estimator, with y if there is one."""
    if y is None:
        estimator.fit(X, **params)
    else:
        estimator.fit(X, y, **params)


def seed_estimator(estimator: Any, seed: int | None, *, replace: bool = False) -> Any:
    """Set every ``random_state`` that is None, or all if they are to be replaced."""
    seeds = {
        key: seed
        for key, value in estimator.get_params().items()
        if key.rpartition("__")[2] == "random_state" and (replace or value is None)
    }
    return estimator.set_params(**seeds)


def take(data: FitData, estimator: Any, rows: Array, train: Array | None = None) -> tuple[Any, Any]:
    """Return some samples; they are for testing if ``train`` is given.

    Arrays for our own estimators are not copied, unless a user's scorer might use them
    for something other than prediction.
    """
    X, y = data.X, take_rows(data.y, rows)
    if isinstance(X, Dataset | Tensor):
        return take_rows(X, rows), y
    ours = isinstance(estimator, ImageEstimator) and isinstance(X, np.ndarray) and X.ndim > 1
    if ours and (train is None or only_predicts(data.scorer)):
        return Rows(X, rows), y
    return safe_split(estimator, X, None, rows, train)[0], y
