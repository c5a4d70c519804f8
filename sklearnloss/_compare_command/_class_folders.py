"""A folder of images per class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from .._utils.guides import MY_DATA
from .._utils.printable import printable
from ._file_names import first_few
from ._image_files import CLASS_FOLDERS, ImageFiles
from ._pairs import masks_beside, plain_names
from ._walk import Walk, describe, kinds, listing

# Names of folders that more likely hold images, or their masks, than a class.
_NO_CLASS = re.compile(
    r"image|img|input|label|mask|annot|segment|truth|target|^ann|^segs?$|^rois?$"
    r"|(?-i:^gt(?![a-z])|^GT(?![A-Za-z]))",
    re.IGNORECASE,
)

EXPECTED = (
    "Expected images/ and masks/ with files of the same names, a folder of images per class, "
    f"X.npy and y.npy, or a .npz file with X and y; see {MY_DATA}"
)


def find_classes(
    folder: Path, children: Sequence[Path], walk: Walk, *, may_be_masks: bool
) -> ImageFiles:
    """Return the images of each class.

    Parameters
    ----------
    folder : Path
        The folder.
    children : sequence of Path
        Its contents.
    walk : Walk
        What finds the files.
    may_be_masks : bool
        Whether to refuse folders that may hold images and their masks.

    Raises
    ------
    ValueError
        If there are not two or more classes, or they may be something else.
    """
    found = ImageFiles([], None, [], [], [describe(c) for c in children if not walk.is_folder(c)])
    found.layout = CLASS_FOLDERS
    inside: dict[str, list[str]] = {}
    empty = []
    for child in [child for child in children if walk.is_folder(child)]:
        files, others = walk.images(child)
        label = printable(child.name)
        if label in (found.labels or []):
            raise ValueError(f"Two folders of {str(folder)!r} are shown as {label}. Rename one.")
        inside[child.name] = [file.relative_to(child).as_posix() for file in files]
        _refuse_masks_beside(child, inside[child.name])
        found.images += files
        found.labels = [*(found.labels or []), *[label] * len(files)]
        found.names += [file.relative_to(folder).as_posix() for file in files]
        found.others += others
        if not files:
            empty.append(child.name)
    n_classes = len(set(found.labels or []))
    if n_classes < 2:
        inside_it = [child for child in children if walk.is_folder(child)]
        deeper = len(inside_it) == 1 and any(map(walk.is_folder, inside_it[0].iterdir()))
        hint = f" Or pass the folder in it as DATA: {str(inside_it[0])!r}." if deeper else ""
        raise ValueError(f"{str(folder)!r} holds {listing(children)}. {EXPECTED}.{hint}")
    if may_be_masks:
        _refuse_unclear(folder, inside)
    if empty:
        raise ValueError(
            f"{str(folder)!r} has a folder per class, but there are no images in "
            f"{first_few(empty)}. Expected {kinds()}."
        )
    return found


def _refuse_masks_beside(folder: Path, names: Sequence[str]) -> None:
    """Refuse masks among the images of a class, which would be taken for images."""
    masks = masks_beside(names)
    if masks:
        raise ValueError(
            f"{str(folder)!r} holds masks as well as images: {first_few(masks)}. For segmentation, "
            f"move all images to a folder called images, and all masks to one called masks, with "
            f"the same subfolders. For classification, move the masks away."
        )


def _refuse_unclear(folder: Path, inside: dict[str, list[str]]) -> None:
    """Refuse folders that could hold either classes, or images and their masks."""
    why = ""
    named = [name for name in inside if _NO_CLASS.search(name)]
    same = _folders_of_same_names({name: plain_names(f) for name, f in inside.items() if f})
    if same:
        why = f"{printable(same[0])}/ and {printable(same[1])}/ hold the same file names"
    if named and not why:
        why = f"{first_few(named)} sounds like images or masks"
    if why:
        raise ValueError(
            f"{str(folder)!r} holds {first_few([f'{name}/' for name in inside])}: are these "
            f"classes, or images and their masks? {why}. If they are classes, pass --task "
            f"classification. For segmentation, call the folders images and masks, or pass "
            f"--images and --masks with patterns. See {MY_DATA}."
        )


def _folders_of_same_names(names: dict[str, frozenset[str]]) -> tuple[str, str] | None:
    """Return two folders with the same file names; of two or three, one may lack some names."""
    first: dict[frozenset[str], str] = {}
    for folder, found in names.items():
        other = first.setdefault(found, folder)
        if other != folder:
            return other, folder
    for one, other in combinations(names, 2) if len(names) <= 3 else ():
        if names[one] <= names[other] or names[other] <= names[one]:
            return one, other
    return None
