"""Probabilities of labels as estimators give them, checked against the true labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._masks import drop_channel, label_codes, unroll

Array = NDArray[Any]


def check_probabilities(
    y_true: ArrayLike, y_prob: ArrayLike, *, multilabel: bool
) -> tuple[Array, Array]:
    """Return true labels and probabilities with a class axis.

    Returns
    -------
    true : ndarray of shape (n, *spatial), or of prob's shape if multilabel
    prob : ndarray of shape (n, n_classes, *spatial)

    Raises
    ------
    ValueError
        If shapes differ, or values are no probabilities.
    """
    true, prob = np.asarray(y_true), np.asarray(y_prob)
    if multilabel:
        fits = true.ndim > 1 and true.shape == prob.shape
    else:
        true, prob = _with_classes(true, prob)
        fits = prob.ndim > 1 and prob.shape[1] > 1 and true.shape == _without_classes(prob)
    if not fits:
        expected = "(n, K, *spatial) for both" if multilabel else "(n, n_classes, *spatial)"
        raise ValueError(
            f"y_prob has shape {np.shape(y_prob)}, but y_true {np.shape(y_true)}: expected "
            f"{expected}."
        )
    _check_range(prob)
    return true, prob


def encode_labels(true: Array, names: Array) -> Array:
    """Return each label's position in names.

    Raises
    ------
    ValueError
        If a label has no name.
    """
    order = np.argsort(names)
    codes = label_codes(true, names[order])
    unknown = codes == len(names)
    if unknown.any():
        raise ValueError(
            f"y_true holds the label {true[unknown][:1].tolist()[0]!r}, expected one of labels="
            f"{names.tolist()}. Pass ignore_index= if it does not count."
        )
    position: Array = order[codes]
    return position


def class_labels(
    true: Array, n_classes: int, labels: ArrayLike | None, ignore_index: int | None
) -> Array:
    """Return the label of each class: as given, or all that occur.

    Raises
    ------
    ValueError
        If there is not one per class.
    """
    if labels is not None:
        names = np.asarray(labels)
    else:
        names = np.unique(true)
        names = names if ignore_index is None else names[names != ignore_index]
    if names.shape != (n_classes,):
        source = "y_true holds" if labels is None else "labels has"
        raise ValueError(
            f"y_prob has {n_classes} classes, but {source} {len(names)}: {names.tolist()}. "
            f"Pass labels=, one per class, such as the estimator's classes_."
        )
    return names


def _with_classes(true: Array, prob: Array) -> tuple[Array, Array]:
    """Drop a channel axis of y_true; give the probability of one class its complement."""
    true = drop_channel(true)
    if prob.shape == true.shape:
        prob = prob[:, None]
    if prob.ndim > 1 and prob.shape[1] == 1:
        prob = np.concatenate([1 - prob, prob], axis=1)
    return unroll(true, _without_classes(prob)), prob


def _without_classes(prob: Array) -> tuple[int, ...]:
    return prob.shape[:1] + prob.shape[2:]


def _check_range(prob: Array) -> None:
    low, high = (prob.min(), prob.max()) if prob.size else (0, 0)
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # nan is not either
        raise ValueError(
            f"y_prob holds values from {low:.4g} to {high:.4g}, expected probabilities in [0, 1]. "
            f"Pass what predict_proba returns."
        )
