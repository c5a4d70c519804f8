"""Which axes images are mirrored along, so that scores are averaged over all variants."""

from __future__ import annotations

import itertools
from typing import Literal


def mirrored_axes(tta: Literal["flip", "mirror"] | None, n_axes: int) -> list[tuple[int, ...]]:
    """Return the sets of axes along which images (n, C, *spatial) are mirrored.

    Parameters
    ----------
    tta : {"flip", "mirror"} or None
        All spatial axes, the last one, or none.
    n_axes : int
        Number of axes of the array of images.

    Examples
    --------
    >>> from sklearnloss._predict.mirroring import mirrored_axes
    >>> mirrored_axes("flip", 4), mirrored_axes("mirror", 4), mirrored_axes(None, 4)
    ([(), (2,), (3,), (2, 3)], [(), (3,)], [()])
    """
    if tta is None:
        return [()]
    if tta == "mirror":
        return [(), (n_axes - 1,)]
    spatial = range(2, n_axes)
    return [axes for k in range(n_axes - 1) for axes in itertools.combinations(spatial, k)]
