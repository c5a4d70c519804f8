"""The attributes of a fitted search: its table, its best candidate, and the refitted model."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState
from sklearn.base import clone

from ...estimators._loss_ensemble import LossEnsemble
from .._evaluation.fit_and_score import fit, seed_estimator
from .._space.search_space import Space
from .attempts import Row
from .cached_study import as_study
from .combined import combined
from .cv_results import best_per_loss, format_results, has_complete, rows_to_choose_from, untried
from .evaluate import Task
from .goals import goals_of
from .pareto import choose_from_front, describe_front, mark_front
from .score_curves import score_curves
from .store import CandidateStore


def forget(search: Any) -> None:
    """Remove the fitted attributes of an earlier call of ``fit``."""
    for name in [name for name in vars(search) if name.endswith("_")]:
        delattr(search, name)


def finished_rows(store: CandidateStore) -> list[Row]:
    """Return the finished candidates, also those of earlier calls with another space."""
    return [row for row in store.all_rows() if row.is_finished]


def set_known_results(search: Any, store: CandidateStore, error: BaseException) -> None:
    """Set the attributes after an error, and add a note about them to the error."""
    try:
        rows = finished_rows(store)
        set_results(search, rows, store)
        error.add_note(f"The scores of {len(rows)} finished candidates are in cv_results_.")
    except Exception as other:
        error.add_note(f"Not all attributes of the search could be set: {other}")


def set_results(search: Any, rows: Sequence[Row], store: CandidateStore) -> None:
    """Set all attributes except those of the refitted estimator."""
    space = store.space
    members = [row for row in rows if row.is_in_space]
    search.study_ = as_study(members, space, store.study.study_name, goals_of(search))
    if space.has_losses:
        search.untried_losses_ = untried(members, space)
    if not rows:
        return
    search.cv_results_ = format_results(search, rows, space, search.n_splits_)
    if goals := goals_of(search):
        mark_front(search.cv_results_, goals, [row.may_be_chosen for row in rows])
        search.pareto_front_ = describe_front(search.cv_results_, goals)
    first = next((fold["scores"] for row in rows for fold in row.results.folds), None)
    search.multimetric_ = isinstance(first, dict)
    if space.has_losses:
        search.best_per_loss_ = best_per_loss(rows, space)
        search.score_curves_ = score_curves(rows, space, search.estimator)
    if search.multimetric_:
        search._check_refit_for_multimetric(first)
    if has_complete(rows):
        _set_best(search, rows, space)
    elif search.pruner is None and not callable(search.refit):
        _set_best_so_far(search, rows, space)


def _set_best(search: Any, rows: Sequence[Row], space: Space) -> None:
    """Choose the best of the complete candidates whose loss is one of the current ones."""
    if not search.refit and search.multimetric_:
        return
    if goals := goals_of(search):
        metric, best = goals[0], choose_from_front(search.pareto_front_)
    else:
        metric = search.refit if search.multimetric_ else "score"
        complete, table = rows_to_choose_from(rows, search.cv_results_)
        best = int(complete[search._select_best_index(search.refit, metric, table)])
    search.best_index_ = best
    if not callable(search.refit):
        search.best_score_ = search.cv_results_[f"mean_test_{metric}"][best]
    search.best_params_ = search.cv_results_["params"][best]
    if space.has_losses:
        search.best_loss_ = search.cv_results_["loss"][best].item()


def _set_best_so_far(search: Any, rows: Sequence[Row], space: Space) -> None:
    """Choose among candidates that have finished some folds, if a search was ended early."""
    if not search.refit and search.multimetric_:
        return
    goals = goals_of(search)
    metric = goals[0] if goals else search.refit
    ranks: dict[int, tuple[int, float]] = {}
    for k, row in enumerate(rows):
        scores = [fold["scores"] for fold in row.results.folds]
        scores = [each[metric] if isinstance(each, dict) else each for each in scores]
        stopped = row.state == TrialState.PRUNED and not row.results.is_infeasible
        if scores and stopped and row.is_in_space:
            ranks[k] = (len(scores), math.fsum(scores) / len(scores))
    if not ranks:
        return
    best = max(ranks, key=lambda k: (ranks[k], -k))
    search.best_index_ = best
    search.best_score_ = ranks[best][1]
    search.best_params_ = search.cv_results_["params"][best]
    if space.has_losses:
        search.best_loss_ = search.cv_results_["loss"][best].item()


def refit(search: Any, task: Task, fit_params: Mapping[str, Any], store: CandidateStore) -> None:
    """Combine the models of the search, or train the best candidate on all data."""
    begun = time.perf_counter()
    best = None if task.models is None else combined(task, task.models, store)
    if best is None:
        best = _train_best(search, task, fit_params)
    search.refit_time_ = time.perf_counter() - begun
    search.best_estimator_ = best
    if isinstance(best, LossEnsemble):
        search.ensemble_score_ = best.scores_["cross_validated"]
    if hasattr(best, "feature_names_in_"):
        search.feature_names_in_ = best.feature_names_in_


def _train_best(search: Any, task: Task, fit_params: Mapping[str, Any]) -> Any:
    best = clone(task.estimator).set_params(**clone(search.best_params_, safe=False))
    if search.random_state is not None or search.storage is not None:
        best = seed_estimator(best, task.seed % 2**31)
    assert task.tasks is not None
    with task.tasks.refit(best):
        fit(best, task.X, task.y, fit_params)
    return best
