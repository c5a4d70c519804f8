"""Comparisons of made-up scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import RepeatedKFold

from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.fits import FitTable

Array = np.ndarray[Any, Any]


def made_up(
    scores: Mapping[str, Any],
    *,
    n_images: int = 50,
    images: bool = False,
    diverged: Mapping[str, list[int]] | None = None,
    error_score: float = math.nan,
    rope: float = 0.01,
    repeatable: bool = True,
    baseline: float = math.nan,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
    default_cv: bool = False,
    seconds: float = 2.0,
    **others: Mapping[str, Any],
) -> LossComparison:
    """Return a comparison on repeats of five folds.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_splits,) or (n_splits, n_seeds)
        By loss.
    n_images : int
        Of all data.
    images : bool
        Whether each image has the score of its fit, and a little more by its number.
    diverged : dict of str to list of int
        Numbers of the splits on which a loss diverged.
    error_score, rope, repeatable
        Of the comparison.
    baseline : float
        The score of a constant answer in each split.
    kept : dict of str to dict
        What every fit of a loss keeps for reports.
    default_cv : bool
        Of the comparison.
    seconds : float
        Duration of each fit.
    **others : dict of str to array-like
        Scores of further scorers.
    """
    tables = {name: _table(each) for name, each in {"score": scores, **others}.items()}
    status: Array = np.full(tables["score"].shape, "ok", dtype="U9")
    labels = list(scores)
    for label, where in (diverged or {}).items():
        status[labels.index(label), where] = "diverged"
        for table in tables.values():
            table[labels.index(label), where] = np.nan
    n_splits = status.shape[1]
    folds = RepeatedKFold(n_splits=5, n_repeats=-(-n_splits // 5), random_state=0)
    splits: list[tuple[Array, Array]] = list(folds.split(np.zeros(n_images)))[:n_splits]
    tests = [test for _, test in splits]
    fits = FitTable(
        labels=labels,
        scores=tables,
        status=status,
        reasons=np.where(status == "ok", "", "the <loss> became nan").astype(object),
        seconds=np.full(status.shape, seconds),
        baseline={"score": np.full(n_splits, baseline)},
        images=_images(tables["score"], tests, images),
        tests=tests,
        n_train=np.array([len(train) for train, _ in splits]),
        n_images=n_images,
        repeatable=repeatable,
        kept=None
        if kept is None
        else [[[kept.get(label)] * status.shape[2]] * n_splits for label in labels],
    )
    return LossComparison(
        fits,
        settings={label: {"loss": label} for label in labels},
        rope=rope,
        error_score=error_score,
        about={
            "metric": "mean IoU",
            "image metric": "the mean IoU",
            "estimator": "UNetSegmenter()",
        },
        default_cv=default_cv,
    )


def _table(scores: Mapping[str, Any]) -> Array:
    rows = [np.asarray(each, dtype=float) for each in scores.values()]
    return np.array([row[:, None] if row.ndim == 1 else row for row in rows])


def _images(scores: Array, tests: list[Array], wanted: bool) -> list[Any]:
    def of_fit(score: float, test: Array) -> list[float] | None:
        return (score + test / 1000).tolist() if wanted and not np.isnan(score) else None

    return [
        [[of_fit(score, test) for score in row] for row, test in zip(rows, tests, strict=True)]
        for rows in scores
    ]
