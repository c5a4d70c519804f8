"""The estimator behind pipelines and searches."""

from __future__ import annotations

from typing import Any


def reach_final(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the last step of a pipeline, the best estimator of a search, and its input.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like or None
        Input of all. None is not transformed.
    """
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            if X is not None and len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        else:
            return estimator, X
