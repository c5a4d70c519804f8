"""Pairing of images and masks by their names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from .._utils.printable import printable
from ._file_names import first_few

_IMAGE_ENDS = re.compile(r"[_\-. ](image|img|im|0000)$", re.IGNORECASE)
_MASK_ENDS = re.compile(
    r"[_\-. ](masks?|labels?|seg|segmentation|annotations?|gt|ground_?truth)$", re.IGNORECASE
)
_CHANNEL = re.compile(r"_\d{4}$")


def pair(images: Sequence[str], masks: Sequence[str]) -> list[int]:
    """Return the position of each image's mask.

    Names must be the same, except for the file extension and an ending such as ``_mask``
    or ``_image``.

    Parameters
    ----------
    images, masks : sequence of str
        Paths relative to their folders.

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
    _refuse_channels(images, of_image, of_mask)
    lonely_images = [images[k] for key, k in of_image.items() if key not in of_mask]
    lonely_masks = [masks[k] for key, k in of_mask.items() if key not in of_image]
    if lonely_images or lonely_masks:
        raise ValueError(
            "Images and masks do not pair."
            + (f" Without a mask: {first_few(lonely_images)}." if lonely_images else "")
            + (f" Without an image: {first_few(lonely_masks)}." if lonely_masks else "")
            + " Expected the same names except for the file extension; those of masks may end in "
            + "_mask or _label."
        )
    return [of_mask[key] for key in of_image]


def plain_names(names: Sequence[str]) -> frozenset[str]:
    """Return names without extension, and without an ending such as ``_mask`` or ``_image``.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import plain_names
    >>> plain_names(["a_image.jpg"]) == plain_names(["a_mask.png"])
    True
    """
    return frozenset(_MASK_ENDS.sub("", _IMAGE_ENDS.sub("", _stem(name))) for name in names)


def masks_beside(names: Sequence[str]) -> list[str]:
    """Return those names that belong to masks of other files.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import masks_beside
    >>> masks_beside(["a.png", "a_mask.png", "b_mask.png"])
    ['a_mask.png']
    """
    stems = {_stem(name) for name in names}
    bare = {name: _MASK_ENDS.sub("", _stem(name)) for name in names}
    return [name for name in names if bare[name] != _stem(name) and bare[name] in stems]


def _refuse_channels(
    images: Sequence[str], of_image: dict[str, int], of_mask: dict[str, int]
) -> None:
    """Refuse the channels of one image in separate files, as nnU-Net stores them."""
    further = [
        images[k]
        for key, k in of_image.items()
        if key not in of_mask and _CHANNEL.sub("", key) in of_mask
    ]
    if further:
        raise ValueError(
            f"{first_few(further)}: further channels of an image? Expected one file per image, "
            f"with all its channels, such as a TIFF."
        )


def _stem(name: str) -> str:
    # macOS encodes some letters differently from other systems.
    return unicodedata.normalize("NFC", str(PurePosixPath(name).with_suffix("")))


def _by_key(names: Sequence[str], key: Callable[[str], str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        first = found.setdefault(key(name), position)
        if first != position:
            raise ValueError(
                f"{printable(names[first])} and {printable(name)} have the same name except for "
                f"their endings. Expected one file per image: move one of them away."
            )
    return found
