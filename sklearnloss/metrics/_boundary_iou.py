"""Boundary intersection over union of masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import minimum_filter

from ._average import Array, Average, Scores
from ._counts import PixelCounts
from ._label_counts import LabelTable
from ._masks import check_weight
from ._overlap import pooled_iou
from ._pairs import CheckedPairs
from ._regions import Region, cut_regions
from ._surface import Spacing


def boundary_iou_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    width: float | None = None,
    spacing: Spacing = None,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> Scores:
    r"""Intersection over union of the masks' inner rims, over the pixels of all images. ::

        |G_d & P_d| / |G_d | P_d|

    where G_d and P_d are the pixels of the true and of the predicted mask within
    distance d of its boundary: those from which a square that extends d pixels to each
    side reaches outside the mask or the image.

    Unlike :func:`iou_score`, it does not grow with the size of an object, whose interior
    otherwise outweighs errors near the contour.

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial), or list of n masks of any sizes
        True labels, of images with one axis or more.
    y_pred : array-like of shape (n, *spatial), or list of n masks
        Predicted labels.
    width : float, default=None
        Width of the rim, in the unit of ``spacing``; > 0. Along each axis it is rounded
        to pixels, at least one. None is 2 % of the image's diagonal, as in the paper.
    spacing : float or array-like of shape (n_axes,) or (n, n_axes), default=None
        Size of a pixel along each axis, for example in mm. None is 1.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted, the background too. ``labels=[1]`` scores the
        foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels, one score of their pooled counts, or a score each.
    per_image : bool, default=False
        Score each image by itself instead of the pixels of all.
    sample_weight : array-like of shape (n,), default=None
        A weight per image.
    ignore_index : int, default=None
        Pixels with this true label belong to no mask, true or predicted. Nor do the
        masked pixels of a masked array.
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
        a setting is out of range.

    See Also
    --------
    iou_score : For whole masks; equal if all of their pixels are in the rims.

    References
    ----------
    B. Cheng, R. Girshick, P. Dollar, A. C. Berg, A. Kirillov, "Boundary IoU: Improving
    object-centric image segmentation evaluation", CVPR 2021.
    https://arxiv.org/abs/2103.16562

    Examples
    --------
    >>> from sklearnloss.metrics import boundary_iou_score, iou_score
    >>> truth, shifted = [[0, 1, 1, 1, 1, 1, 0, 0]], [[0, 0, 1, 1, 1, 1, 1, 0]]
    >>> iou_score(truth, shifted, labels=[1])
    0.6666666666666666
    >>> boundary_iou_score(truth, shifted, labels=[1], width=2)
    0.3333333333333333

    A scorer with settings:

    >>> from sklearnloss.metrics import make_mask_scorer
    >>> make_mask_scorer(boundary_iou_score, labels=[1], width=2)
    make_mask_scorer(boundary_iou_score, labels=[1], width=2)
    """
    pairs = CheckedPairs(
        y_true, y_pred, ignore_index=ignore_index, multilabel=multilabel, per_image=per_image
    )
    weight = check_weight(sample_weight, len(pairs), per_image=per_image)
    _check_width(width)
    table = LabelTable(labels, n_values=3)
    for image in cut_regions(pairs, labels=labels, spacing=spacing):
        radius = _radius(width, image.pixel, image.shape)
        table.add({region.label: _count_rims(region, radius) for region in image.regions})
    return pooled_iou(
        PixelCounts(*table.collect(weight)),
        weight,
        average=average,
        per_image=per_image,
        zero_division=zero_division,
    )


def _check_width(width: float | None) -> None:
    if width is not None and not 0 < width < np.inf:
        raise ValueError(f"width={width!r}: expected a number > 0.")


def _radius(width: float | None, pixel: Array, shape: tuple[int, ...]) -> Array:
    """Return the rim's width in pixels along each axis."""
    if width is None:
        width = 0.02 * float(np.linalg.norm(np.multiply(shape, pixel)))
    radius: Array = np.rint(width / pixel).clip(1, shape).astype(int)
    return radius


def _count_rims(region: Region, radius: Array) -> list[int]:
    """Return the pixel counts of the rims' intersection, the predicted and the true rim."""
    t, p = _rim(region.true, radius), _rim(region.pred, radius)
    return [int(np.count_nonzero(pixels)) for pixels in (t & p, p, t)]


def _rim(mask: Array, radius: Array) -> Array:
    size = (2 * radius + 1).tolist()
    inner = minimum_filter(mask.view(np.uint8), size=size, mode="constant", cval=0)
    rim: Array = mask & (inner == 0)
    return rim
