"""Folds: the defaults of searches and comparisons, and those of a user's splitter."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from .sklearn_private import GroupsConsumerMixin

Split = tuple[np.ndarray, np.ndarray]

#: Default number of folds, if there are that many samples, groups and samples of a class.
N_FOLDS = 5


def default_splits(
    estimator: Any, X: Any, y: Any, *, groups: Any = None, seed: int, n_folds: int = N_FOLDS
) -> list[Split]:
    """Return shuffled folds, stratified for a classifier, by group if there are groups.

    Targets with several columns, or that are not classes, are not stratified, as in
    scikit-learn. There are no more folds than samples, groups, or samples of
    the largest class.

    Parameters
    ----------
    estimator : estimator
        Folds are stratified if it is a classifier.
    X : array-like of shape (n, ...)
        The data, of which only the length is used.
    y : array-like of shape (n, ...) or None
        Labels or masks.
    groups : array-like of shape (n,), default=None
        Samples of one group are held out together.
    seed : int
        Seed of the shuffling.
    n_folds : int, default=5
        Number of folds.

    Returns
    -------
    splits : list of (train, test)
        Positions of samples.

    Raises
    ------
    ValueError
        If there is only one sample or group, or a group is missing.
    """
    n = _num_samples(X)
    classes = classes_of(estimator, y)
    if groups is None:
        if n < 2:
            raise ValueError(
                f"X holds {n} sample{'' if n == 1 else 's'}, so none is left to train on. Expected "
                f"at least 2."
            )
        return _shuffled(n, classes, seed, n_folds)
    return _grouped(check_groups(groups, n), classes, seed, n_folds)


def _shuffled(n: int, classes: np.ndarray | None, seed: int, n_folds: int) -> list[Split]:
    rows = np.zeros(n)
    largest = 0 if classes is None else int(np.bincount(classes).max())
    if classes is None or largest < 2:
        folds = KFold(min(n_folds, n), shuffle=True, random_state=seed)
        return list(folds.split(rows))
    folds = StratifiedKFold(min(n_folds, largest), shuffle=True, random_state=seed)
    return list(folds.split(rows, classes))


def _grouped(
    labels: np.ndarray, classes: np.ndarray | None, seed: int, n_folds: int
) -> list[Split]:
    names, codes = np.unique(labels, return_inverse=True)
    rows = np.zeros(len(labels))
    if len(names) < 2:
        raise ValueError(
            f"groups holds only one group, {names.tolist()}, so none is left to train on. "
            f"Expected at least 2 groups, or groups=None."
        )
    folds = min(n_folds, len(names))
    largest = 0 if classes is None else int(np.bincount(classes).max())
    if classes is not None and largest >= folds:
        stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits = list(stratified.split(rows, classes, codes))
        if all(len(test) for _, test in splits):  # few large groups may leave a fold empty
            return splits
    return list(GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=codes))


def classes_of(estimator: Any, y: Any) -> np.ndarray | None:
    """Return the class code of each sample; None unless there is one class per sample."""
    if y is None or issparse(y) or not is_classifier(estimator):
        return None
    try:
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        codes: np.ndarray = np.unique(labels, return_inverse=True)[1]
    except (TypeError, ValueError):  # ragged, or without an order
        return None
    if labels.ndim != 1:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about many classes: the splitter warns as well
        kind = "multiclass" if labels.dtype == object else type_of_target(labels)
    return codes if kind in ("binary", "multiclass") else None


def check_groups(groups: Any, n: int) -> np.ndarray:
    """Return groups as an array; refuse missing ones, and those that cannot be sorted.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Numbers, strings or times.
    n : int
        Number of samples.

    Returns
    -------
    groups : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If the shape is wrong, a value is None or nan, or types are mixed.
    """
    labels = _as_column(groups)
    if labels.shape != (n,):
        raise ValueError(
            f"groups has shape {labels.shape}, expected ({n},): one group for each sample of X."
        )
    _check_missing(labels)
    try:
        np.unique(labels)
    except TypeError:
        kinds = sorted({type(each).__name__ for each in labels.tolist()})
        raise ValueError(
            f"groups holds values of the types {', '.join(kinds)}, which cannot be sorted. Convert "
            f"them to one type, for example by [str(group) for group in groups]."
        ) from None
    return labels


def _as_column(groups: Any) -> np.ndarray:
    if isinstance(groups, list | tuple):
        kinds = {type(each) for each in groups}
        if len(kinds) > 1 or kinds & {tuple}:  # numpy would turn even None and nan into strings
            values = np.empty(len(groups), dtype=object)
            values[:] = groups
            return values
    labels = np.asarray(groups.to_numpy() if hasattr(groups, "to_numpy") else groups)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _check_missing(labels: np.ndarray) -> None:
    if labels.dtype.kind in "mM":
        missing = np.flatnonzero(np.isnat(labels)).tolist()
    elif labels.dtype.kind in "Of":
        missing = [k for k, each in enumerate(labels.tolist()) if _is_missing(each)]
    else:
        return
    if missing:
        more = f" and at {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"groups holds {labels[missing[0]]} at position {missing[0]}{more}. Expected a number "
            f"or a string for each sample: leave out samples of unknown groups, or give each a "
            f"separate group."
        )


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, nan, or an equivalent of pandas or numpy."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def make_folds(
    cv: Any, estimator: Any, X: Any, y: Any, split_params: Mapping[str, Any], seed: int
) -> list[Split]:
    """Return the indices of all folds.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As in scikit-learn; None is :func:`default_splits`. A splitter that shuffles
        without a seed gets the seed of the search.
    estimator : estimator
        Folds are stratified if it is a classifier.
    X, y : array-like
        The data.
    split_params : dict
        Arguments of ``split``, such as the groups.
    seed : int
        Seed of the search.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If there are no folds, or a group is missing.
    """
    groups = split_params.get("groups")
    if cv is None:
        return default_splits(estimator, X, y, groups=groups, seed=seed)
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    if groups is not None and isinstance(splitter, GroupsConsumerMixin):
        labels = check_groups(groups, _num_samples(X))
        if labels.dtype == object:  # such as pairs, which a splitter would treat as columns
            labels = np.unique(labels, return_inverse=True)[1]
        split_params = {**split_params, "groups": labels}
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        splitter = copy.copy(splitter)
        splitter.random_state = seed
    n = _num_samples(X)
    splits = [
        (_positions(train, n, k, "train"), _positions(test, n, k, "test"))
        for k, (train, test) in enumerate(splitter.split(X, y, **split_params))
    ]
    _warn_of_overlap(splits)
    expected = splitter.get_n_splits(X, y, **split_params)
    if len(splits) != expected:
        raise ValueError(
            "cv.split and cv.get_n_splits returned inconsistent results. "
            f"Expected {expected} splits, got {len(splits)}"
        )
    if not splits:
        raise ValueError(
            f"cv={cv!r} holds no splits. Expected at least one pair (train, test); an iterator can "
            f"be used only once."
        )
    return splits


def _positions(given: Any, n: int, fold: int, part: str) -> np.ndarray:
    """Return a part of a split as positions of samples; it may be a boolean mask."""
    positions = np.asarray(given)
    if positions.dtype == bool and positions.shape == (n,):
        positions = np.flatnonzero(positions)
    where = f"The {part} part of split {fold} of cv"
    if not positions.size:
        raise ValueError(f"{where} is empty. Expected at least one position of a sample.")
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ValueError(
            f"{where} has shape {positions.shape} and dtype {positions.dtype}. Expected the "
            f"positions of samples, or a mask of {n} values."
        )
    if positions.min() < 0 or positions.max() >= n:
        raise ValueError(
            f"{where} holds positions from {positions.min()} to {positions.max()}. Expected "
            f"positions from 0 to {n - 1}, as X holds {n} samples."
        )
    return positions


def _warn_of_overlap(splits: list[Split]) -> None:
    shared = [len(np.intersect1d(train, test)) for train, test in splits]
    if any(shared):
        fold = int(np.argmax(np.array(shared) > 0))
        warnings.warn(
            f"In split {fold} of cv, {shared[fold]} of the test samples are also training "
            f"samples. Such scores say little about new samples.",
            stacklevel=5,
        )
