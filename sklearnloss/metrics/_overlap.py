"""Dice and intersection over union of masks."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._counts import count_pixels

Average = Literal["macro", "micro"] | None


def dice_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> float | NDArray[Any]:
    r"""Dice coefficient (F1 score) of masks, over the pixels of all images. ::

        2 TP / (|predicted| + |true|)

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial)
        True labels.
    y_pred : array-like of shape (n, *spatial)
        Predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted. ``labels=[1]`` scores the foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels, one score of their pooled counts, or a score each.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label do not count.
    multilabel : bool, default=False
        Masks are (n, K, *spatial) of zeros and ones; each of the K is a label.
    zero_division : float, default=1.0
        The score of a label that is neither there nor predicted. nan leaves it
        out of the mean.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1]; 1 is perfect.

    References
    ----------
    L. R. Dice, "Measures of the amount of ecologic association between species",
    Ecology 26, 1945. https://doi.org/10.2307/1932409

    Examples
    --------
    >>> from sklearnloss.metrics import dice_score
    >>> dice_score([[0, 0, 1, 1]], [[0, 1, 1, 1]], average=None)
    array([0.66666667, 0.8       ])
    """
    counts = count_pixels(
        y_true,
        y_pred,
        labels=labels,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    below = counts.predicted + counts.true
    return _average(2 * counts.tp, below, average, zero_division)


def iou_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> float | NDArray[Any]:
    r"""Intersection over union (Jaccard index) of masks, over the pixels of all images. ::

        TP / (|predicted| + |true| - TP)

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial)
        True labels.
    y_pred : array-like of shape (n, *spatial)
        Predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted. ``labels=[1]`` scores the foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels ("mean IoU"), one score of their pooled counts, or
        a score each.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label do not count.
    multilabel : bool, default=False
        Masks are (n, K, *spatial) of zeros and ones; each of the K is a label.
    zero_division : float, default=1.0
        The score of a label that is neither there nor predicted. nan leaves it
        out of the mean.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1]; 1 is perfect.

    References
    ----------
    P. Jaccard, "The distribution of the flora in the alpine zone", New
    Phytologist 11, 1912. https://doi.org/10.1111/j.1469-8137.1912.tb05611.x

    Examples
    --------
    >>> from sklearnloss.metrics import iou_score
    >>> iou_score([[0, 0, 1, 1]], [[0, 1, 1, 1]], average=None)
    array([0.5       , 0.66666667])
    """
    counts = count_pixels(
        y_true,
        y_pred,
        labels=labels,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        multilabel=multilabel,
    )
    below = counts.predicted + counts.true - counts.tp
    return _average(counts.tp, below, average, zero_division)


def _average(
    above: NDArray[Any], below: NDArray[Any], average: Average, zero_division: float
) -> float | NDArray[Any]:
    if average not in ("macro", "micro", None):
        raise ValueError(f"average={average!r}: expected 'macro', 'micro' or None.")
    if average == "micro":
        above, below = above.sum(keepdims=True), below.sum(keepdims=True)
    empty = below == 0
    scores = np.where(empty, zero_division, above / np.where(empty, 1, below))
    if average is None:
        return scores
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else float(zero_division)
