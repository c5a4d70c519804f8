"""Setup of a search: its task, and its study in the storage."""

from __future__ import annotations

import numbers
import os
import sys
import zlib
from collections.abc import Mapping
from typing import Any

from optuna.storages import BaseStorage
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state

from .._ensemble.requirements import wants_ensemble
from .._evaluation.folds import make_folds
from .._evaluation.identity import listed
from .._evaluation.pipeline import has_loss
from .._space.search_space import Space
from .._workers.address import hide_password
from .evaluate import Task
from .goals import read_goals
from .longer_search import begin_with_shorter
from .sampler import check_several_goals
from .stored_search import DEFAULT_NAME, SearchIdentity, join_study, open_study, use_older_seed


def make_task(
    search: Any, X: Any, y: Any, scorers: Any, space: Space, routed: Any
) -> tuple[Task, SearchIdentity]:
    """Return the task of scoring candidates, and the identity of the search.

    Parameters
    ----------
    search : LossSearchCV
        Its estimator, folds, metrics and seed.
    X, y : array-like
        The data.
    scorers : callable
        One of scikit-learn's scorers.
    space : Space
        The search space.
    routed : Bunch
        The arguments of ``fit``, by their recipient.

    Returns
    -------
    task : Task
    identity : SearchIdentity
        Empty without a storage.
    """
    goals = read_goals(search, scorers)
    check_several_goals(search.sampler, space, goals)
    split_params, fit_params = routed.splitter.split, routed.estimator.fit
    identity, is_stored = SearchIdentity(), search.storage is not None
    if is_stored:
        groups, masks = split_params.get("groups"), not is_classifier(search)
        unit = "images" if has_loss(search.estimator) else "samples"
        identity.add_data(X, y, groups, fit_params, masks=masks, unit=unit)
    seed = _seed(search, identity.digests)
    metrics = getattr(scorers, "_scorers", None)
    is_name = isinstance(search.refit, str) and not goals and not wants_ensemble(search.refit)
    metric = search.refit if is_name else next(iter(metrics or [None]))
    if is_stored:
        identity.add_estimator(search.estimator)
        identity.add_space(space)
        identity.add_metrics(search.scoring, metric, goals)
    task = Task(
        estimator=clone(search.estimator),
        X=X,
        y=y,
        scorer=scorers,
        fit_params=fit_params,
        score_params=routed.scorer.score,
        splits=[],
        metric=metric,
        seed=seed,
        raises=search.error_score == "raise",
        candidate_timeout=search.candidate_timeout,
        goals=goals,
    )

    def set_seed(seed: int) -> None:
        task.seed = seed
        task.splits = make_folds(search.cv, search.estimator, X, y, split_params, seed)
        if is_stored:
            identity.add("folds", task.splits, len(task.splits))
            identity.add_seed(search.random_state, seed)

    set_seed(seed)
    if search.random_state is None:
        identity.set_seed = set_seed
    return task, identity


def _seed(search: Any, digests: Mapping[str, str]) -> int:
    """Return the search's seed; if none is given, one derived from what is stored."""
    if search.random_state is None and search.storage is not None:
        # Of the data only: estimators with other epochs, and other spaces, have the same folds.
        return zlib.crc32(repr((search.study_name, sorted(digests.items()))).encode())
    if isinstance(search.random_state, numbers.Integral):
        return int(search.random_state)
    return int(check_random_state(search.random_state).randint(2**31 - 1))


def open_search(
    search: Any, storage: BaseStorage, identity: SearchIdentity, space: Space
) -> tuple[str, Space]:
    """Open the study of a search, or create it.

    Parameters
    ----------
    search : LossSearchCV
        Its ``study_name``, ``storage`` and ``verbose``.
    storage : optuna.storages.BaseStorage
        The opened storage.
    identity : SearchIdentity
        The identity of the search.
    space : Space
        The search space.

    Returns
    -------
    study_name : str
    space : Space
        The search space in the order of the study.

    Raises
    ------
    ValueError
        If the study is for another search.
    """
    study = open_study(storage, search.study_name, identity)
    shown = search.storage
    shown = os.fspath(shown) if isinstance(shown, os.PathLike) else shown
    where = f"The study {study.study_name!r} in storage={hide_password(repr(shown))}"
    use_older_seed(study, search.study_name, identity)
    space, changes = join_study(study, identity, where, space)
    shorter = storage if search.study_name is None else None
    space, n_epochs = begin_with_shorter(study, space, shorter)
    if search.verbose:
        _tell(search, study.study_name, changes, n_epochs)
    return study.study_name, space


def _tell(search: Any, study_name: str, changes: list[str], n_epochs: int) -> None:
    """Say how a search continues what is in its storage."""
    if n_epochs:
        print(
            f"The search begins with the best candidates of the one with {n_epochs} epochs. It is "
            f"the study {study_name!r}.",
            file=sys.stderr,
        )
    elif study_name != (search.study_name or DEFAULT_NAME):
        print(
            f"The storage holds a search of other data. This search is the study {study_name!r}.",
            file=sys.stderr,
        )
    if changes:
        print(f"The search continues with {listed(changes)}.", file=sys.stderr)
