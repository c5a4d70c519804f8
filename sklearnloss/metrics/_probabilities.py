"""Predicted probabilities, checked against the true labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._masks import check_channels, distinct, drop_channel, label_codes, unroll
from ._pairs import MaskPairs, as_array, as_images, read_true, same_number

Array = NDArray[Any]


class Block(NamedTuple):
    """A block of images: all images in an array, or one from a list.

    Attributes
    ----------
    true : ndarray of shape (n, *spatial), or of prob's shape if multilabel
        Labels.
    prob : ndarray of shape (n, n_classes, *spatial)
        Probabilities.
    counted : ndarray of bool of true's shape
        Which pixels are not ignored.
    """

    true: Array
    prob: Array
    counted: Array


def read_probabilities(
    y_true: Any, y_prob: Any, *, ignore_index: int | None, multilabel: bool
) -> tuple[int, Iterator[Block]]:
    """Return the number of images, and their checked labels and probabilities.

    Parameters
    ----------
    y_true : array-like, list of masks, or MaskPairs
        True labels.
    y_prob : array-like, list, or None
        Probabilities of the classes, or of the second of two classes.
    ignore_index : int or None
        True label of ignored pixels.
    multilabel : bool
        Whether masks have a channel per label.

    Raises
    ------
    ValueError
        If there are no images, shapes differ, or values are not labels or probabilities;
        in part only while iterating.
    """

    def check(true: Array, prob: Array) -> Block:
        return _check_block(true, prob, ignore_index, multilabel)

    if isinstance(y_true, MaskPairs):
        return len(y_true), (check(true[None], prob[None]) for true, prob in y_true)
    true, prob = as_images(y_true, "y_true"), as_images(y_prob, "y_prob")
    if isinstance(true, np.ndarray) and isinstance(prob, np.ndarray):
        block = check(true, prob)  # raises for different numbers, too
        return same_number(true, prob, "y_prob"), iter([block])
    n = same_number(true, prob, "y_prob")
    pairs = zip(true, prob, strict=True)
    return n, (check(as_array(t)[None], np.asarray(p)[None]) for t, p in pairs)


def _check_block(true: Array, prob: Array, ignore: int | None, multilabel: bool) -> Block:
    shapes = true.shape, prob.shape
    prob = np.asarray(prob)
    if multilabel:
        fits = true.ndim > 1 and true.shape == prob.shape
    else:
        true, prob = _with_classes(true, prob)
        fits = prob.ndim > 1 and prob.shape[1] > 1 and true.shape == _without_classes(prob)
    if not fits:
        expected = "(n, K, *spatial) for both" if multilabel else "(n, n_classes, *spatial)"
        raise ValueError(
            f"y_prob has shape {shapes[1]}, but y_true has shape {shapes[0]}: expected {expected}."
        )
    _check_range(prob)
    labels, counted = read_true(true, "y_true", ignore)
    counted = np.ones(labels.shape, bool) if counted is None else counted
    if multilabel:
        check_channels(labels[counted], "y_true")
    return Block(labels, prob, counted)


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
            f"{names.tolist()}. Pass ignore_index= if it marks ignored pixels."
        )
    position: Array = order[codes]
    return position


def class_labels(blocks: Sequence[Block], n_classes: int, labels: ArrayLike | None) -> Array:
    """Return the label of each class: as given, or all labels that occur.

    Raises
    ------
    ValueError
        If the number of labels is not the number of classes.
    """
    if labels is not None:
        names = np.asarray(labels)
    else:
        names = np.unique(np.concatenate([distinct(b.true[b.counted]) for b in blocks]))
    if names.shape != (n_classes,):
        source = "y_true holds" if labels is None else "labels has"
        raise ValueError(
            f"y_prob has {n_classes} classes, but {source} {len(names)}: {names.tolist()}. "
            f"Pass labels=, one per class, such as the estimator's classes_."
        )
    return names


def _with_classes(true: Array, prob: Array) -> tuple[Array, Array]:
    """Drop a channel axis of y_true; add the complement to a single class's probability."""
    true = drop_channel(true)
    if prob.shape == true.shape:
        prob = prob[:, None]
    if prob.ndim > 1 and prob.shape[1] == 1:
        prob = np.concatenate([1 - prob, prob], axis=1)
    return unroll(true, _without_classes(prob)), prob


def _without_classes(prob: Array) -> tuple[int, ...]:
    return prob.shape[:1] + prob.shape[2:]


def _check_range(prob: Array) -> None:
    if prob.dtype.kind not in "biuf":
        raise ValueError(f"y_prob has dtype {prob.dtype}. Expected probabilities in [0, 1].")
    if prob.size == 0:
        raise ValueError(f"y_prob has shape {prob.shape}. Expected at least one probability.")
    low, high = prob.min(), prob.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # nan fails both comparisons
        raise ValueError(
            f"y_prob holds values from {low:.4g} to {high:.4g}, expected probabilities in [0, 1]. "
            f"Pass what predict_proba returns."
        )
