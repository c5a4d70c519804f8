"""Hausdorff distance of masks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ._average import Array, Scores, as_score, check_average, mean_scores
from ._masks import check_weight
from ._regions import Regions
from ._surface import Spacing, check_spacing, edge_distances


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

    How far contours are apart where they are worst, but for the worst 5 %.

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial)
        True labels, of images with one axis or more.
    y_pred : array-like of shape (n, *spatial)
        Predicted labels.
    percentile : float, default=95.0
        In [0, 100]. 100 is the Hausdorff distance proper, which a single stray
        pixel decides.
    spacing : float or array-like of shape (n_axes,) or (n, n_axes), default=None
        Size of a pixel along each axis, in mm, say; the distance is in the same
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
        Pixels with this true label belong to no mask, true or predicted.
    multilabel : bool, default=False
        Masks are (n, K, *spatial), each of the K a label: 0 where it is not.
    both_empty : float, default=0.0
        The distance in an image where a label is neither there nor predicted.
        nan leaves the image out of the label's mean.
    one_empty : float or "diagonal", default="diagonal"
        The distance in an image where a label is there but not predicted, or
        the reverse. "diagonal" is the length of the image's diagonal, more than
        any distance in it; inf and nan (to leave it out) are other choices.

    Returns
    -------
    distance : float or ndarray of shape (n_labels,)
        >= 0; 0 is perfect. With ``per_image`` of shape (n,), or (n, n_labels) for
        ``average=None``.

    Raises
    ------
    ValueError
        If shapes differ, or a setting is out of range.

    See Also
    --------
    surface_dice_score : Which part of the contours is near enough.

    Notes
    -----
    Edge pixels and percentiles are MONAI's ``compute_hausdorff_distance``, which
    returns nan for empty masks.

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

    >>> from sklearn.metrics import make_scorer
    >>> make_scorer(hausdorff_distance, greater_is_better=False, labels=[1], spacing=0.5)
    make_scorer(hausdorff_distance, greater_is_better=False, ..., labels=[1], spacing=0.5)
    """
    check_average(average, ("macro", None))
    if not 0 <= percentile <= 100:
        raise ValueError(f"percentile={percentile!r}: expected a number from 0 to 100.")
    regions = Regions(
        y_true, y_pred, labels=labels, ignore_index=ignore_index, multilabel=multilabel
    )
    n = regions.shape[0]
    weight = check_weight(sample_weight, n, per_image=per_image)
    sizes = check_spacing(spacing, n, len(regions.spatial))
    missed = _missed(one_empty, np.multiply(regions.spatial, sizes))
    distances = np.full(regions.shape, float(both_empty))
    for i, label, true, pred in regions:
        found = true.any() and pred.any()
        distances[i, label] = _distance(true, pred, sizes[i], percentile) if found else missed[i]
    means = mean_scores(
        distances, None if per_image else weight, average=average, nothing=float(both_empty)
    )
    return as_score(means)


def _distance(true: Array, pred: Array, spacing: Array, percentile: float) -> float:
    both = edge_distances(true, pred, spacing)
    return max(float(np.percentile(distances, percentile)) for distances in both)


def _missed(one_empty: float | str, extent: Array) -> Array:
    """Return the distance, for each image, of a mask that has no counterpart."""
    if one_empty == "diagonal":
        diagonals: Array = np.linalg.norm(extent, axis=1)
        return diagonals
    if isinstance(one_empty, str):
        raise ValueError(f"one_empty={one_empty!r}: expected a number or 'diagonal'.")
    return np.full(len(extent), float(one_empty))
