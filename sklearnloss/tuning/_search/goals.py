"""The metrics of a search, and searches with several goals: ``refit="pareto"``."""

from __future__ import annotations

import copy
from typing import Any

from ...metrics._named import named_scorers
from .._evaluation.sklearn_private import BaseSearchCV

PARETO = "pareto"


def has_several_goals(search: Any) -> bool:
    """Return whether a search looks for the Pareto front of its metrics."""
    return isinstance(search.refit, str) and search.refit == PARETO


def goals_of(search: Any) -> tuple[str, ...]:
    """Return the metrics that a search with scorers optimizes together; () if only one."""
    return tuple(search.scorer_) if has_several_goals(search) else ()


def read_goals(search: Any, scorers: Any) -> tuple[str, ...]:
    """Return the metrics to optimize together; () if there is only one goal.

    Parameters
    ----------
    search : LossSearchCV
        Its ``refit`` and ``scoring``.
    scorers : callable
        One of scikit-learn's scorers.

    Raises
    ------
    ValueError
        If there are fewer than two metrics, or none is the first, or one is called "pareto".
    """
    if not has_several_goals(search):
        return ()
    metrics = tuple(getattr(scorers, "_scorers", ()))
    if PARETO in metrics:
        raise ValueError(
            "refit='pareto' asks for the Pareto front of all metrics, but scoring has a metric "
            "that is called 'pareto'. Give the metric another name."
        )
    if isinstance(search.scoring, set | frozenset):
        raise ValueError(
            f"scoring={search.scoring!r} is a set, which has no first metric. Pass a list or a "
            f"dict of metrics with refit='pareto'."
        )
    if len(metrics) < 2:
        given = "a function" if callable(search.scoring) else f"{len(metrics) or 1} metric"
        raise ValueError(
            f"refit='pareto' needs at least two metrics that are known before training, but "
            f"scoring is {given}. Pass a list or a dict of metrics, such as scoring=['dice', "
            f"'hausdorff'], or refit=True to optimize a single metric."
        )
    return metrics


class GoalsSearchCV(BaseSearchCV):  # type: ignore[misc]
    """scikit-learn's search, extended by named metrics and ``refit="pareto"``."""

    scoring: Any

    def _get_scorers(self) -> tuple[Any, Any]:
        given = self.scoring
        self.scoring = named_scorers(given, self.estimator)
        try:
            scorers: tuple[Any, Any] = super()._get_scorers()
        finally:
            self.scoring = given
        return scorers

    def _check_refit_for_multimetric(self, scores: Any) -> None:
        if not has_several_goals(self):
            super()._check_refit_for_multimetric(scores)

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Return the score of the best estimator by the metric that was optimized.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            The data.
        y : array-like, default=None
            The true values.
        **params : dict
            Arguments of the scorer.

        Returns
        -------
        score : float
            With ``refit="pareto"``, by the first metric.
        """
        search = self
        if has_several_goals(self) and isinstance(getattr(self, "scorer_", None), dict):
            search = copy.copy(self)
            search.refit = next(iter(self.scorer_))
        score: float = super(GoalsSearchCV, search).score(X, y, **params)
        return score
