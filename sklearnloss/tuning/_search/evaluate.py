"""The cross-validation of one candidate, scored after each epoch."""

from __future__ import annotations

import contextlib
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch.utils.data import Dataset

from ..._utils.pipeline import last_step, reach_final
from ..._utils.rows import take_rows
from ...estimators._base import ImageEstimator
from ...estimators._data.rows import Rows
from .._evaluation.interrupts import raise_if_interrupted
from .._evaluation.sklearn_private import (
    method_params,
    only_predicts,
    safe_split,
    score,
)
from .candidate import CandidateState, Outcome
from .sklearn_callbacks import SearchTasks

Array = np.ndarray
Split = tuple[Array, Array]


class Pruned(Exception):
    """A candidate is not worth going on with."""


class NonFiniteScore(Exception):
    """A score is nan or infinite, which need not be the fault of training."""


@dataclass
class Task:
    """All that it takes to score a candidate, the same for all of them.

    Parameters
    ----------
    estimator : estimator
        What is tuned.
    X, y : array-like
        The data.
    splits : list of (train, test)
        Indices per fold.
    scorer : callable
        One of scikit-learn's scorers, for one or several metrics.
    metric : str or None
        The metric to search by; None where the scorer has one only.
    fit_params, score_params : dict
        Arguments of ``fit`` and of the scorer.
    seed : int
        Of the search.
    raises : bool
        Whether errors are raised, not kept.
    tasks : SearchTasks or None
        Is told of each candidate and fold, in the search's own process.
    """

    estimator: Any
    X: Any
    y: Any
    splits: list[Split]
    scorer: Any
    metric: str | None
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]
    seed: int
    raises: bool = False
    tasks: SearchTasks | None = None
    n_epochs: int = field(init=False)

    def __post_init__(self) -> None:
        part = last_step(self.estimator)[1]
        self.n_epochs = part.max_epochs if isinstance(part, ImageEstimator) else 1

    def fold_seed(self, fold: int) -> int:
        """Return the seed of a fold's fits: the same for all candidates."""
        return int(np.random.SeedSequence([self.seed, fold]).generate_state(1)[0] >> 1)

    def primary(self, scores: Any) -> float:
        """Return the score to search by."""
        if not isinstance(scores, Mapping):
            return float(scores)
        return float(scores[self.metric] if self.metric in scores else next(iter(scores.values())))


@dataclass
class Evaluation:
    """Scores one candidate, from where it stands.

    Parameters
    ----------
    task : Task
        How.
    params : dict
        The estimator's parameters of this candidate.
    results : CandidateState
        What it has reached; added to.
    report : callable
        Takes a step and a score and returns whether to stop.
    save : callable
        Keeps ``results`` after each fold.
    watch : bool
        Whether scores are reported epoch by epoch, too.
    """

    task: Task
    params: Mapping[str, Any]
    results: CandidateState
    report: Callable[[int, float], bool]
    save: Callable[[], None]
    watch: bool = True

    def run(self) -> None:
        """Train and score the folds that are left, and set the outcome."""
        tasks = self.task.tasks
        with contextlib.nullcontext() if tasks is None else tasks.candidate():
            self._run()
        if self.results.outcome == Outcome.OUT_OF_MEMORY:
            torch.cuda.empty_cache()  # the error, which held on to the network, is gone by now

    def _run(self) -> None:
        folds = self.results.folds
        fold = len(folds)
        try:
            for fold in range(len(folds), len(self.task.splits)):
                folds.append(self._fold(fold))
                last = fold + 1 == len(self.task.splits)
                stop = self._report((fold + 1) * self.task.n_epochs, self._mean()) and not last
                if stop:
                    raise Pruned(f"stopped after fold {fold + 1}")
                if not last:
                    self.save()
        except Pruned as error:
            self._stop(Outcome.PRUNED, str(error))
        except FloatingPointError as error:
            self._stop(Outcome.DIVERGED, f"diverged in fold {fold + 1}: {error}")
        except NonFiniteScore as error:
            self._stop(Outcome.UNDEFINED, f"the score is {error} in fold {fold + 1}")
        except Exception as error:
            reason = f"{type(error).__name__} in fold {fold + 1}: {error}"
            self.results.end(Outcome.of_error(error), reason=reason)
            self.results.traceback = traceback.format_exc()[-4000:]
            if self.task.raises:
                raise
        else:
            self.results.end(Outcome.COMPLETE, self._mean())

    def _mean(self) -> float:
        return math.fsum(self._done()) / len(self.results.folds)

    def _done(self) -> list[float]:
        return [self.task.primary(fold["scores"]) for fold in self.results.folds]

    def _stop(self, outcome: Outcome, reason: str) -> None:
        reports = self.results.reports
        self.results.end(outcome, reports[-1][1] if reports else None, reason)

    def _report(self, step: int, score: float) -> bool:
        reports = self.results.reports
        if reports and reports[-1][0] >= step:
            return False  # several epochs of this candidate count as one of others
        reports.append([step, score])
        return self.report(step, score)

    def _fold(self, fold: int) -> dict[str, Any]:
        """Train and score one fold."""
        task = self.task
        train, test = task.splits[fold]
        estimator = self._estimator(fold)
        X_train, y_train = take(task, estimator, train)
        X_test, y_test = take(task, estimator, test, train)
        fit_params = method_params(task.X, task.fit_params, train)
        score_params = method_params(task.X, task.score_params, test)
        part = last_step(estimator)[1]
        watch = None
        if isinstance(part, ImageEstimator):
            watch = _Watch(self, fold, estimator, X_test, y_test, score_params)
            part._epoch_hook = watch
        begun = time.perf_counter()
        tasks = task.tasks
        following = contextlib.nullcontext() if tasks is None else tasks.fold(estimator, train)
        try:
            with following:
                fit(estimator, X_train, y_train, fit_params)
            raise_if_interrupted()
        finally:
            if watch:
                part._epoch_hook = None  # they would keep each other, and the network, in memory
            spent = watch.scoring if watch else 0.0
            n_epochs = watch.n_epochs if watch else 1
            self.results.epochs += n_epochs
        fitted = time.perf_counter()
        scores = score(estimator, X_test, y_test, task.scorer, score_params, "raise")
        self._check_finite(scores)
        return {
            "scores": scores,
            "fit_time": fitted - begun - spent,
            "score_time": time.perf_counter() - fitted,
            "epochs": n_epochs,
        }

    def _check_finite(self, scores: Any) -> None:
        value = self.task.primary(scores)
        if not math.isfinite(value):
            raise NonFiniteScore(value)

    def _estimator(self, fold: int) -> Any:
        """Return the candidate's estimator, seeded like all others of this fold."""
        estimator = clone(self.task.estimator)
        estimator.set_params(**clone(dict(self.params), safe=False))
        return seed_estimator(estimator, self.task.fold_seed(fold))


