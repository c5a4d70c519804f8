"""Hausdorff distance of masks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ._average import Array, Scores, as_score, check_average, mean_scores
from ._label_counts import LabelTable
from ._masks import check_weight
from ._pairs import CheckedPairs
from ._regions import Region, cut_regions
from ._surface import Spacing, edge_distances


def hausdorff_distance(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    percentile: float = 95.0,
    spacing: Spacing = None,
    labels: ArrayLike | None = None,
    average: Literal["macro"] | None = "macro",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    both_empty: float = 0.0,
    one_empty: float | Literal["diagonal"] = "diagonal",
) -> Scores:
    r"""Hausdorff distance of masks at a percentile (HD95), averaged over the images. ::

        max( P {d(a, B) : a in A},  P {d(b, A) : b in B} )

    where

    - A, B are the edge pixels of the true and of the predicted mask: those with a
      face on a pixel of another label or on the image's border;
    - d(a, B) is the distance from a to the nearest pixel of B;
    - P is the percentile, linear between ranks.

    The largest distance between the contours, ignoring the worst 5 % of points.

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial), or list of n masks of any sizes
        True labels, of images with one axis or more.
    y_pred : array-like of shape (n, *spatial), or list of n masks
        Predicted labels.
    percentile : float, default=95.0
        In [0, 100]. 100 is the Hausdorff distance proper, which a single stray
        pixel can determine.
    spacing : float or array-like of shape (n_axes,) or (n, n_axes), default=None
        Size of a pixel along each axis, for example in mm; the distance has the same
        unit. None is 1.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted, the background too. ``labels=[1]`` scores the
        foreground alone.
    average : "macro" or None, default="macro"
        Mean over the labels, or a distance each.
    per_image : bool, default=False
        A distance for each image instead of their mean.
    sample_weight : array-like of shape (n,), default=None
        Weights of the mean over the images.
    ignore_index : int, default=None
        Pixels with this true label belong to no mask, true or predicted. Nor do the
        masked pixels of a masked array.
    multilabel : bool, default=False
        Masks are (n, K, *spatial), each of the K a label: 0 where it is not, and 1 or
        255 where it is.
    both_empty : float, default=0.0
        The distance in an image where a label is neither present nor predicted.
        nan leaves the image out of the label's mean.
    one_empty : float or "diagonal", default="diagonal"
        The distance in an image where a label is present but not predicted, or
        vice versa. "diagonal" is the length of the image's diagonal, more than
        any distance in it; inf and nan (to leave it out) are other choices.

    Returns
    -------
    distance : float or ndarray of shape (n_labels,)
        >= 0; 0 is perfect. With ``per_image`` of shape (n,), or (n, n_labels) for
        ``average=None``.

    Raises
    ------
    ValueError
        If there are no masks, shapes differ, values are not labels (NaN, fractions), or
        a setting is out of range.

    See Also
    --------
    surface_dice_score : The fraction of the contours that is near enough.

    Notes
    -----
    Edge pixels and percentiles are defined as in MONAI's ``compute_hausdorff_distance``,
    which returns nan for empty masks.

    References
    ----------
    D. P. Huttenlocher, G. A. Klanderman, W. J. Rucklidge, "Comparing images using the
    Hausdorff distance", IEEE TPAMI 15, 1993. https://doi.org/10.1109/34.232073

    L. Maier-Hein et al., "Metrics reloaded: recommendations for image analysis
    validation", Nature Methods 21, 2024. https://arxiv.org/abs/2206.01653

    Examples
    --------
    >>> from sklearnloss.metrics import hausdorff_distance
    >>> hausdorff_distance([[1, 0, 0, 0, 0]], [[0, 0, 0, 1, 0]], labels=[1], spacing=0.5)
    1.5

    A scorer with settings:

    >>> from sklearnloss.metrics import make_mask_scorer
    >>> make_mask_scorer(hausdorff_distance, labels=[1], spacing=0.5)
    make_mask_scorer(hausdorff_distance, labels=[1], spacing=0.5)
    """
    check_average(average, ("macro", None))
    if not 0 <= percentile <= 100:
        raise ValueError(f"percentile={percentile!r}: expected a number from 0 to 100.")
    pairs = CheckedPairs(
        y_true, y_pred, ignore_index=ignore_index, multilabel=multilabel, per_image=per_image
    )
    weight = check_weight(sample_weight, len(pairs), per_image=per_image)
    missed = _read_missed(one_empty)
    table = LabelTable(labels, n_values=1, fill=float(both_empty))
    for image in cut_regions(pairs, labels=labels, spacing=spacing):
        diagonal = float(np.linalg.norm(np.multiply(image.shape, image.pixel)))
        other = diagonal if missed is None else missed
        table.add({r.label: _distance(r, image.pixel, percentile, other) for r in image.regions})
    (distances,) = table.collect(weight)
    means = mean_scores(
        distances, None if per_image else weight, average=average, nothing=float(both_empty)
    )
    return as_score(means)


def _distance(region: Region, pixel: Array, percentile: float, missed: float) -> float:
    if not (region.true.any() and region.pred.any()):
        return missed
    both = edge_distances(region.true, region.pred, pixel)
    return max(float(np.percentile(distances, percentile)) for distances in both)


def _read_missed(one_empty: float | str) -> float | None:
    """Return the distance of a mask that has no counterpart, None for the diagonal."""
    if one_empty == "diagonal":
        return None
    if isinstance(one_empty, str):
        raise ValueError(f"one_empty={one_empty!r}: expected a number or 'diagonal'.")
    return float(one_empty)
