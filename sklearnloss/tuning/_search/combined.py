"""The models of a search's folds, and their ensemble, with ``refit="ensemble"``."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from optuna.trial import TrialState

from ...estimators._loss_ensemble import LossEnsemble
from .._ensemble.combine import Candidate, Combination
from .._ensemble.fold_models import FoldModels, check_models_storage, fold_models
from .._ensemble.requirements import check_ensemble, wants_ensemble
from .._space.search_space import Space
from .attempts import Row
from .evaluate import Task
from .store import CandidateStore


def check_combined(search: Any, scorer: Any, space: Space) -> None:
    """Raise an error if a search is to end with an ensemble that is not possible.

    Parameters
    ----------
    search : LossSearchCV
        Its ``refit``, ``estimator`` and ``storage``.
    scorer : callable
        One of scikit-learn's scorers.
    space : Space
        The search space.
    """
    if wants_ensemble(search.refit):
        check_ensemble(search.estimator, scorer, space)
        check_models_storage(search.storage)


@contextlib.contextmanager
def kept_models(search: Any, task: Task, study_name: str) -> Iterator[None]:
    """Let a task keep the models of its folds within a context, if they are needed.

    Parameters
    ----------
    search : LossSearchCV
        Its ``refit``, ``storage`` and ``n_trials``.
    task : Task
        Its ``models`` are set.
    study_name : str
        The name of the study.
    """
    if not wants_ensemble(search.refit):
        yield
        return
    n_expected = (search.n_trials or 1) * len(task.splits)
    with fold_models(search.storage, study_name, n_expected) as models:
        task.models = models
        yield


def combined(task: Task, models: FoldModels, store: CandidateStore) -> LossEnsemble | None:
    """Return the ensemble of a search, None if no candidate has all of its models.

    Parameters
    ----------
    task : Task
        That of the search.
    models : FoldModels
        The models of its folds.
    store : CandidateStore
        The candidates, as of the last read.
    """
    complete = [row for row in store.known_rows if row.state == TrialState.COMPLETE]
    candidates = [_candidate(row, task, store.space) for row in complete]
    ensemble = Combination(task, task.splits, models, candidates).run()
    if ensemble is None:
        warnings.warn(
            "There are no models for an ensemble, so the best candidate is trained on all data "
            "instead. A search keeps its models only if it has refit='ensemble' from the start.",
            UserWarning,
            stacklevel=2,
        )
    return ensemble


def _candidate(row: Row, task: Task, space: Space) -> Candidate:
    return Candidate(
        row.candidate,
        space.label(row.values),
        row.values,
        space.params(row.values),
        [task.primary(fold["scores"]) for fold in row.results.folds],
    )
