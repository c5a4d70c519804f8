"""Folder layouts: images with masks, or a folder of images per class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from .._utils.printable import printable
from ._file_names import first_few
from ._pairs import masks_beside, pair, plain_names
from ._walk import SUFFIXES, Walk, describe

# The second lines are the names used by nnU-Net, by mmsegmentation and for image pairs.
IMAGE_FOLDERS = (
    *("images", "image", "imgs", "img"),
    *("imagestr", "img_dir", "inputs", "input"),
)
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation"),
    *("labelstr", "ann_dir", "targets", "target", "gt", "ground_truth", "groundtruth"),
)
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}

# Names of folders that more likely hold images, or their masks, than a class.
_NO_CLASS = re.compile(
    r"image|img|input|label|mask|annot|segment|truth|target|^ann|^segs?$|^rois?$"
    r"|(?-i:^gt(?![a-z])|^GT(?![A-Za-z]))",
    re.IGNORECASE,
)

EXPECTED = (
    "Expected images/ and masks/ with files of the same names, a folder of images per class, "
    "X.npy and y.npy, or a .npz file with X and y"
)


@dataclass
class ImageFiles:
    """Image files, with the mask or the class of each.

    Attributes
    ----------
    images : list of Path
        One file per image.
    masks : list of Path or None
        Their masks, for segmentation.
    labels : list of str or None
        Their classes, for classification.
    names : list of str
        POSIX paths relative to the folder.
    others : list of str
        Files and folders that are left out.
    """

    images: list[Path]
    masks: list[Path] | None
    labels: list[str] | None
    names: list[str]
    others: list[str]

    @property
    def task(self) -> str:
        """What can be learned from the files."""
        return "classification" if self.masks is None else "segmentation"

    @property
    def names_in_class(self) -> list[str]:
        """Names without the folder of their class, which does not identify groups."""
        return self.names if self.labels is None else [n.partition("/")[2] for n in self.names]


def find_files(folder: Path, task: str = "auto", *, output: Path | None = None) -> ImageFiles:
    """Find the images of a folder, and their masks or classes.

    Parameters
    ----------
    folder : Path
        The folder.
    task : {"auto", "classification", "segmentation"}, default="auto"
        "auto" is segmentation if there are a folder of images and one of masks.
    output : Path, default=None
        A folder of results, which is left out.

    Returns
    -------
    files : ImageFiles
        Sorted by name.

    Raises
    ------
    ValueError
        If the folder has neither layout, or could have both; if images and masks do not
        pair.
    """
    walk = Walk(output)
    children = walk.children(folder)
    folders = [child for child in children if child.is_dir()]
    _refuse_splits(folder, folders)
    _refuse_folder_per_image(folder, folders)
    images = _one_called(IMAGE_FOLDERS, "images", folders, walk)
    masks = _one_called(MASK_FOLDERS, "masks", folders, walk)
    if task == "classification" or (task == "auto" and images is None and masks is None):
        return _class_folders(folder, children, walk, may_be_masks=task == "auto")
    if images is None or masks is None:
        raise ValueError(
            f"{str(folder)!r} holds {_listing(children)}. For segmentation, expected a folder "
            f"called images, and one called masks, labels or annotations. If these are classes, "
            f"pass --task classification."
        )
    files = _pairs(images, masks, walk)
    top = [describe(child) for child in children if child not in (images, masks)]
    files.others = [*top, *files.others]
    return files


def _refuse_splits(folder: Path, folders: Sequence[Path]) -> None:
    if folders and {child.name.lower() for child in folders} <= SPLITS:
        raise ValueError(
            f"{str(folder)!r} holds {_listing(folders)}, which are not classes. Pass one of them "
            f"as DATA, such as {str(folders[0])!r}: it is split into folds."
        )


def _refuse_folder_per_image(folder: Path, folders: Sequence[Path]) -> None:
    """Refuse a folder per image with its masks in it, which would be taken for images."""
    both = [child for child in folders if _has(child, IMAGE_FOLDERS) and _has(child, MASK_FOLDERS)]
    if not both:
        return
    if len(folders) == 1:
        raise ValueError(
            f"{str(folder)!r} holds only {_listing(folders)}. Pass that as DATA: {str(both[0])!r}."
        )
    raise ValueError(
        f"{str(folder)!r} holds {len(both)} folders with separate images and masks, such as "
        f"{str(both[0])!r}. Expected one folder called images and one called masks for all. If "
        f"each object has a separate mask file, as in the 2018 Data Science Bowl, merge those of "
        f"an image: mask1 | mask2. For classification, move the masks away."
    )


def _has(folder: Path, names: Sequence[str]) -> bool:
    return any(child.name.lower() in names and child.is_dir() for child in folder.iterdir())


def _one_called(
    names: Sequence[str], what: str, folders: Sequence[Path], walk: Walk
) -> Path | None:
    """Return the subfolder that has one of the names, ignoring case."""
    found = [child for child in folders if child.name.lower() in names]
    if len(found) > 1:
        found = [child for child in found if walk.images(child)[0]] or found[:1]
    if len(found) > 1:
        raise ValueError(
            f"{_listing(found)} could all be the folder of {what}. Move the others out of "
            f"{str(found[0].parent)!r}."
        )
    return found[0] if found else None


def _pairs(images: Path, masks: Path, walk: Walk) -> ImageFiles:
    image_files, other_images = walk.images(images)
    mask_files, other_masks = walk.images(masks)
    for folder, files in ((images, image_files), (masks, mask_files)):
        if not files:
            raise ValueError(f"{str(folder)!r} holds no images. Expected {_kinds()}.")
    names = [file.relative_to(images).as_posix() for file in image_files]
    partners = pair(names, [file.relative_to(masks).as_posix() for file in mask_files])
    chosen = [mask_files[partner] for partner in partners]
    return ImageFiles(image_files, chosen, None, names, other_images + other_masks)


def _class_folders(
    folder: Path, children: Sequence[Path], walk: Walk, *, may_be_masks: bool
) -> ImageFiles:
    found = ImageFiles([], None, [], [], [describe(c) for c in children if not c.is_dir()])
    inside: dict[str, list[str]] = {}
    empty = []
    for child in [child for child in children if child.is_dir()]:
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
        raise ValueError(f"{str(folder)!r} holds {_listing(children)}. {EXPECTED}.")
    if may_be_masks:
        _refuse_unclear(folder, inside)
    if empty:
        raise ValueError(
            f"{str(folder)!r} has a folder per class, but there are no images in "
            f"{first_few(empty)}. Expected {_kinds()}."
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
            f"classification. For segmentation, call the folders images and masks."
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


def _listing(children: Sequence[Path]) -> str:
    return first_few([describe(child) for child in children]) or "nothing"


def _kinds() -> str:
    return f"files that end in {', '.join(sorted(SUFFIXES))}"
