"""Out-of-fold probabilities of masks, which scikit-learn's own function does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params
from torch.utils.data import Dataset

from .._utils.rows import take_rows

Array = NDArray[Any]


def cross_val_predict_proba(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Array:
    """Predict the probabilities of each image with a model that was fitted without it.

    Like scikit-learn's ``cross_val_predict(..., method="predict_proba")`` for labels, but
    also for masks.

    Parameters
    ----------
    estimator : estimator with ``predict_proba`` and ``classes_``
        A clone is fitted per fold. Pipelines and searches are accepted as well.
    X : array-like
        Images, or a torch ``Dataset``.
    y : array-like
        Masks or labels; not needed if X is a torch ``Dataset`` that has them.
    groups : array-like of shape (n,), default=None
        For splitters such as ``GroupKFold``. With metadata routing on, pass it in
        ``params``.
    cv : int, splitter or iterable, default=None
        The folds, 5 by default. Each image must be in exactly one test set. For masks these
        are not shuffled or stratified: see :func:`image_level_labels`.
    n_jobs : int, default=None
        Number of folds to fit in parallel.
    params : dict, default=None
        Further arguments of ``fit``, such as ``sample_weight``. Arrays of length n are
        split. With metadata routing on, they are routed to the estimator and the splitter.

    Returns
    -------
    proba : ndarray of shape (n, n_classes, *spatial), or (n, n_classes) for labels
        The columns follow the sorted labels of all folds. A class that a fold's training
        data lacks has probability 0 there. If images are of different sizes, the dtype is
        object, with one array per image.

    Raises
    ------
    ValueError
        If the test sets are not a partition of the images.

    See Also
    --------
    image_level_labels : One label per image, to stratify by.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.estimators import cross_val_predict_proba
    >>> X, y, groups = load_nuclei(tile=128)
    >>> model = UNetSegmenter(width=4, depth=2, max_epochs=1, random_state=0)
    >>> proba = cross_val_predict_proba(model, X, y, groups=groups, cv=GroupKFold(2))
    >>> proba.shape
    (16, 3, 128, 128)
    """
    X, y = indexable(X, y)
    fit_params, split_params = _route(estimator, cv, groups, dict(params or {}))
    splits = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, **split_params))
    _check_partition(splits, _length(X))
    folds = Parallel(n_jobs=n_jobs)(
        delayed(_fold_proba)(clone(estimator), X, y, train, test, fit_params)
        for train, test in splits
    )
    classes = _all_classes([labels for labels, _ in folds])
    images: list[Any] = [None] * _length(X)
    for (_, test), (labels, proba) in zip(splits, folds, strict=True):
        columns = np.searchsorted(classes, labels)
        for position, image in zip(test, proba, strict=True):
            images[position] = _aligned(image, columns, len(classes))
    return _stacked(images)


def _route(
    estimator: Any, cv: Any, groups: Any, params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of ``fit`` and those of ``split``."""
    if not get_config()["enable_metadata_routing"]:
        return params, {"groups": groups}
    if groups is not None:
        raise ValueError(
            "groups was passed while metadata routing is on. Pass params={'groups': groups}."
        )
    router = (
        MetadataRouter(owner="cross_val_predict_proba")
        .add(splitter=cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        .add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    )
    try:
        routed = process_routing(router, "fit", **params)
    except UnsetMetadataPassedError as error:
        raise UnsetMetadataPassedError(
            message=str(error).replace("cross_val_predict_proba.fit", "cross_val_predict_proba"),
            unrequested_params=error.unrequested_params,
            routed_params=error.routed_params,
        ) from error
    return dict(routed.estimator.fit), dict(routed.splitter.split)


def _length(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _check_partition(splits: list[tuple[Array, Array]], n: int) -> None:
    tested = np.concatenate([test for _, test in splits])
    times = np.bincount(tested, minlength=n)
    if len(times) != n or (times != 1).any():
        raise ValueError(
            f"Each image must be in exactly one test set, but of {n} images "
            f"{int((times == 0).sum())} are in none and {int((times > 1).sum())} in several. "
            f"Use a splitter whose test sets are a partition, such as KFold."
        )


def _fold_proba(
    estimator: Any, X: Any, y: Any, train: Array, test: Array, params: dict[str, Any]
) -> tuple[Array, Array]:
    """Return the classes that a fold knows, and its probabilities."""
    if isinstance(X, Dataset):
        X_train, y_train, X_test = take_rows(X, train), take_rows(y, train), take_rows(X, test)
    else:
        X_train, y_train = _safe_split(estimator, X, y, train)
        X_test, _ = _safe_split(estimator, X, y, test, train)
    estimator.fit(X_train, y_train, **_check_method_params(X, params, train))
    return estimator.classes_, estimator.predict_proba(X_test)


def _all_classes(found: list[Array]) -> Array:
    """Return the union of the folds' classes; names of multilabel masks keep their order."""
    if all(np.array_equal(found[0], labels) for labels in found):
        return found[0]
    return np.unique(np.concatenate(found))


def _aligned(proba: Array, columns: Array, n_classes: int) -> Array:
    if len(columns) == n_classes:
        return proba
    whole = np.zeros((n_classes, *proba.shape[1:]), proba.dtype)
    whole[columns] = proba
    return whole


def _stacked(images: list[Array]) -> Array:
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    stacked = np.empty(len(images), dtype=object)
    for position, image in enumerate(images):
        stacked[position] = image
    return stacked
