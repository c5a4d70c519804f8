"""What lies in a folder: images with masks, or a folder of images per class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..estimators._files import PICTURES
from ._culprits import first_few
from ._pairs import pair

SUFFIXES = {*PICTURES, ".npy", ".npz"}
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation")
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}

EXPECTED = (
    "Expected images/ and masks/ with files of the same names, a folder of images per class, "
    "X.npy and y.npy, or a .npz file with X and y"
)


@dataclass
class ImageFiles:
    """Files of images, and what is known of each.

    Attributes
    ----------
    images : list of Path
        One file per image.
    masks : list of Path or None
        Their masks, for segmentation.
    labels : list of str or None
        Their classes, for classification.
    names : list of str
        Paths inside the folder, as POSIX has them.
    others : list of str
        Files that are no images.
    """

    images: list[Path]
    masks: list[Path] | None
    labels: list[str] | None
    names: list[str]
    others: list[str]

    @property
    def task(self) -> str:
        """What can be learnt from the files."""
        return "classification" if self.masks is None else "segmentation"

    @property
    def names_in_class(self) -> list[str]:
        """Names without the folder of their class, which says nothing about groups."""
        return self.names if self.labels is None else [n.partition("/")[2] for n in self.names]


def find_files(folder: Path, task: str = "auto") -> ImageFiles:
    """Find the images of a folder, and their masks or classes.

    Parameters
    ----------
    folder : Path
        The folder.
    task : {"auto", "classification", "segmentation"}, default="auto"
        "auto" is segmentation where there are a folder of images and one of masks.

    Returns
    -------
    files : ImageFiles
        Sorted by name.

    Raises
    ------
    ValueError
        If the folder is laid out in neither way, or images and masks do not pair.
    """
    images, masks = (_child(folder, names) for names in (IMAGE_FOLDERS, MASK_FOLDERS))
    if task == "classification" or (task == "auto" and images is None and masks is None):
        return _class_folders(folder)
    if images is None or masks is None:
        raise ValueError(
            f"{str(folder)!r} holds {_listing(folder)}. Expected, for segmentation, a folder of "
            f"images, called images, and one of masks, called {', '.join(MASK_FOLDERS[:-2:2])} or "
            f"{MASK_FOLDERS[-2]}. If these are classes, say --task classification."
        )
    return _pairs(images, masks)


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the subfolder that is called one of the names, in any case."""
    found = {child.name.lower(): child for child in folder.iterdir() if child.is_dir()}
    return next((found[name] for name in names if name in found), None)


def _pairs(images: Path, masks: Path) -> ImageFiles:
    image_files, other_images = _image_files(images)
    mask_files, other_masks = _image_files(masks)
    for folder, files in ((images, image_files), (masks, mask_files)):
        if not files:
            raise ValueError(f"{str(folder)!r} holds no image. Expected {_kinds()}.")
    names = [file.relative_to(images).as_posix() for file in image_files]
    partners = pair(names, [file.relative_to(masks).as_posix() for file in mask_files])
    chosen = [mask_files[partner] for partner in partners]
    return ImageFiles(image_files, chosen, None, names, other_images + other_masks)


def _class_folders(folder: Path) -> ImageFiles:
    found = ImageFiles([], None, [], [], [])
    empty = []
    children = sorted(child for child in folder.iterdir() if _is_class(child))
    if children and {child.name.lower() for child in children} <= SPLITS:
        raise ValueError(
            f"{str(folder)!r} holds {_listing(folder)}, which are no classes. Expected one of them "
            f"as DATA, such as {str(children[0])!r}: folds are made of it."
        )
    for child in children:
        files, others = _image_files(child)
        found.images += files
        found.labels = [*(found.labels or []), *[child.name] * len(files)]
        found.names += [file.relative_to(folder).as_posix() for file in files]
        found.others += others
        if not files:
            empty.append(child.name)
    n_classes = len(set(found.labels or []))
    if n_classes < 2:
        raise ValueError(f"{str(folder)!r} holds {_listing(folder)}. {EXPECTED}.")
    if empty:
        raise ValueError(
            f"{str(folder)!r} has a folder per class, but there is no image in "
            f"{first_few(empty)}. Expected {_kinds()}."
        )
    return found


def _is_class(child: Path) -> bool:
    return child.is_dir() and not child.name.startswith((".", "__"))


def _image_files(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the images below a folder, and the names of other files."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(folder).parts)
    )
    images = [file for file in files if file.suffix.lower() in SUFFIXES]
    return images, [file.name for file in files if file.suffix.lower() not in SUFFIXES]


def _listing(folder: Path) -> str:
    entries = sorted(
        child.name + "/" * child.is_dir()
        for child in folder.iterdir()
        if not child.name.startswith(".")
    )
    return first_few(entries) or "nothing"


def _kinds() -> str:
    return f"files that end in {', '.join(sorted(SUFFIXES))}"
