"""Images and masks by patterns of their names, as in ``--images 'raw/*.tif'``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ._file_names import first_few
from ._image_files import ImageFiles
from ._known_layouts import mask_items
from ._walk import Walk

_PART = re.compile(r"(\*\*/|\*|\?)")
_REGEX = {"**/": r"((?:.*/)?)", "*": r"([^/]*)", "?": r"([^/])"}


def find_by_patterns(folder: Path, images: str, masks: str, walk: Walk) -> ImageFiles:
    """Return the images and masks whose paths match patterns.

    An image and a mask belong together if the parts that match ``*`` are the same. If the
    pattern of masks has one ``*`` more, at any place after those, an image may have several
    masks.

    Parameters
    ----------
    folder : Path
        The folder.
    images, masks : str
        Patterns of paths relative to the folder; ``*`` is any part of a name, ``?`` any
        character, and ``**/`` any folders.
    walk : Walk
        What finds the files.

    Raises
    ------
    ValueError
        If a pattern is of no use, or images and masks do not pair; the first are named.
    """
    for option, pattern in (("--images", images), ("--masks", masks)):
        _check(option, pattern)
    files, others = walk.images(folder)
    names = {file.relative_to(folder).as_posix(): file for file in files}
    of_mask = _matches(masks, names)
    of_image = {name: key for name, key in _matches(images, names).items() if name not in of_mask}
    for option, pattern, found in (("--images", images, of_image), ("--masks", masks, of_mask)):
        if not found:
            raise ValueError(
                f"{option} {pattern!r} matches no images below {str(folder)!r}, which holds "
                f"{first_few(list(names)) or 'none'}. Expected paths relative to it."
            )
    n_parts = len(_PART.findall(images))
    by_key: dict[tuple[str, ...], list[str]] = {}
    for name, key in of_mask.items():
        by_key.setdefault(key[:n_parts], []).append(name)
    _check_pairs(images, masks, of_image, by_key, n_parts)
    chosen = mask_items([[names[each] for each in by_key[key]] for key in of_image.values()])
    left = [name for name in names if name not in of_image and name not in of_mask]
    layout = f"{images} with {masks}"
    found_names = list(of_image)
    return ImageFiles(
        [names[name] for name in found_names], chosen, None, found_names, [*others, *left], layout
    )


def _check(option: str, pattern: str) -> None:
    if not _PART.search(pattern):
        raise ValueError(
            f"{option} {pattern!r} has no *. Expected a pattern such as 'masks/*_m.png', in "
            f"quotes, so that the shell does not replace it by names of files."
        )
    if pattern.startswith(("/", "~")) or ".." in Path(pattern).parts:
        raise ValueError(f"{option} {pattern!r}: expected a path relative to DATA.")


def _matches(pattern: str, names: Sequence[str] | dict[str, Path]) -> dict[str, tuple[str, ...]]:
    """Return the parts of each matching name that the wildcards stand for."""
    pieces = _PART.split(unicodedata.normalize("NFC", pattern))
    compiled = re.compile("".join(_REGEX.get(piece, re.escape(piece)) for piece in pieces), re.S)
    found = {}
    for name in names:
        match = compiled.fullmatch(unicodedata.normalize("NFC", name))
        if match is not None:
            found[name] = match.groups()
    return found


def _check_pairs(
    images: str,
    masks: str,
    of_image: dict[str, tuple[str, ...]],
    by_key: dict[tuple[str, ...], list[str]],
    n_parts: int,
) -> None:
    n_of_masks = len(_PART.findall(masks))
    if n_of_masks not in (n_parts, n_parts + 1):
        raise ValueError(
            f"--images {images!r} has {n_parts} wildcards and --masks {masks!r} has {n_of_masks}. "
            f"Expected as many, since they pair images and masks, or one more for several masks "
            f"per image."
        )
    keys = set(of_image.values())
    lonely_images = [name for name, key in of_image.items() if key not in by_key]
    lonely_masks = [name for key, found in by_key.items() if key not in keys for name in found]
    if lonely_images or lonely_masks:
        raise ValueError(
            f"--images {images!r} and --masks {masks!r} do not pair."
            + (f" Without a mask: {first_few(lonely_images)}." if lonely_images else "")
            + (f" Without an image: {first_few(lonely_masks)}." if lonely_masks else "")
            + " Expected the same text in place of each *."
        )
    several = [found for found in by_key.values() if len(found) > 1]
    if several and n_of_masks == n_parts:  # names that differ in Unicode form alone
        raise ValueError(f"{first_few(several[0])} are masks of one image. Move one away.")
