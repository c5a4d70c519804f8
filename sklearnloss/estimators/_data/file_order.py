"""A warning about lists of image and mask files in different orders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path


def warn_of_order(images: Sequence[Path], masks: Sequence[Path]) -> None:
    """Warn if file names pair images with other masks than their positions do.

    ``glob`` lists files in arbitrary order, and ``sorted`` puts "10" before "2": two lists
    that were made in different ways hold the same names in different orders.

    Parameters
    ----------
    images, masks : sequence of Path, of the same length
        The files in the order in which they are paired. Prefixes and suffixes that are
        common to all images, or to all masks, as in "001_mask.png", are disregarded.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sklearnloss.estimators._data.file_order import warn_of_order
    >>> warn_of_order([Path("1.png"), Path("2.png")], [Path("1_mask.png"), Path("2_mask.png")])
    """
    own, other = _keys(images), _keys(masks)
    if own == other or len(set(own)) < len(own) or set(own) != set(other):
        return
    first = next(k for k, (a, b) in enumerate(zip(own, other, strict=True)) if a != b)
    warnings.warn(
        f"X[{first}] is {images[first].name!r}, but y[{first}] is {masks[first].name!r}: by their "
        f"names, images and masks are in different orders. Sort both lists by name.",
        UserWarning,
        stacklevel=2,
    )


def _keys(paths: Sequence[Path]) -> list[str]:
    """Return the stems of files without their common prefix and suffix."""
    stems = [path.stem for path in paths]
    before = len(os.path.commonprefix(stems))  # noqa: RUF071  # by characters
    stems = [stem[before:] for stem in stems]
    after = len(os.path.commonprefix([stem[::-1] for stem in stems]))  # noqa: RUF071
    return [stem[: len(stem) - after] for stem in stems]
