"""The final estimator of a pipeline or search."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline


def last_step(estimator: Any) -> tuple[str, Any]:
    """Return the prefix and the estimator of a pipeline's last step, or an estimator itself.

    Parameters
    ----------
    estimator : estimator
        Any estimator; pipelines may be nested.

    Returns
    -------
    prefix : str
        The prefix of the last step's parameters, such as "unetsegmenter__", or "".
    estimator : estimator
        The last step.
    """
    prefix = ""
    while isinstance(estimator, Pipeline) and estimator.steps:
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def reach_final(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the last step of a pipeline, or the best estimator of a search, and its input.

    Parameters
    ----------
    estimator : estimator
        Fitted, except perhaps for the last step.
    X : array-like or None
        Input of the whole pipeline. None is not transformed.
    """
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            # Not estimator[:-1].transform, which refuses an unfitted stateless last transformer.
            for _, step in estimator.steps[:-1] if X is not None else ():
                if hasattr(step, "transform"):  # not None or "passthrough"
                    X = step.transform(X)
            estimator = estimator.steps[-1][1]
        else:
            return estimator, X
