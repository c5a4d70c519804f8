"""The cross-validation of one candidate, scored after each epoch."""

from __future__ import annotations

import contextlib
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..._utils.pipeline import last_step
from ...estimators._base import ImageEstimator
from .._ensemble.fold_models import FoldModels
from .._evaluation.fit_and_score import FitData, FoldFit
from .._evaluation.folds import Split
from .._evaluation.outcome import Outcome, Pruned, UndefinedScore, attempt
from .candidate import CandidateState
from .sklearn_callbacks import SearchTasks
from .time_limit import TimeLimit


class RemoteFold(Protocol):
    """A fold that was trained elsewhere: its epochs, its scores after each of them, its result."""

    n_epochs: int
    reports: list[list[Any]]

    def get(self) -> dict[str, Any]:
        """Return the fold, or raise the error of its fit."""


@dataclass
class Task(FitData):
    """Everything needed to score a candidate, the same for all candidates.

    Parameters
    ----------
    estimator, X, y, scorer, fit_params, score_params
        See :class:`~sklearnloss.tuning._evaluation.fit_and_score.FitData`.
    splits : list of (train, test)
        Indices per fold.
    metric : str or None
        The metric to optimize; None if the scorer has only one.
    seed : int
        Seed of the search.
    raises : bool
        Whether errors are raised rather than recorded.
    tasks : SearchTasks or None
        Notified of each candidate and fold, only in the search's own process.
    models : FoldModels or None
        Where the model of each finished fold is kept.
    candidate_timeout : float or None
        Seconds that a candidate may take.
    goals : tuple of str
        The metrics, if several are optimized together; ``metric`` is the first of them.
    remote : callable or None
        Takes parameters, the number of a fold and whether to score each epoch, and trains
        and scores the fold elsewhere. None does so in this process.
    """

    splits: list[Split]
    metric: str | None
    seed: int
    raises: bool = False
    tasks: SearchTasks | None = None
    models: FoldModels | None = None
    candidate_timeout: float | None = None
    goals: tuple[str, ...] = ()
    remote: Callable[[Mapping[str, Any], int, bool], RemoteFold] | None = None
    n_epochs: int = field(init=False)

    def __post_init__(self) -> None:
        part = last_step(self.estimator)[1]
        self.n_epochs = part.max_epochs if isinstance(part, ImageEstimator) else 1

    def fold_seed(self, fold: int) -> int:
        """Return the seed of a fold's fits: the same for all candidates."""
        return int(np.random.SeedSequence([self.seed, fold]).generate_state(1)[0] >> 1)

    def primary(self, scores: Any) -> float:
        """Return the score to optimize."""
        if not isinstance(scores, Mapping):
            return float(scores)
        return float(scores[self.metric] if self.metric in scores else next(iter(scores.values())))

    def check_scores(self, scores: Any) -> None:
        """Raise ``UndefinedScore`` if a score to optimize is nan or infinite."""
        values = {f" for {name!r}": float(scores[name]) for name in self.goals}
        for name, value in (values or {"": self.primary(scores)}).items():
            if not math.isfinite(value):
                raise UndefinedScore(f"{value}{name}")


