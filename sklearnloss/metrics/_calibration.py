"""Expected calibration error of probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._average import Scores, as_score, check_average, mean_scores
from ._masks import check_weight
from ._probabilities import Block, class_labels, encode_labels, read_probabilities

Array = NDArray[Any]


def expected_calibration_error(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    n_bins: int = 15,
    norm: Literal["l1", "l2", "max"] = "l1",
    labels: ArrayLike | None = None,
    average: Literal["top_label", "macro"] | None = "top_label",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = np.nan,
) -> Scores:
    r"""Gap between predicted probabilities and how often predictions are right (ECE). ::

        sum_b  n_b / n * |right_b - sure_b|

    where

    - b runs over bins of equal width of the probability, (0, 1/15], (1/15, 2/15], ...;
    - n_b of all n predictions fall into bin b;
    - sure_b is the mean probability in it, right_b the fraction of correct predictions.

    Predictions are the labels of images, or of all pixels of masks.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, *spatial), or list of n masks of any sizes
        True labels.
    y_prob : array-like of shape (n, n_classes) or (n, n_classes, *spatial), or list
        Probabilities, as from ``predict_proba``. For two classes, it may also have the
        shape of y_true and hold the probabilities of the second.
    n_bins : int, default=15
        Number of bins; >= 1.
    norm : {"l1", "l2", "max"}, default="l1"
        Mean gap over the predictions (ECE), root mean square of the gap, or the
        largest gap of any bin (MCE).
    labels : array-like of shape (n_classes,), default=None
        The label of each class in ``y_prob``, such as an estimator's ``classes_``; by
        default the sorted labels of ``y_true``, if all classes occur.
    average : {"top_label", "macro"} or None, default="top_label"
        "top_label" considers only the most probable class of each prediction. None
        returns an error for each class, from the probabilities of that class, and
        "macro" is the mean of these errors (classwise ECE).
    per_image : bool, default=False
        Score each image by itself instead of the pixels of all.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label are ignored, and so are the masked pixels of a masked
        array.
    multilabel : bool, default=False
        Both are (n, K, *spatial), where each of the K channels is a label that is
        present, or not (0). "top_label" then considers the more probable of these two.
    zero_division : float, default=nan
        The error if there are no pixels.

    Returns
    -------
    error : float or ndarray of shape (n_classes,)
        In [0, 1]; 0 is perfect. With ``per_image`` of shape (n,), or (n, n_classes)
        for ``average=None``.

    Raises
    ------
    ValueError
        If there is nothing to score, shapes differ, values are not probabilities, or
        labels are unknown.

    See Also
    --------
    CalibrationScorer : Scores an estimator, and takes its classes into account.

    Notes
    -----
    The error of few predictions is biased upward, and more so with more bins.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
    networks", ICML 2017. https://arxiv.org/abs/1706.04599

    M. Kull et al., "Beyond temperature scaling: Obtaining well-calibrated multiclass
    probabilities with Dirichlet calibration", NeurIPS 2019 (classwise).
    https://arxiv.org/abs/1910.12656

    Examples
    --------
    Four predictions are 75 % sure, and half of them right:

    >>> from sklearnloss.metrics import expected_calibration_error
    >>> expected_calibration_error([0, 0, 1, 1], [[0.75, 0.25]] * 4)
    0.25
    """
    check_average(average, ("top_label", "macro", None))
    if norm not in ("l1", "l2", "max"):
        raise ValueError(f"norm={norm!r}: expected 'l1', 'l2' or 'max'.")
    if n_bins < 1:
        raise ValueError(f"n_bins={n_bins!r}: expected a whole number >= 1.")
    n, found = read_probabilities(y_true, y_prob, ignore_index=ignore_index, multilabel=multilabel)
    weight = check_weight(sample_weight, n, per_image=per_image)
    if not multilabel and labels is None:  # all labels must be known
        found = iter(blocks := list(found))
        labels = class_labels(blocks, blocks[0].prob.shape[1], None)
    count, sure, right = _fill_bins(
        found,
        weight,
        labels=None if multilabel else labels,
        n_bins=n_bins,
        top=average == "top_label",
        per_image=per_image,
    )
    errors = _errors(count, sure, right, norm, zero_division)
    means = mean_scores(
        errors, None, average=None if average is None else "macro", nothing=zero_division
    )
    return means if per_image else as_score(means[0])


Predictions = tuple[Array, Array, Array]
Part = tuple[Array, Array, Array, Array]


def _fill_bins(
    blocks: Iterable[Block],
    weight: Array,
    *,
    labels: ArrayLike | None,
    n_bins: int,
    top: bool,
    per_image: bool,
) -> Array:
    """Return three sums by image (or over all), class and bin, see :func:`_sums`."""
    bins: Array = np.zeros(0)
    done = expected = 0
    for block in blocks:
        n, n_classes = block.prob.shape[:2]
        names = None if labels is None else class_labels([block], n_classes, labels)
        if not done:
            bins = np.zeros((len(weight) if per_image else 1, 1 if top else n_classes, 3, n_bins))
            expected = n_classes
        if n_classes != expected:
            raise ValueError(
                f"y_prob has {expected} classes, but {n_classes} in image {done}. Expected the "
                f"same number in all."
            )
        for number, part in enumerate(_parts(block, weight[done : done + n], per_image), done):
            predictions = (
                _channel_predictions(*part, top)
                if names is None
                else _class_predictions(*part, names, top)
            )
            for row, prediction in enumerate(predictions):
                bins[number if per_image else 0, row] += _sums(*prediction, n_bins)
        done += n
    sums: Array = np.moveaxis(bins, 2, 0)
    return sums


def _parts(block: Block, weight: Array, per_image: bool) -> Iterator[Part]:
    """Yield labels, which count, probabilities (n_classes, n_pixels), weights (n_pixels,)."""
    if block.prob.ndim == 2 and not per_image:  # one label per image: all at once
        yield block.true.T, block.counted.T, block.prob.T, weight
        return
    for t, p, counted, w in zip(*block[:2], block.counted, weight, strict=True):
        pixels = p.reshape(len(p), -1)
        shape = pixels.shape if t.shape == p.shape else pixels.shape[1:]
        yield t.reshape(shape), counted.reshape(shape), pixels, np.full(pixels.shape[1], w)


def _class_predictions(
    true: Array, counted: Array, prob: Array, weight: Array, names: Array, top: bool
) -> Iterator[Predictions]:
    """Yield, by class, each prediction's probability, whether it is right, and its weight."""
    true, prob, weight = true[counted], prob[:, counted], weight[counted]
    codes = encode_labels(true, names)
    if top:
        yield prob.max(0), prob.argmax(0) == codes, weight
        return
    for code, p in enumerate(prob):
        yield p, codes == code, weight


