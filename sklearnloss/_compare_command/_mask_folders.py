"""A folder of images and a folder of masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ._file_names import first_few
from ._image_files import ImageFiles, ImageItem
from ._known_layouts import is_pickle, paired, refuse_pickles
from ._nnunet import join_channels, read_dataset_json
from ._walk import Walk, describe, kinds, listing

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
_TESTS = {"test", "testing"}


def folder_called(
    names: Sequence[str], what: str, folders: Sequence[Path], walk: Walk
) -> Path | None:
    """Return the subfolder that has one of the names, ignoring case.

    Raises
    ------
    ValueError
        If there are several, with images in them.
    """
    found = [child for child in folders if child.name.lower() in names]
    if len(found) > 1:
        found = [child for child in found if walk.images(child)[0]] or found[:1]
    if len(found) > 1:
        raise ValueError(
            f"{listing(found)} could all be the folder of {what}. Move the others out of "
            f"{str(found[0].parent)!r}."
        )
    return found[0] if found else None


def find_masked(children: Sequence[Path], images: Path, masks: Path, walk: Walk) -> ImageFiles:
    """Return the images of a folder with the masks of another.

    Parameters
    ----------
    children : sequence of Path
        What lies beside the two folders, and they themselves.
    images, masks : Path
        The folders.
    walk : Walk
        What finds the files.

    Raises
    ------
    ValueError
        If a folder is empty, or images and masks do not pair.
    """
    image_files, other_images = walk.images(images)
    mask_files, other_masks = walk.images(masks)
    pickles = [file for file in mask_files if is_pickle(file) and file.stem.endswith("_seg")]
    refuse_pickles([file.relative_to(masks).as_posix() for file in pickles])
    for folder, found, others in (
        (images, image_files, other_images),
        (masks, mask_files, other_masks),
    ):
        if not found:
            raise ValueError(
                f"{str(folder)!r} holds no images. Expected {kinds()}.{_about_text(others)}"
            )
    tests = _without_masks(images, image_files, masks, mask_files)
    image_files = [file for file in image_files if _split(images, file) not in tests]
    is_nnunet = images.name.lower() == "imagestr"
    joined: list[ImageItem] = [*image_files]
    if is_nnunet:
        joined = join_channels(image_files, images)
    firsts = [Path(each) if isinstance(each, Path) else Path(each.paths[0]) for each in joined]
    files = paired(images, firsts, masks, mask_files)
    files.images = joined
    top = [describe(child) for child in children if child not in (images, masks)]
    tested = [f"{images.name}/{name}/" for name in tests]
    files.others = [*top, *tested, *other_images, *other_masks]
    splits = sorted({_split(images, file) for file in image_files} & SPLITS)
    if len(splits) > 1:
        files.notes.append(f"{' and '.join(splits)} joined, since folds split them anew")
    if is_nnunet:
        files.layout = "nnU-Net"
        description = [child for child in children if child.name == "dataset.json"]
        if description:
            read_dataset_json(description[0], files)
    elif images.name.lower() == "img_dir":
        files.layout = "mmsegmentation"
    return files


def _split(folder: Path, file: Path) -> str:
    """Return the subfolder of a file at the top of a folder, or nothing."""
    parts = file.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _without_masks(
    images: Path, image_files: Sequence[Path], masks: Path, mask_files: Sequence[Path]
) -> list[str]:
    """Return the subfolders of test images, if they have no masks at all."""
    masked = {_split(masks, file) for file in mask_files}
    found = {_split(images, file) for file in image_files}
    return sorted(name for name in found - masked if name.lower() in _TESTS)


def _about_text(others: Sequence[str]) -> str:
    """Return what to do about annotations in text files."""
    texts = [name for name in others if name.lower().endswith((".txt", ".xml", ".json"))]
    if not texts:
        return ""
    return (
        f" {first_few(texts)} may hold boxes or outlines: draw them into masks, with the number "
        f"of the class in each pixel."
    )
