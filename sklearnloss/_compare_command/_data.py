"""Loading of the data for ``sklearnloss compare``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import FileReader
from .._utils.printable import printable
from ..estimators._data.arrays import Channels
from ._arrays import is_arrays, load_arrays
from ._file_names import first_few
from ._group_table import is_table
from ._groups import describe_groups, groups_of_names, groups_of_rows
from ._images import Loaded, load_images
from ._layout import EXPECTED, ImageFiles, find_files

Array = NDArray[Any]


@dataclass
class ImageData:
    """Images with masks or classes.

    Attributes
    ----------
    task : {"classification", "segmentation"}
        The task.
    X : ndarray, or list of Path and ndarray
        Images, or the files from which they are read whenever they are needed.
    y : ndarray, or list of Path and ndarray
        Masks or classes.
    groups : ndarray of shape (n,) or None
        Which images belong together.
    channels : {"first", "last"}
        Channel axis of the images.
    labels : list
        All classes, or all labels of the masks.
    names : list of str
        Name of each image: its file, or its number in an array.
    description : str
        Description of the data in words.
    in_files : bool
        Whether each image is a separate file.
    """

    task: str
    X: Any
    y: Any
    groups: Array | None
    channels: str
    labels: list[Any]
    names: list[str]
    description: str
    in_files: bool = True


def load_data(
    path: Path,
    *,
    task: str = "auto",
    groups: str | None = None,
    resize: int | None = None,
    output: Path | None = None,
    channels: Channels | None = None,
) -> ImageData:
    """Load a folder or file, with all the checks that training makes.

    Parameters
    ----------
    path : Path
        A folder of images and masks, a folder of images per class, a folder with X.npy
        and y.npy, or a .npz file.
    task : {"auto", "classification", "segmentation"}, default="auto"
        The expected task.
    groups : str, default=None
        See :func:`~._groups.groups_of_names`.
    resize : int, default=None
        Longest side in pixels to which images are resized, for classification.
    output : Path, default=None
        Folder of the results; if it is inside the data folder, it is left out.
    channels : {"first", "last"}, default=None
        Channel axis of arrays, if it is not clear.

    Returns
    -------
    data : ImageData

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    ValueError
        If something is wrong with the data; the first few culprits are named.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no {str(path)!r}. {EXPECTED}.")
    if is_arrays(path):
        if resize is not None:
            raise ValueError(f"--resize is for images in files, but {str(path)!r} holds arrays.")
        data = _of_arrays(path, groups, channels)
    elif path.is_dir():
        data = _of_files(find_files(path, task, output=output), groups, resize, channels)
        if task == "auto":
            _refuse_binary_class(data)
    else:
        raise ValueError(f"{str(path)!r} is not a folder. {EXPECTED}.")
    if task not in ("auto", data.task):
        raise ValueError(f"{str(path)!r} is data for {data.task}, but --task is {task}.")
    return data


def _refuse_binary_class(data: ImageData) -> None:
    """Raise an error if one of two classes seems to hold the masks of the other."""
    if data.task != "classification" or len(data.labels) != 2 or isinstance(data.X, list):
        return
    binary = [((image == image.min()) | (image == image.max())).all() for image in data.X]
    for label in data.labels:
        if np.array_equal(binary, data.y == label):
            raise ValueError(
                f"All images in {label}/ have only two values, and no others do: are these "
                f"classes, or images and their masks? If they are classes, pass --task "
                f"classification. For segmentation, call the folders images and masks."
            )


def _of_arrays(path: Path, spec: str | None, channels: Channels | None) -> ImageData:
    found = load_arrays(path, channels=channels, with_groups=spec is None)
    groups = found.groups
    if spec is not None:
        if not is_table(spec):
            raise ValueError(
                f"--groups {printable(spec)}: there are no file names to search. Expected a .csv "
                f"file with a line per image, or groups beside X and y."
            )
        groups = groups_of_rows(spec, len(found.X))
    size = found.X.shape[1:]
    text = _describe([size] * len(found.X), found.task, found.labels, found.y, groups)
    return ImageData(
        found.task,
        found.X,
        found.y,
        groups,
        found.channels,
        found.labels,
        names=[str(number) for number in range(len(found.X))],
        description=text,
        in_files=False,
    )


def _of_files(
    files: ImageFiles, spec: str | None, resize: int | None, channels: Channels | None
) -> ImageData:
    if resize is not None and files.labels is None:
        raise ValueError("--resize is for classification: labels of masks cannot be interpolated.")
    groups = None if spec is None else _groups(files, spec)
    loaded = load_images(files, reader=FileReader(resize=resize), channels=channels)
    y = loaded.y if files.labels is None else np.array(files.labels)
    labels: list[Any] = loaded.labels if files.labels is None else sorted(set(files.labels))
    text = _describe(loaded.shapes, files.task, labels, y, groups) + _notes(files, loaded)
    names = [printable(name) for name in files.names]
    return ImageData(files.task, loaded.X, y, groups, "first", labels, names, text)


def _groups(files: ImageFiles, spec: str) -> Array:
    # Only in a table may names include the folder of the class.
    return groups_of_names(spec, files.names if is_table(spec) else files.names_in_class)


def _describe(
    shapes: Sequence[tuple[int, ...]],
    task: str,
    labels: Sequence[Any],
    y: Any,
    groups: Array | None,
) -> str:
    sizes = sorted(set(shapes))
    size = " to ".join(" x ".join(map(str, s)) for s in dict.fromkeys([sizes[0], sizes[-1]]))
    if task == "segmentation":
        what = f"masks of the labels {first_few([str(label) for label in labels])}"
    else:
        counts = Counter(y.tolist())
        named = [f"{label} ({counts[label]})" for label in labels]
        what = f"{len(labels)} classes: {first_few(named)}"
    text = f"{len(shapes)} images ({size}), {what}"
    return text if groups is None else f"{text}; {describe_groups(groups)}"


def _notes(files: ImageFiles, loaded: Loaded) -> str:
    notes = ""
    if isinstance(loaded.X, list):
        notes += "; read from files batch by batch"
    if files.others:
        notes += f"; other files left out: {first_few(files.others)}"
    return notes
