"""Pairing of images and masks by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from .._utils.printable import printable
from ._file_names import first_few, stem

_IMAGE = "image|img|im"
_MASK = r"cp_masks?|masks?|labels?|seg|segmentation|annotations?|gt|ground_?truth"
_GAP = r"[_\-. ]"
_IMAGE_END = re.compile(rf"{_GAP}({_IMAGE}|0000)$", re.IGNORECASE)
_MASK_END = re.compile(rf"{_GAP}({_MASK})$", re.IGNORECASE)
_IMAGE_START = re.compile(rf"(?<![^/])({_IMAGE}){_GAP}(?=[^/]+$)", re.IGNORECASE)
_MASK_START = re.compile(rf"(?<![^/])({_MASK}){_GAP}(?=[^/]+$)", re.IGNORECASE)
_NUMBERED = re.compile(rf"{_GAP}({_MASK})({_GAP}?\d+)?$", re.IGNORECASE)
_CHANNEL = re.compile(r"_\d{4}$")

Key = Callable[[str], str]


def pair(images: Sequence[str], masks: Sequence[str]) -> list[list[int]]:
    """Return the positions of each image's mask, or masks.

    Names must be the same, except for the file extension and an ending or a beginning such
    as ``_mask``, ``_image``, ``mask_`` or ``img_``, and upper and lower case. Several masks
    of an image are numbered: ``_mask_1``, ``_mask_2``; or they lie in a folder called like it.

    Parameters
    ----------
    images, masks : sequence of str
        Paths relative to their folders.

    Returns
    -------
    partners : list of list of int
        Positions in ``masks``.

    Raises
    ------
    ValueError
        If an image or a mask has no partner, or it is unclear which one.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import pair
    >>> pair(["a.tif", "b.tif"], ["b_mask.png", "a_mask.png"])
    [[1], [0]]
    >>> pair(["a.tif", "b.tif"], ["a_mask_1.png", "a_mask_2.png", "b_mask_1.png"])
    [[0, 1], [2]]
    >>> pair(["a.tif", "b.tif"], ["a/1.png", "a/2.png", "b/1.png"])
    [[0, 1], [2]]
    """
    for of_image, of_mask in _RULES:
        if {of_image(name) for name in images} == {of_mask(name) for name in masks}:
            found_images, found_masks = _by_key(images, of_image), _by_key(masks, of_mask)
            return [[found_masks[key]] for key in found_images]
    for of_mask in (_without_number, _folder):
        together: dict[str, list[int]] = {}
        for position, name in enumerate(masks):
            together.setdefault(of_mask(name), []).append(position)
        several = any(len(found) > 1 for found in together.values())
        if several and together.keys() == {stem(name) for name in images}:
            _by_key(masks, _without_mask_end)
            return [together[stem(name)] for name in images]
    raise ValueError(_explain(images, masks))


def _without_image_end(name: str) -> str:
    return _IMAGE_END.sub("", stem(name))


def _without_mask_end(name: str) -> str:
    return _MASK_END.sub("", stem(name))


def _without_number(name: str) -> str:
    return _NUMBERED.sub("", stem(name))


def _folder(name: str) -> str:
    return str(PurePosixPath(stem(name)).parent)


def _without_image_start(name: str) -> str:
    return _IMAGE_START.sub("", stem(name))


def _without_mask_start(name: str) -> str:
    return _MASK_START.sub("", stem(name))


def _fold(key: Key) -> Key:
    return lambda name: key(name).casefold()


# The first rule by which all names pair is used.
_RULES: Sequence[tuple[Key, Key]] = (
    (stem, stem),
    (_without_image_end, _without_mask_end),
    (_without_image_start, _without_mask_start),
    (_fold(stem), _fold(stem)),
    (_fold(_without_image_end), _fold(_without_mask_end)),
)


def _explain(images: Sequence[str], masks: Sequence[str]) -> str:
    of_image = _by_key(images, _without_image_end)
    of_mask = _by_key(masks, _without_mask_end)
    if {_folder(name) for name in masks} & of_image.keys():  # a folder of masks for each image
        of_mask = {_folder(name): k for k, name in enumerate(masks)}
    _refuse_channels(images, of_image, of_mask)
    lonely_images = [images[k] for key, k in of_image.items() if key not in of_mask]
    lonely_masks = [masks[k] for key, k in of_mask.items() if key not in of_image]
    return (
        "Images and masks do not pair."
        + (f" Without a mask: {first_few(lonely_images)}." if lonely_images else "")
        + (f" Without an image: {first_few(lonely_masks)}." if lonely_masks else "")
        + " Expected the same names except for the file extension; those of masks may end in "
        + "_mask or _label. For other names, pass --images and --masks with patterns, such as "
        + "--images 'images/*.tif' --masks 'masks/*_m.png'."
    )


def plain_names(names: Sequence[str]) -> frozenset[str]:
    """Return names without extension, and without an ending such as ``_mask`` or ``_image``.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import plain_names
    >>> plain_names(["a_image.jpg"]) == plain_names(["a_mask.png"])
    True
    """
    return frozenset(_MASK_END.sub("", _without_image_end(name)) for name in names)


def masks_beside(names: Sequence[str]) -> list[str]:
    """Return those names that belong to masks of other files.

    Examples
    --------
    >>> from sklearnloss._compare_command._pairs import masks_beside
    >>> masks_beside(["a.png", "a_mask.png", "b_mask.png"])
    ['a_mask.png']
    >>> masks_beside(["img_1.png", "mask_1.png", "b.png", "b_mask_1.png", "b_mask_2.png"])
    ['mask_1.png', 'b_mask_1.png', 'b_mask_2.png']
    """
    plain = {stem(name) for name in names}
    known = {*plain, *map(_without_image_end, names), *map(_without_image_start, names)}
    return [
        name
        for name in names
        if any(
            short != stem(name) and short in known
            for short in (_without_number(name), _without_mask_start(name))
        )
    ]


def _refuse_channels(
    images: Sequence[str], of_image: dict[str, int], of_mask: dict[str, int]
) -> None:
    """Refuse the channels of one image in separate files, unless the layout is nnU-Net's."""
    further = [
        images[k]
        for key, k in of_image.items()
        if key not in of_mask and _CHANNEL.sub("", key) in of_mask
    ]
    if further:
        raise ValueError(
            f"{first_few(further)}: further channels of an image? Expected one file per image, "
            f"with all its channels, such as a TIFF; or the folders imagesTr and labelsTr of "
            f"nnU-Net, in which they are joined."
        )


def _by_key(names: Sequence[str], key: Key) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        first = found.setdefault(key(name), position)
        if first != position:
            raise ValueError(
                f"{printable(names[first])} and {printable(name)} have the same name except for "
                f"their endings, or upper and lower case. Expected one file per image: move one of "
                f"them away."
            )
    return found
