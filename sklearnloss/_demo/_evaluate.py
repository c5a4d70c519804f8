"""Cross-validation of losses on identical folds, several fits side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from sklearn.base import clone
from tqdm.auto import tqdm

from ._tasks import Task

Array = NDArray[Any]


@dataclass
class Evaluation:
    """Scores of every loss on every fold.

    Attributes
    ----------
    scores : dict of str to ndarray of shape (n_folds,)
        The score on held-out data.
    parts : dict of str to ndarray of shape (n_folds, n_parts)
        The scores of single classes.
    seconds : dict of str to float
        Mean seconds per fit.
    predictions : dict of str to ndarray of y's shape
        What was predicted for each sample by the fit that had not seen it.
    """

    scores: dict[str, Array]
    parts: dict[str, Array]
    seconds: dict[str, float]
    predictions: dict[str, Array]


def evaluate(task: Task, n_jobs: int) -> Evaluation:
    """Fit every loss on every fold, with one torch thread per fit."""
    work = [(name, fold) for name in task.losses for fold in range(len(task.splits))]
    found: dict[tuple[str, int], tuple[Array, float]] = {}
    # Small fits side by side on one thread each are faster than one fit on all.
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        results = Parallel(return_as="generator_unordered")(
            delayed(_fit_and_predict)(task, name, fold) for name, fold in work
        )
        for name, fold, prediction, seconds in tqdm(
            results, total=len(work), unit="fit", desc=task.title.partition(":")[0]
        ):
            found[name, fold] = prediction, seconds
    return _collect(task, found)


def _fit_and_predict(task: Task, name: str, fold: int) -> tuple[str, int, Array, float]:
    torch.set_num_threads(1)
    train, test = task.splits[fold]
    start = time.perf_counter()
    model = clone(task.estimator).set_params(**task.losses[name])
    prediction = model.fit(task.X[train], task.y[train]).predict(task.X[test])
    return name, fold, prediction, time.perf_counter() - start


def _collect(task: Task, found: dict[tuple[str, int], tuple[Array, float]]) -> Evaluation:
    result = Evaluation({}, {}, {}, {})
    for name in task.losses:
        whole = np.zeros_like(task.y)
        scored = []
        for fold, (_, test) in enumerate(task.splits):
            whole[test] = found[name, fold][0]
            scored.append(task.score(task.y[test], whole[test]))
        result.scores[name] = np.array([score for score, _ in scored])
        result.parts[name] = np.array([parts for _, parts in scored])
        result.seconds[name] = float(np.mean([found[name, k][1] for k in range(len(task.splits))]))
        result.predictions[name] = whole
    return result
