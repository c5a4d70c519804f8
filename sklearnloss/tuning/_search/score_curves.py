"""The score after each epoch, computed from what a candidate has reported to the pruner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._utils.pipeline import last_step
from .._space.search_space import Space
from .attempts import Row
from .cv_results import best_rows

Curve = list[tuple[int, float]]


def score_curves(rows: Sequence[Row], space: Space, estimator: Any) -> dict[str, Curve]:
    """Return the curve of the best settings of each loss, without those that have none.

    Parameters
    ----------
    rows : list of Row
        All candidates.
    space : Space
        The space that their values come from.
    estimator : estimator
        Its ``max_epochs`` is the number of steps of a fold.
    """
    n_epochs = getattr(last_step(estimator)[1], "max_epochs", 1)
    found = {
        label: score_curve(row.results.reports, n_epochs)
        for label, row in best_rows(rows, space).items()
    }
    return {label: curve for label, curve in found.items() if curve}


def score_curve(reports: Sequence[Sequence[float]], n_epochs: int) -> Curve:
    """Return (epoch, mean score over the folds) from reports of [step, score].

    In fold k, counted from 0, step ``k * n_epochs + e`` reports the mean of the scores of the
    k finished folds and of the current one after epoch e.

    Only epochs that were scored in all finished folds; a search may also have resumed a
    candidate whose earlier epochs are lost.

    Examples
    --------
    >>> from sklearnloss.tuning._search.score_curves import score_curve
    >>> score_curve([[1, 0.2], [2, 0.6], [3, 0.5], [4, 0.7]], n_epochs=2)
    [(1, 0.3), (2, 0.7)]
    """
    folds: dict[int, dict[int, float]] = {}
    before = 0.0  # the mean of the finished folds
    for step, value in reports:
        fold, epoch = divmod(int(step) - 1, n_epochs)
        folds.setdefault(fold, {})[epoch + 1] = value * (fold + 1) - before * fold
        if epoch + 1 == n_epochs:
            before = float(value)
    finished = [scores for scores in folds.values() if n_epochs in scores]
    if not finished or n_epochs < 2:
        return []
    epochs = sorted(set.intersection(*map(set, finished)))
    if len(epochs) < 2:
        return []
    return [
        (epoch, round(float(np.mean([scores[epoch] for scores in finished])), 10))
        for epoch in epochs
    ]
