"""Dice and intersection over union of masks."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ._average import Array, Average, Scores, pooled_ratio
from ._counts import PixelCounts, count_pixels
from ._masks import check_weight
from ._pairs import CheckedPairs


def dice_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> Scores:
    r"""Dice coefficient (F1 score) of masks, over the pixels of all images.

    Per label::

        2 TP / (|predicted| + |true|)

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial), or list of n masks of any sizes
        True labels.
    y_pred : array-like of shape (n, *spatial), or list of n masks
        Predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted. ``labels=[1]`` scores the foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels, one score of their pooled counts, or a score each.
    per_image : bool, default=False
        Score each image by itself instead of the pixels of all.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label are ignored, and so are the masked pixels of a masked
        array.
    multilabel : bool, default=False
        Masks are (n, K, *spatial), each of the K a label: 0 where it is not, and 1 or
        255 where it is.
    zero_division : float, default=1.0
        The score of a label that is neither present nor predicted. nan leaves it
        out of the mean.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1]; 1 is perfect. With ``per_image`` of shape (n,), or (n, n_labels)
        for ``average=None``.

    Raises
    ------
    ValueError
        If there are no masks, shapes differ, values are not labels (NaN, fractions), or
        weights do not fit.

    See Also
    --------
    iou_score : A stricter measure of the same overlap.
    make_mask_scorer : Makes a scorer for ``scoring=``, with settings.

    References
    ----------
    L. R. Dice, "Measures of the amount of ecologic association between species",
    Ecology 26, 1945. https://doi.org/10.2307/1932409

    Examples
    --------
    >>> from sklearnloss.metrics import dice_score
    >>> dice_score([[0, 0, 1, 1]], [[0, 1, 1, 1]], average=None)
    array([0.66666667, 0.8       ])

    Scorers with settings, one for the score of each label:

    >>> from sklearnloss.metrics import make_mask_scorer
    >>> scoring = {f"dice_{k}": make_mask_scorer(dice_score, labels=[k]) for k in (1, 2)}
    >>> scoring["dice_2"]
    make_mask_scorer(dice_score, labels=[2])
    """
    pairs = CheckedPairs(
        y_true, y_pred, ignore_index=ignore_index, multilabel=multilabel, per_image=per_image
    )
    weight = check_weight(sample_weight, len(pairs), per_image=per_image)
    counts = count_pixels(pairs, weight, labels=labels)
    return pooled_ratio(
        2 * counts.tp,
        counts.predicted + counts.true,
        weight,
        average=average,
        per_image=per_image,
        zero_division=zero_division,
    )


def iou_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> Scores:
    r"""Intersection over union (Jaccard index) of masks, over the pixels of all images.

    Per label::

        TP / (|predicted| + |true| - TP)

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial), or list of n masks of any sizes
        True labels.
    y_pred : array-like of shape (n, *spatial), or list of n masks
        Predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted. ``labels=[1]`` scores the foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels ("mean IoU"), one score of their pooled counts, or
        a score each.
    per_image : bool, default=False
        Score each image by itself instead of the pixels of all.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label are ignored, and so are the masked pixels of a masked
        array.
    multilabel : bool, default=False
        Masks are (n, K, *spatial), each of the K a label: 0 where it is not, and 1 or
        255 where it is.
    zero_division : float, default=1.0
        The score of a label that is neither present nor predicted. nan leaves it
        out of the mean.

    Returns
    -------
    score : float or ndarray of shape (n_labels,)
        In [0, 1]; 1 is perfect. With ``per_image`` of shape (n,), or (n, n_labels)
        for ``average=None``.

    Raises
    ------
    ValueError
        If there are no masks, shapes differ, values are not labels (NaN, fractions), or
        weights do not fit.

    See Also
    --------
    boundary_iou_score : Considers only pixels near the contours.
    dice_score : A more lenient measure of the same overlap.

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
    pairs = CheckedPairs(
        y_true, y_pred, ignore_index=ignore_index, multilabel=multilabel, per_image=per_image
    )
    weight = check_weight(sample_weight, len(pairs), per_image=per_image)
    return pooled_iou(
        count_pixels(pairs, weight, labels=labels),
        weight,
        average=average,
        per_image=per_image,
        zero_division=zero_division,
    )


def pooled_iou(
    counts: PixelCounts,
    weight: Array,
    *,
    average: Average,
    per_image: bool,
    zero_division: float,
) -> Scores:
    """Return the IoU from pixel counts, pooled over the images unless each is scored."""
    return pooled_ratio(
        counts.tp,
        counts.predicted + counts.true - counts.tp,
        weight,
        average=average,
        per_image=per_image,
        zero_division=zero_division,
    )
