"""Layouts of well-known data sets: Pascal VOC, the 2018 Data Science Bowl, and one folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .._files.mask_files import MaskFiles
from .._utils.text import plural
from ._file_names import first_few, stem
from ._image_files import TWO_FOLDERS, ImageFiles, MaskItem
from ._pairs import masks_beside, pair
from ._walk import Walk, describe, listing, may_be_read

_VOC = ("JPEGImages", "SegmentationClass")
_VOC_IGNORED = 255
# Other files that Cellpose writes beside an image.
_OF_CELLPOSE = re.compile(r"(.*)(_flows|_cp_output|_cp_outlines|_dP|_cellprob)", re.DOTALL)
_PICKLED = "_seg.npy"


def find_voc(folder: Path, children: Sequence[Path], walk: Walk) -> ImageFiles | None:
    """Return the images of a folder like that of Pascal VOC that have a mask of classes."""
    named = {child.name: child for child in children if child.is_dir()}
    if not all(name in named for name in _VOC):
        return None
    images, masks = (named[name] for name in _VOC)
    image_files, other_images = walk.images(images)
    mask_files, other_masks = walk.images(masks)
    if not mask_files:
        raise ValueError(f"{str(masks)!r} holds no masks. Expected PNG files with palettes.")
    names = {stem(file.relative_to(masks).as_posix()) for file in mask_files}
    chosen = [f for f in image_files if stem(f.relative_to(images).as_posix()) in names]
    files = paired(images, chosen, masks, mask_files)
    files.layout = "Pascal VOC"
    files.ignore_index = _VOC_IGNORED
    top = [describe(child) for child in children if child not in (images, masks)]
    files.others = [*top, *other_images, *other_masks]
    left = len(image_files) - len(chosen)
    if left:
        files.notes.append(f"{plural(left, 'image')} without a mask of classes left out")
    return files


def find_folder_per_image(
    folder: Path, folders: Sequence[tuple[Path, Path | None, Path | None]], walk: Walk
) -> ImageFiles | None:
    """Return the images of folders that each hold one image, and a mask file for each object.

    Parameters
    ----------
    folder : Path
        The folder of all.
    folders : sequence of (Path, Path or None, Path or None)
        Each subfolder, its folder of images and its folder of masks.
    walk : Walk
        What finds the files.

    Returns
    -------
    files : ImageFiles or None
        None if a folder holds several images.

    Raises
    ------
    ValueError
        If a folder holds no image, or no mask.
    """
    found = ImageFiles([], [], None, [], [], "a folder per image")
    masks: list[list[Path]] = []
    lacking = []
    for child, images, own_masks in folders:
        image_files, others = ([], []) if images is None else walk.images(images)
        mask_files, other_masks = ([], []) if own_masks is None else walk.images(own_masks)
        if len(image_files) > 1:
            return None
        if not image_files or not mask_files:
            lacking.append(f"{child.name}/ (no {'mask' if image_files else 'image'})")
            continue
        found.images += image_files
        masks.append(mask_files)
        found.names.append(image_files[0].relative_to(folder).as_posix())
        found.others += [*others, *other_masks]
    if lacking:
        raise ValueError(
            f"{str(folder)!r} has a folder per image, but {len(lacking)} of {len(folders)} lack "
            f"an image or its masks: {first_few(lacking)}. Move them away."
        )
    found.masks = mask_items(masks)
    if found.has_object_files:
        found.layout = "a folder per image, with a mask file per object"
        found.objects = True
    return found


def find_one_folder(folder: Path, children: Sequence[Path], walk: Walk) -> ImageFiles | None:
    """Return images with their masks beside them, in one folder or in its subfolders.

    Returns
    -------
    files : ImageFiles or None
        None if there are no masks, or images without one.

    Raises
    ------
    ValueError
        If the only masks are pickles of Cellpose; or if there are masks, but not for all
        images, in a folder without subfolders.
    """
    deep = not any(may_be_read(child) for child in children)
    files, others = _files_of(folder, children, walk, deep=deep)
    names = [file.relative_to(folder).as_posix() for file in files]
    left = _leftovers(names, files)
    names = [name for name in names if name not in left]
    masks = masks_beside(names)
    images = [name for name in names if name not in masks]
    if not masks:
        return None
    try:
        partners = pair(images, masks)
    except ValueError as error:
        if deep:
            return None  # some classes may have masks
        raise ValueError(f"{str(folder)!r} holds images beside their masks. {error}") from error
    chosen = mask_items([[folder / masks[k] for k in positions] for positions in partners])
    top = [] if deep else [describe(child) for child in children if walk.is_folder(child)]
    found = ImageFiles([folder / name for name in images], chosen, None, images, [])
    found.others = [*top, *others, *left]
    found.objects = all(stem(name).lower().endswith("_cp_masks") for name in masks)
    found.layout = "Cellpose" if found.objects else "images beside their masks"
    return found


def _files_of(
    folder: Path, children: Sequence[Path], walk: Walk, *, deep: bool
) -> tuple[list[Path], list[str]]:
    """Return the images in a folder, or in its subfolders, and the names of other files."""
    if not deep:
        return walk.images(folder, deep=False)
    files, others = [], [describe(child) for child in children if not child.is_dir()]
    for child in [child for child in children if child.is_dir()]:
        found, left = walk.images(child)
        files += found
        others += left
    return files, others


def _leftovers(names: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Return the files that Cellpose writes for its own use.

    Raises
    ------
    ValueError
        If there are no other masks than its pickles.
    """
    stems = {stem(name) for name in names}
    left = []
    for name in names:
        match = _OF_CELLPOSE.fullmatch(stem(name))
        if match is not None and match[1] in stems:
            left.append(name)
    pickles = [
        name
        for name, file in zip(names, files, strict=True)
        if name.endswith(_PICKLED) and is_pickle(file)
    ]
    refuse_pickles([n for n in pickles if not _has_other_mask(n.removesuffix(_PICKLED), stems)])
    return [*left, *pickles]