def _channel_predictions(
    true: Array, counted: Array, prob: Array, weight: Array, top: bool
) -> Iterator[Predictions]:
    """Do the same for multilabel masks, by channel."""
    on, weight = true != 0, np.where(counted, weight, 0)
    if top:
        yield np.maximum(prob, 1 - prob).ravel(), ((prob > 0.5) == on).ravel(), weight.ravel()
        return
    yield from zip(prob, on, weight, strict=True)


def _sums(sure: Array, right: Array, weight: Array, n_bins: int) -> Array:
    """Sum the weights, and with them the probabilities and the hits, in each bin."""
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    code = np.searchsorted(inner, sure)  # bins are open on the left
    terms = (weight, weight * sure, weight * right)
    return np.stack([np.bincount(code, weights=term, minlength=n_bins) for term in terms])


def _errors(count: Array, sure: Array, right: Array, norm: str, zero_division: float) -> Array:
    """Combine the gaps of the bins (the last axis)."""
    total = count.sum(-1)
    gap = np.abs(right - sure) / np.where(count == 0, 1, count)
    share = count / np.where(total == 0, 1, total)[..., None]
    if norm == "max":
        error = gap.max(-1)
    else:
        error = (share * gap).sum(-1) if norm == "l1" else np.sqrt((share * gap**2).sum(-1))
    known: Array = np.where(total == 0, zero_division, error)
    return known
