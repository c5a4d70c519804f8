"""The folds of a search: drawn once, the same for every candidate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

Split = tuple[np.ndarray, np.ndarray]


def default_cv(stratified: bool, n: int, groups: Any, seed: int) -> Any:
    """Return a shuffled 5-fold, stratified if asked for, by group where there are groups.

    With fewer groups or samples than five there are as many folds as those.
    """
    if groups is None:
        folds = min(5, n)
        kind = StratifiedKFold if stratified else KFold
        return kind(folds, shuffle=True, random_state=seed)
    folds = min(5, len(np.unique(np.asarray(groups))))
    kind = StratifiedGroupKFold if stratified else GroupKFold
    return kind(folds, shuffle=True, random_state=seed)


def make_folds(
    cv: Any, estimator: Any, X: Any, y: Any, split_params: Mapping[str, Any], seed: int
) -> list[Split]:
    """Return the indices of all folds.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As in scikit-learn; None is :func:`default_cv`. A splitter that shuffles
        without a seed gets the search's.
    estimator : estimator
        Whose folds are stratified if it is a classifier.
    X, y : array-like
        The data.
    split_params : dict
        Such as the groups.
    seed : int
        Of the search.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If there are no folds, or an empty one.
    """
    if cv is None:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        stratified = is_classifier(estimator) and y is not None
        cv = default_cv(stratified, n, split_params.get("groups"), seed)
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        splitter = copy.copy(splitter)
        splitter.random_state = seed
    splits = [
        (np.asarray(train), np.asarray(test))
        for train, test in splitter.split(X, y, **split_params)
    ]
    expected = splitter.get_n_splits(X, y, **split_params)
    if len(splits) != expected:
        raise ValueError(
            "cv.split and cv.get_n_splits returned inconsistent results. "
            f"Expected {expected} splits, got {len(splits)}"
        )
    if not splits:
        raise ValueError("No fits were performed. Was the CV iterator empty?")
    return splits
