"""One annotated microscopy image."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

Array = NDArray[Any]

BACKGROUND, NUCLEUS, BORDER = 0, 1, 2


@overload
def load_nuclei(
    *, border: bool = ..., tile: int = ..., instances: Literal[False] = ...
) -> tuple[Array, Array, Array]: ...
@overload
def load_nuclei(
    *, border: bool = ..., tile: int = ..., instances: Literal[True]
) -> tuple[Array, Array]: ...
def load_nuclei(
    *, border: bool = True, tile: int = 64, instances: bool = False
) -> tuple[Array, Array, Array] | tuple[Array, Array]:
    """Load a fluorescence microscopy image with 125 annotated nuclei.

    One image of 512 x 512 pixels from the 2018 Data Science Bowl, released under
    CC0 1.0, cut into tiles. The border, a rim of one pixel inside each nucleus,
    is a rare third class: about 80 % of the pixels are background, 16 % nucleus
    and 4 % border.

    Parameters
    ----------
    border : bool, default=True
        Whether the border is a separate class.
    tile : int, default=64
        Side of the tiles in pixels; a divisor of 256.
    instances : bool, default=False
        If True, return the whole image and the number of the nucleus at each pixel.

    Returns
    -------
    X : ndarray of shape (n_tiles, tile, tile), uint8
        Tiles of the image.
    y : ndarray of shape (n_tiles, tile, tile), uint8
        0 background, 1 nucleus, 2 border.
    groups : ndarray of shape (n_tiles,), int
        The quadrant of the image, 0 to 3. Use it for cross-validation, since tiles next
        to each other may share nuclei.
    image, labels : ndarray of shape (512, 512), uint8
        Returned instead if ``instances=True``; label 0 is background.

    References
    ----------
    J. C. Caicedo et al., "Nucleus segmentation across imaging experiments: the
    2018 Data Science Bowl", Nature Methods 16, 2019. Image set BBBC038 of the
    Broad Bioimage Benchmark Collection. https://doi.org/10.1038/s41592-019-0612-7

    Examples
    --------
    >>> from sklearnloss.datasets import load_nuclei
    >>> X, y, groups = load_nuclei()
    >>> X.shape, y.shape, sorted(set(groups.tolist()))
    ((64, 64, 64), (64, 64, 64), [0, 1, 2, 3])
    >>> image, labels = load_nuclei(instances=True)
    >>> int(labels.max())
    125
    """
    with np.load(str(files(__package__) / "data" / "nuclei.npz")) as data:
        image, labels = data["image"], data["labels"]
    if instances:
        return image, labels
    if not 1 <= tile <= 256 or 256 % tile:
        raise ValueError(f"tile={tile!r}: expected a divisor of 256, so that tiles fit quadrants.")
    masks = (labels > 0).astype(np.uint8)
    if border:
        masks[_is_rim(labels)] = BORDER
    quadrant = np.zeros(image.shape, dtype=int)
    quadrant[:, 256:] += 1
    quadrant[256:] += 2
    return _cut(image, tile), _cut(masks, tile), _cut(quadrant, tile)[:, 0, 0]


def _is_rim(labels: Array) -> Array:
    """Find the pixels of nuclei that touch another nucleus or the background."""
    mixed: Array = maximum_filter(labels, 3) != minimum_filter(labels, 3)
    return mixed & (labels > 0)


def _cut(image: Array, tile: int) -> Array:
    rows, columns = image.shape[0] // tile, image.shape[1] // tile
    tiles = image.reshape(rows, tile, columns, tile).swapaxes(1, 2)
    return np.ascontiguousarray(tiles.reshape(-1, tile, tile))
