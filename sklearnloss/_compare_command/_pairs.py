"""Which mask belongs to which image, by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from ._culprits import first_few

_IMAGE_ENDS = re.compile(r"[_\-. ](image|img|im|0000)$", re.IGNORECASE)
_MASK_ENDS = re.compile(
    r"[_\-. ](masks?|labels?|seg|segmentation|annotations?|gt|ground_?truth)$", re.IGNORECASE
)


def pair(images: Sequence[str], masks: Sequence[str]) -> list[int]:
    """Return for each image which mask is its own.

    Names are the same but for their suffix, and for an end such as ``_mask`` or
    ``_image``.

    Parameters
    ----------
    images, masks : sequence of str
        Paths inside their folders.

    Returns
    -------
    partners : list of int
        Positions in ``masks``.

    Raises
    ------
    ValueError
        If an image or a mask has no partner, or more than one.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import pair
    >>> pair(["a.tif", "b.tif"], ["b_mask.png", "a_mask.png"])
    [1, 0]
    """
    exact = {_stem(name) for name in images} == {_stem(name) for name in masks}
    of_image = _by_key(images, _stem if exact else lambda name: _IMAGE_ENDS.sub("", _stem(name)))
    of_mask = _by_key(masks, _stem if exact else lambda name: _MASK_ENDS.sub("", _stem(name)))
    lonely_images = [images[k] for key, k in of_image.items() if key not in of_mask]
    lonely_masks = [masks[k] for key, k in of_mask.items() if key not in of_image]
    if lonely_images or lonely_masks:
        raise ValueError(
            "Images and masks do not pair."
            + (f" Without a mask: {first_few(lonely_images)}." if lonely_images else "")
            + (f" Without an image: {first_few(lonely_masks)}." if lonely_masks else "")
            + " Expected the same names but for the suffix; a mask's may end in _mask or _label."
        )
    return [of_mask[key] for key in of_image]


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _by_key(names: Sequence[str], key: Callable[[str], str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        first = found.setdefault(key(name), position)
        if first != position:
            raise ValueError(
                f"{names[first]} and {name} have the same name but for their ends. Expected one "
                f"file per image: move one of them away."
            )
    return found
