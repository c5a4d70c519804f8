"""Boundaries of masks and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Array = NDArray[Any]
Spacing = float | Sequence[float] | Sequence[Sequence[float]] | Array | None


def check_spacing(spacing: Spacing, n: int, n_axes: int) -> Array:
    """Return the size of a pixel along each axis of each image, of shape (n, n_axes).

    Raises
    ------
    ValueError
        If its shape is wrong or it is not positive.
    """
    sizes = np.asarray(1.0 if spacing is None else spacing, dtype=float)
    if sizes.shape not in [(), (n_axes,), (n, n_axes)]:
        raise ValueError(
            f"spacing has shape {sizes.shape}, expected a number, {n_axes} numbers (one per axis "
            f"of an image) or shape ({n}, {n_axes})."
        )
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(f"spacing={spacing!r}: expected positive numbers.")
    return np.broadcast_to(sizes, (n, n_axes))


def edges(mask: Array) -> Array:
    """Return the pixels of a mask that share a face with a pixel outside it.

    Everything beyond the array is outside.
    """
    inner = mask.copy()
    for axis in range(mask.ndim):
        inside, whole = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        inside[1:] &= whole[:-1]
        inside[:-1] &= whole[1:]
        inside[0] = inside[-1] = False
    outline: Array = mask & ~inner
    return outline


def edge_distances(
    true: Array, pred: Array, spacing: Array, *, within: float = np.inf
) -> tuple[Array, Array]:
    """Return the distance from each edge pixel of one mask to the nearest one of the other.

    Parameters
    ----------
    true, pred : ndarray of bool, of one shape
        Masks. The distance to an empty mask is inf.
    spacing : ndarray of shape (n_axes,)
        Size of a pixel.
    within : float, default=inf
        Larger distances may be returned as inf.

    Returns
    -------
    from_true, from_pred : ndarray of shape (n_edge_pixels,)
        In the unit of ``spacing``.
    """
    t, p = edges(true), edges(pred)
    return _nearest(t, p, spacing, within), _nearest(p, t, spacing, within)


def _nearest(start: Array, end: Array, spacing: Array, within: float) -> Array:
    distances = np.zeros(np.count_nonzero(start))
    if not end.any():
        return np.full_like(distances, np.inf)
    apart = ~end[start]  # the others have distance 0
    if apart.any():
        # Contours are sparse, so a k-d tree is faster than a distance map of all pixels.
        tree = KDTree(np.argwhere(end) * spacing, compact_nodes=False, balanced_tree=False)
        points = np.argwhere(start & ~end) * spacing
        distances[apart] = tree.query(points, distance_upper_bound=within)[0]
    return distances
