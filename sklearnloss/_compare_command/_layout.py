"""Recognition of the layout of a folder: images with masks, or a folder of images per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .._utils.guides import MY_DATA
from ._class_folders import find_classes
from ._image_files import ImageFiles
from ._known_layouts import find_folder_per_image, find_one_folder, find_voc, refuse_other_pairs
from ._mask_folders import IMAGE_FOLDERS, MASK_FOLDERS, SPLITS, find_masked, folder_called
from ._patterns import find_by_patterns
from ._walk import Walk, listing


def find_files(
    folder: Path,
    task: str = "auto",
    *,
    output: Path | None = None,
    images: str | None = None,
    masks: str | None = None,
) -> ImageFiles:
    """Find the images of a folder, and their masks or classes.

    Parameters
    ----------
    folder : Path
        The folder.
    task : {"auto", "classification", "segmentation"}, default="auto"
        "auto" is segmentation if there are masks beside the images, or folders of both.
    output : Path, default=None
        A folder of results, which is left out.
    images, masks : str, default=None
        Patterns of the paths of images and masks.

    Returns
    -------
    files : ImageFiles
        Sorted by name.

    Raises
    ------
    ValueError
        If the folder has no known layout, or could have several; if images and masks do not
        pair.
    """
    walk = Walk(output)
    if images is not None and masks is not None:
        return find_by_patterns(folder, images, masks, walk)
    children = walk.children(folder)
    folders = [child for child in children if walk.is_folder(child)]
    _refuse_splits(folder, folders)
    found = _folder_per_image(folder, folders, walk, task)
    if found is None and task != "classification":
        found = find_voc(folder, children, walk)
    if found is not None:
        return found
    image_folder = folder_called(IMAGE_FOLDERS, "images", folders, walk)
    mask_folder = folder_called(MASK_FOLDERS, "masks", folders, walk)
    if task == "classification" or (task == "auto" and image_folder is mask_folder is None):
        beside = None if task == "classification" else find_one_folder(folder, children, walk)
        return beside or find_classes(folder, children, walk, may_be_masks=task == "auto")
    if image_folder is None or mask_folder is None:
        beside = find_one_folder(folder, children, walk) if mask_folder is None else None
        if beside is not None:
            return beside
        raise ValueError(
            f"{str(folder)!r} holds {listing(children)}. For segmentation, expected a folder "
            f"called images, and one called masks, labels or annotations; or pass --images and "
            f"--masks with patterns. If these are classes, pass --task classification. "
            f"See {MY_DATA}."
        )
    return find_masked(children, image_folder, mask_folder, walk)


def _refuse_splits(folder: Path, folders: Sequence[Path]) -> None:
    if folders and {child.name.lower() for child in folders} <= SPLITS:
        raise ValueError(
            f"{str(folder)!r} holds {listing(folders)}, which are not classes. Pass one of them "
            f"as DATA, such as {str(folders[0])!r}: it is split into folds."
        )


def _folder_per_image(
    folder: Path, folders: Sequence[Path], walk: Walk, task: str
) -> ImageFiles | None:
    """Return images that have a folder each, with its masks in it."""
    inside = [
        (child, _called(child, IMAGE_FOLDERS), _called(child, MASK_FOLDERS)) for child in folders
    ]
    both = [child for child, images, masks in inside if images is not None and masks is not None]
    if not both:
        return None
    found = None
    if len(folders) > 1 and 2 * len(both) > len(folders) and task != "classification":
        found = find_folder_per_image(folder, inside, walk)
    if found is None:
        refuse_other_pairs(folder, folders, both)
    return found


def _called(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the subfolder with one of the names, ignoring case."""
    return next(
        (c for c in sorted(folder.iterdir()) if c.name.lower() in names and c.is_dir()), None
    )