@dataclass
class Evaluation:
    """The evaluation of one candidate, starting after the folds that it has finished.

    Parameters
    ----------
    task : Task
        Defines how candidates are scored.
    params : dict
        The estimator's parameters for this candidate.
    results : CandidateState
        The results so far, to which new ones are added.
    report : callable
        Takes a step and a score and returns whether to stop.
    save : callable
        Saves ``results`` after each fold.
    watch : bool
        Whether scores are also reported after each epoch.
    keep : callable or None
        Keeps the model of a finished fold; takes its number, the model and its score.
    """

    task: Task
    params: Mapping[str, Any]
    results: CandidateState
    report: Callable[[int, float], bool]
    save: Callable[[], None]
    watch: bool = True
    keep: Callable[[int, Any, Any], None] | None = None

    _fold: int = field(default=0, init=False)
    _is_behind: bool = field(default=False, init=False)  # as an epoch of a remote fold showed
    _limit: TimeLimit = field(init=False)

    def run(self) -> None:
        """Train and score the remaining folds, and set the outcome."""
        tasks = self.task.tasks
        with contextlib.nullcontext() if tasks is None else tasks.candidate():
            attempt(self._run, self._fail)

    def _run(self) -> None:
        folds, n_folds = self.results.folds, len(self.task.splits)
        self._limit = TimeLimit(self.task.candidate_timeout, folds)
        for self._fold in range(len(folds), n_folds):
            folds.append(self._fit_and_score())
            is_last = self._fold + 1 == n_folds
            stop = self._report((self._fold + 1) * self.task.n_epochs, self._mean())
            if is_last:
                break
            self._limit.check()
            if stop or self._is_behind:
                raise Pruned(f"stopped after fold {self._fold + 1}")
            self.save()
        self.results.end(Outcome.COMPLETE, self._mean())

    def _fail(self, outcome: Outcome, error: Exception) -> None:
        """Record how the candidate ended, and why."""
        number = self._fold + 1
        reports = self.results.reports
        stopped = {
            Outcome.PRUNED: str(error),
            Outcome.DIVERGED: f"diverged in fold {number}: {error}",
            Outcome.UNDEFINED: f"the score is {error} in fold {number}",
            Outcome.TIMEOUT: str(error),
        }
        if outcome == Outcome.CRASHED:
            self.results.end(outcome, reason=str(error))
            return
        if outcome in stopped:
            self.results.end(outcome, reports[-1][1] if reports else None, stopped[outcome])
            return
        self.results.end(outcome, reason=f"{type(error).__name__} in fold {number}: {error}")
        self.results.traceback = traceback.format_exc()[-4000:]
        if self.task.raises:
            raise error

    def _mean(self, *more: float) -> float:
        """Return the mean score of the finished folds, and possibly of the current one."""
        scores = [self.task.primary(fold["scores"]) for fold in self.results.folds]
        return (math.fsum(scores) + sum(more)) / (len(scores) + len(more))

    def _report(self, step: int, score: float) -> bool:
        reports = self.results.reports
        if reports and reports[-1][0] >= step:
            return False  # several epochs of this candidate correspond to one of others
        reports.append([step, score])
        return self.report(step, score)

    def fit_fold(self, number: int) -> dict[str, Any]:
        """Train and score one fold, and return it; the outcome is not set."""
        self._fold = number
        self._limit = TimeLimit(self.task.candidate_timeout, self.results.folds)
        return self._fit_and_score()

    def _fit_remotely(self, remote: Callable[..., RemoteFold]) -> dict[str, Any]:
        """Have a fold trained elsewhere, and report its epochs: it is stopped only at its end."""
        fold = remote(self.params, self._fold, self.watch)
        self.results.epochs += fold.n_epochs
        for step, value in fold.reports:
            self._is_behind |= self._report(step, self._mean(value))
        return fold.get()

    def _fit_and_score(self) -> dict[str, Any]:
        """Train and score one fold."""
        task = self.task
        if task.remote is not None:
            return self._fit_remotely(task.remote)
        train, test = task.splits[self._fold]
        fold = FoldFit(task, self.params, train, test, seed=task.fold_seed(self._fold))
        context = None if task.tasks is None else task.tasks.fold(fold.model, train)
        try:
            fold.fit(self._end_epoch, context)
        finally:
            self.results.epochs += fold.n_epochs
        scores = fold.score()
        task.check_scores(scores)
        if self.keep is not None:
            self.keep(self._fold, fold.model, scores)
        return {
            "scores": scores,
            "fit_time": fold.fit_time,
            "score_time": fold.score_time,
            "epochs": fold.n_epochs,
        }

    def _end_epoch(self, fold: FoldFit) -> None:
        """Report the score after an epoch, and end a candidate that takes too long."""
        if self.watch:
            self._score_epoch(fold)
        self._limit.check()

    def _score_epoch(self, fold: FoldFit) -> None:
        """Report the mean score after an epoch."""
        task = self.task
        value = task.primary(fold.score_epoch())
        # A metric may be undefined early on, such as precision if nothing is predicted yet. A loss
        # that diverges ends training by itself.
        if not math.isfinite(value):
            return
        # Candidates may train for different numbers of epochs, so a step is a fraction of a fold.
        max_epochs = last_step(fold.model)[1].max_epochs
        share = fold.n_epochs * task.n_epochs // max_epochs
        if share and self._report(self._fold * task.n_epochs + share, self._mean(value)):
            raise Pruned(f"stopped in fold {self._fold + 1} after epoch {fold.n_epochs}")
