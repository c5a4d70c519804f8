"""Surface Dice of masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._average import Array, Average, Scores, as_score, check_average, divide, mean_scores
from ._label_counts import LabelTable
from ._masks import check_weight
from ._pairs import CheckedPairs
from ._regions import Region, cut_regions
from ._surface import Spacing, edge_distances


def surface_dice_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    tolerance: float | ArrayLike = 1.0,
    spacing: Spacing = None,
    labels: ArrayLike | None = None,
    average: Average = "macro",
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    multilabel: bool = False,
    zero_division: float = 1.0,
) -> Scores:
    r"""Normalized surface Dice (NSD) of masks, averaged over the images. ::

        (|{a in A : d(a, B) <= tau}| + |{b in B : d(b, A) <= tau}|) / (|A| + |B|)

    where

    - A, B are the edge pixels of the true and of the predicted mask: those with a
      face on a pixel of another label or on the image's border;
    - d(a, B) is the distance from a to the nearest pixel of B;
    - tau is the tolerance.

    It is the fraction of the contours that needs no correction, where a person would
    correct only errors larger than the tolerance.

    Parameters
    ----------
    y_true : array-like of shape (n, *spatial), or list of n masks of any sizes
        True labels, of images with one axis or more.
    y_pred : array-like of shape (n, *spatial), or list of n masks
        Predicted labels.
    tolerance : float or array-like of shape (n_labels,), default=1.0
        The largest distance that is near enough, in the unit of ``spacing``; for
        example, the distance by which two experts differ. >= 0; one value, or one per
        label.
    spacing : float or array-like of shape (n_axes,) or (n, n_axes), default=None
        Size of a pixel along each axis, for example in mm. None is 1.
    labels : array-like of shape (n_labels,), default=None
        Which labels to score, and their order with ``average=None``; by default
        all that occur, sorted, the background too. ``labels=[1]`` scores the
        foreground alone.
    average : {"macro", "micro"} or None, default="macro"
        Mean over the labels, one score of their pooled contours, or a score each.
    per_image : bool, default=False
        A score for each image instead of their mean.
    sample_weight : array-like of shape (n,), default=None
        Weights of the mean over the images.
    ignore_index : int, default=None
        Pixels with this true label belong to no mask, true or predicted. Nor do the
        masked pixels of a masked array.
    multilabel : bool, default=False
        Masks are (n, K, *spatial), each of the K a label: 0 where it is not, and 1 or
        255 where it is.
    zero_division : float, default=1.0
        The score in an image where a label is neither present nor predicted. nan
        leaves the image out of the label's mean. If a label is only present or
        only predicted, the score is 0.

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
    hausdorff_distance : The largest distance between the contours.

    Notes
    -----
    Contours are counted in edge pixels, as in MONAI's ``compute_surface_dice``, which
    returns nan where both masks are empty. Google DeepMind's ``surface-distance``
    weighs them by their area instead.

    References
    ----------
    S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy
    for radiotherapy", Journal of Medical Internet Research 23, 2021.
    https://arxiv.org/abs/1809.04430

    Examples
    --------
    >>> from sklearnloss.metrics import surface_dice_score
    >>> truth, shifted = [[0, 1, 1, 1, 1, 0, 0, 0]], [[0, 0, 1, 1, 1, 1, 1, 0]]
    >>> surface_dice_score(truth, shifted, labels=[1], tolerance=1)
    0.5
    >>> surface_dice_score(truth, shifted, labels=[1], tolerance=1, spacing=0.5)
    1.0

    A scorer with settings:

    >>> from sklearnloss.metrics import make_mask_scorer
    >>> make_mask_scorer(surface_dice_score, labels=[1], tolerance=2.0)
    make_mask_scorer(surface_dice_score, labels=[1], tolerance=2.0)
    """
    check_average(average, ("macro", "micro", None))
    pairs = CheckedPairs(
        y_true, y_pred, ignore_index=ignore_index, multilabel=multilabel, per_image=per_image
    )
    weight = check_weight(sample_weight, len(pairs), per_image=per_image)
    limits = _check_tolerance(tolerance)
    # Labels can be matched with their tolerances only when all labels are known.
    table = LabelTable(labels, n_values=1 + limits.size)
    for image in cut_regions(pairs, labels=labels, spacing=spacing):
        table.add({r.label: _count_edges(r, image.pixel, limits.ravel()) for r in image.regions})
    all_edges, *near = table.collect(weight)
    near_own = _of_own_tolerance(np.stack(near), limits)
    scores = divide(near_own, all_edges, average, zero_division)
    return as_score(
        mean_scores(scores, None if per_image else weight, average=average, nothing=zero_division)
    )


def _count_edges(region: Region, pixel: Array, limits: Array) -> list[int]:
    """Return the number of edge pixels, and of those that are near enough, by limit."""
    # Distances such as 3 * 0.1 must not exceed a tolerance of 0.3 due to rounding.
    limits = limits + 1e-9 * (limits + pixel.min())
    both = edge_distances(region.true, region.pred, pixel, within=limits.max())
    distances = np.concatenate(both)
    return [distances.size, *(int(np.count_nonzero(distances <= limit)) for limit in limits)]


def _of_own_tolerance(near: Array, limits: Array) -> Array:
    """Select each label's own limit from counts by limit, image and label."""
    if limits.ndim == 0:
        only: Array = near[0]
        return only
    n_labels = near.shape[2]
    if len(limits) != n_labels:
        raise ValueError(
            f"tolerance has shape {limits.shape}, expected a number or one for each of the "
            f"{n_labels} labels."
        )
    own: Array = np.stack([near[k, :, k] for k in range(n_labels)], axis=1)
    return own


def _check_tolerance(tolerance: float | ArrayLike) -> Array:
    limits = np.asarray(tolerance, dtype=float)
    if limits.ndim > 1 or limits.size == 0:
        raise ValueError(
            f"tolerance has shape {limits.shape}, expected a number or one for each label."
        )
    if not (np.isfinite(limits).all() and (limits >= 0).all()):
        raise ValueError(f"tolerance={tolerance!r}: expected numbers >= 0.")
    return limits
