"""What the displays share."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette, which colour-blind readers can tell apart, without black.
# https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")


def import_pyplot(name: str) -> Any:
    """Return matplotlib.pyplot.

    Parameters
    ----------
    name : str
        What needs it.

    Raises
    ------
    ImportError
        If it is not installed; says how to.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'sklearnloss[plot]'") from error
    return plt


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