def _has_other_mask(name: str, stems: set[str]) -> bool:
    return bool({f"{name}_masks", f"{name}_cp_masks", f"{name}_mask"} & stems)


def is_pickle(path: Path) -> bool:
    """Return whether a .npy file holds Python objects, judged by its header."""
    if path.suffix.lower() != ".npy" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"'|O'" in file.read(128)


def refuse_pickles(names: Sequence[str]) -> None:
    """Raise a ValueError if there are masks that only Python's pickle can read."""
    if names:
        raise ValueError(
            f"{first_few(names)}: Cellpose stores masks there as a pickle, which can run code "
            f"when it is opened, so it is not read. Save them as pictures: in Cellpose's window, "
            f"File > Save masks as PNG/tif; on its command line, --save_tif; in Python, "
            f"cellpose.io.save_masks."
        )


def paired(
    images: Path, image_files: Sequence[Path], masks: Path, mask_files: Sequence[Path]
) -> ImageFiles:
    """Return images with the masks that have the same names in another folder."""
    names = [file.relative_to(images).as_posix() for file in image_files]
    partners = pair(names, [file.relative_to(masks).as_posix() for file in mask_files])
    chosen = mask_items([[mask_files[k] for k in positions] for positions in partners])
    return ImageFiles(list(image_files), chosen, None, names, [], TWO_FOLDERS)


def mask_items(files: Sequence[Sequence[Path]]) -> list[MaskItem]:
    """Return the only mask file of each image, or, if one image has several, all of each."""
    several = any(len(each) > 1 for each in files)
    return [MaskFiles(each) if several else each[0] for each in files]


def refuse_other_pairs(folder: Path, folders: Sequence[Path], names: Sequence[Path]) -> None:
    """Refuse several folders that each hold images and masks."""
    if len(folders) == 1:
        raise ValueError(
            f"{str(folder)!r} holds only {listing(folders)}. Pass that as DATA: {str(names[0])!r}."
        )
    raise ValueError(
        f"{str(folder)!r} holds {len(names)} folders with separate images and masks, such as "
        f"{str(names[0])!r}. Pass one of them as DATA; or join them with patterns: "
        f"--images '*/images/*' --masks '*/masks/*'. For classification, move the masks away."
    )
