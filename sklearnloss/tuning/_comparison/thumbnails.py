"""Small pictures of some images, for reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.pipeline import last_step
from ...estimators._displays.chosen_images import take
from ...estimators._displays.planes import as_picture, plane
from .held_out import shrink

Array = NDArray[Any]


def thumbnails(estimator: Any, X: Any, positions: Sequence[int]) -> dict[int, Array]:
    """Return thumbnails of some images, by position.

    Parameters
    ----------
    estimator : image estimator, or pipeline that ends in one
        Knows the order of the axes of images.
    X : array-like, list of files or arrays, or torch Dataset
        All images.
    positions : list of int
        The images to return.

    Returns
    -------
    pictures : dict of int to ndarray of shape (H, W) or (H, W, 3), uint8
        Sides are at most 160 pixels. Empty if X has no images, such as when a pipeline
        creates them from something else.
    """
    part = last_step(estimator)[1]
    try:
        samples = list(part._samples(take(X, positions)))
        return {k: as_thumbnail(image) for k, (image, _) in zip(positions, samples, strict=True)}
    except (TypeError, ValueError):  # a report without pictures is better than none
        return {}


def as_thumbnail(image: Any) -> Array:
    """Return an image tensor (C, *spatial) as a small picture, as :func:`thumbnails` does."""
    array = np.asarray(image.float() if image.is_floating_point() else image)
    masked = np.isnan(array)
    if masked.any():
        array = np.where(masked, 0 if masked.all() else array[~masked].mean(), array)
    picture = as_picture(plane(array, array.ndim - 1, None))
    small = np.moveaxis(shrink(np.moveaxis(picture, (0, 1), (-2, -1))), (-2, -1), (0, 1))
    codes: Array = (255 * small).round().astype(np.uint8)
    return codes