class _Watch:
    """Reports the score after each epoch but the last, which is scored anyway."""

    def __init__(
        self,
        evaluation: Evaluation,
        fold: int,
        estimator: Any,
        X: Any,
        y: Any,
        score_params: Mapping[str, Any],
    ) -> None:
        self.evaluation = evaluation
        self.fold = fold
        self.estimator = estimator
        self.X, self.y = X, y
        self.score_params = score_params
        self.transformed: Any = None
        self.n_epochs = 0
        self.scoring = 0.0

    def __call__(self, part: Any, epoch: int) -> None:
        self.n_epochs = epoch
        if not self.evaluation.watch or epoch >= part.max_epochs:
            return
        begun = time.perf_counter()
        task = self.evaluation.task
        # A scorer of the user's may look into a pipeline; for others its first steps are
        # done with by now.
        predictor, X = self.estimator, self.X
        if part is not predictor and only_predicts(task.scorer):
            if self.transformed is None:
                self.transformed = reach_final(self.estimator, self.X)[1]
            predictor, X = part, self.transformed
        scores = score(predictor, X, self.y, task.scorer, self.score_params, "raise")
        done = self.evaluation._done()
        value = task.primary(scores)
        self.scoring += time.perf_counter() - begun
        # A metric may be undefined early on, as precision is where nothing is found yet. A loss
        # that diverges ends training by itself.
        if not math.isfinite(value):
            return
        # Candidates may train for different numbers of epochs: a step is a share of a fold.
        step = self.fold * task.n_epochs + epoch * task.n_epochs // part.max_epochs
        mean = (math.fsum(done) + value) / (len(done) + 1)
        if step > self.fold * task.n_epochs and self.evaluation._report(step, mean):
            raise Pruned(f"stopped in fold {self.fold + 1} after epoch {epoch}")


def fit(estimator: Any, X: Any, y: Any, params: Mapping[str, Any]) -> None:
    """Fit an estimator, with y if there is one."""
    if y is None:
        estimator.fit(X, **params)
    else:
        estimator.fit(X, y, **params)


def seed_estimator(estimator: Any, seed: int) -> Any:
    """Set every ``random_state`` that is None."""
    unset = {
        key: seed
        for key, value in estimator.get_params().items()
        if value is None and (key == "random_state" or key.endswith("__random_state"))
    }
    return estimator.set_params(**unset) if unset else estimator


def take(task: Task, estimator: Any, rows: Array, train: Array | None = None) -> tuple[Any, Any]:
    """Return some samples, to test on if ``train`` is given.

    Arrays for our own estimators are not copied, unless a scorer of the user's might
    want more of them than to predict.
    """
    X, y = task.X, task.y
    if isinstance(X, Dataset):
        return take_rows(X, rows), take_rows(y, rows)
    ours = isinstance(estimator, ImageEstimator) and isinstance(X, np.ndarray) and X.ndim > 1
    if ours and (train is None or only_predicts(task.scorer)):
        return Rows(X, rows), None if y is None else safe_split(estimator, y, None, rows)[0]
    part: tuple[Any, Any] = safe_split(estimator, X, y, rows, train)
    return part
