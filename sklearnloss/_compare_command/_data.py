"""Loading of the data for ``sklearnloss compare``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import FileReader, MaskFiles
from .._files.formats import suffix
from .._utils.printable import printable
from ..estimators._data.labels import count_labels
from ._arrays import ArrayData, is_arrays, load_arrays
from ._class_folders import EXPECTED
from ._description import DataDescription, extent
from ._file_names import first_few
from ._group_table import is_table
from ._groups import count_groups, groups_of_names, groups_of_rows
from ._image_files import ImageFiles, files_of
from ._images import Loaded, Seen, load_images
from ._layout import find_files
from ._reading_options import ReadingOptions, read_colors

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
    description : DataDescription
        What was found.
    in_files : bool
        Whether each image is a separate file.
    reader : FileReader or None
        What reads files like these; None is a FileReader without options.
    ignore_index : int or None
        Label of ignored pixels.
    """

    task: str
    X: Any
    y: Any
    groups: Array | None
    channels: str
    labels: list[Any]
    names: list[str]
    description: DataDescription
    in_files: bool = True
    reader: FileReader | None = None
    ignore_index: int | None = None


def load_data(
    path: Path,
    reading: ReadingOptions | None = None,
    *,
    task: str = "auto",
    groups: str | None = None,
    output: Path | None = None,
) -> ImageData:
    """Load a folder or file, with all the checks that training makes.

    Parameters
    ----------
    path : Path
        A folder of images and masks, a folder of images per class, a folder with X.npy
        and y.npy, or a .npz file.
    reading : ReadingOptions, default=None
        How files are found and read.
    task : {"auto", "classification", "segmentation"}, default="auto"
        The expected task.
    groups : str, default=None
        See :func:`~._groups.groups_of_names`.
    output : Path, default=None
        Folder of the results; if it is inside the data folder, it is left out.

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
    reading = reading or ReadingOptions()
    if not path.exists():
        raise FileNotFoundError(f"There is no {str(path)!r}. {EXPECTED}.")
    if is_arrays(path):
        _refuse_file_options(path, reading)
        data = _of_arrays(path, groups, reading)
    elif path.is_dir():
        files = find_files(path, task, output=output, images=reading.images, masks=reading.masks)
        data = _of_files(files, groups, reading)
        if task == "auto":
            _refuse_binary_class(data)
    else:
        raise ValueError(f"{str(path)!r} is not a folder. {EXPECTED}.")
    if task not in ("auto", data.task):
        raise ValueError(f"{str(path)!r} is data for {data.task}, but --task is {task}.")
    return data


def _refuse_file_options(path: Path, reading: ReadingOptions) -> None:
    for name in ("images", "masks", "labels", "colors", "color", "nodata", "resize"):
        if getattr(reading, name) is not None:
            raise ValueError(
                f"--{name} is for images in files, but {str(path)!r} holds arrays. Convert them "
                f"before they are saved."
            )


def _refuse_mask_options(reading: ReadingOptions) -> None:
    """Refuse options for masks where there are classes; --ignore-index is checked later."""
    for name in ("labels", "colors"):
        if getattr(reading, name) is not None:
            raise ValueError(f"--{name} is for masks, but the images are in a folder per class.")


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
                f"classification. For segmentation, call the folders images and masks, or pass "
                f"--images and --masks with patterns."
            )


def _of_arrays(path: Path, spec: str | None, reading: ReadingOptions) -> ImageData:
    found = load_arrays(path, channels=reading.channels, with_groups=spec is None)
    groups = found.groups
    if spec is not None:
        if not is_table(spec):
            raise ValueError(
                f"--groups {printable(spec)}: there are no file names to search. Expected a .csv "
                f"file with a line per image, or groups beside X and y."
            )
        groups = groups_of_rows(spec, len(found.X))
    return ImageData(
        found.task,
        found.X,
        found.y,
        groups,
        found.channels,
        found.labels,
        names=[str(number) for number in range(len(found.X))],
        description=_describe_arrays(found, groups, reading.ignore_index),
        in_files=False,
        ignore_index=reading.ignore_index,
    )


def _describe_arrays(found: ArrayData, groups: Array | None, ignore: int | None) -> DataDescription:
    masks = found.y if found.task == "segmentation" else None
    n_axes = max(2, found.X.ndim - 2) if masks is None else masks.ndim - 1
    size = found.X.shape[1:]
    if len(size) > n_axes:
        size = size[1:] if found.channels == "first" else size[:-1]
    description = DataDescription(
        task=found.task,
        n_images=len(found.X),
        sizes=[list(size)],
        n_channels=found.X[0].size // max(1, int(np.prod(size))),
        dtypes={str(found.X.dtype): len(found.X)},
        groups=count_groups(groups),
    )
    if masks is None:
        description.classes = _count(found.y)
    else:
        counts = [count_labels(np.asarray(mask)) for mask in masks]
        seen = [dict(zip(a.astype(int).tolist(), n.tolist(), strict=True)) for a, n in counts]
        _describe_labels(description, seen, {}, ignore)
    return description


def _of_files(files: ImageFiles, spec: str | None, reading: ReadingOptions) -> ImageData:
    reader = _reader(files, reading)
    groups = None if spec is None else _groups(files, spec)
    loaded = load_images(files, reader, channels=reading.channels)
    y = loaded.y if files.labels is None else np.array(files.labels)
    labels: list[Any] = loaded.labels if files.labels is None else sorted(set(files.labels))
    names = [printable(name) for name in files.names]
    ignore = reading.ignore_index
    if ignore is None and files.ignore_index is not None:
        ignore = files.ignore_index
        files.notes.append(f"--ignore-index {ignore} is used, which {files.layout} defines")
    description = _describe_files(files, loaded, reader, reading, ignore)
    description.groups = count_groups(groups)
    return ImageData(
        files.task,
        loaded.X,
        y,
        groups,
        "first",
        labels,
        names,
        description,
        reader=None if repr(reader) == repr(FileReader()) else reader,
        ignore_index=ignore,
    )


def _reader(files: ImageFiles, reading: ReadingOptions) -> FileReader:
    """Return what reads the files, and refuse masks that could be read in two ways."""
    if files.labels is not None:
        _refuse_mask_options(reading)
    if files.objects and reading.labels is None and reading.colors is None:
        return reading.reader("objects")
    if not files.has_object_files or reading.labels in ("objects", "border"):
        return reading.reader()
    several = [mask for mask in files.masks or () if isinstance(mask, MaskFiles)]
    first = max(several, key=lambda mask: len(mask.paths))
    named = first_few([Path(path).name for path in first.paths])
    raise ValueError(
        f"An image has several masks: {named}. If each holds an object, pass --labels objects, or "
        f"--labels border, which also separates objects that touch. If each holds a class, write "
        f"one mask per image, with the number of the class in each pixel."
    )


def _groups(files: ImageFiles, spec: str) -> Array:
    # Only in a table may names include the folder of the class.
    return groups_of_names(spec, files.names if is_table(spec) else files.names_in_class)


def _describe_files(
    files: ImageFiles,
    loaded: Loaded,
    reader: FileReader,
    reading: ReadingOptions,
    ignore: int | None,
) -> DataDescription:
    seen = loaded.seen
    names = dict(files.label_names)
    if reading.colors is not None:
        names |= read_colors(Path(reading.colors))[1]
    description = DataDescription(
        task=files.task,
        n_images=len(seen),
        sizes=extent([each.size for each in seen]),
        n_channels=seen[0].shape[0] if len(seen[0].shape) > len(seen[0].size) else 1,
        channel_names=files.channel_names,
        dtypes=dict(Counter(each.dtype for each in seen)),
        values=_range([each.values for each in seen if each.values]),
        kinds=dict(Counter(suffix(path) for path in files_of(files.images))),
        spacing=extent([each.spacing for each in seen if each.spacing is not None]),
        nodata=_nodata(seen, reading),
        share_without_data=_share_without_data(seen),
        layout=files.layout,
        conversions=_conversions(reading),
        notes=[
            *files.notes,
            *([_BORDER_HINT] * (reader.masks == "objects" and reading.labels is None)),
            *(["read from files batch by batch"] * isinstance(loaded.X, list)),
        ],
        left_out=[printable(name) for name in files.others],
    )
    if files.labels is not None:
        description.classes = _count(files.labels)
        return description
    description.masks = reader.masks
    if reader.masks != "classes":
        numbers = [each.n_objects for each in seen]
        description.n_objects = [min(numbers), max(numbers)]
        names = {0: "background", 1: "object", 2: "border"}
    _describe_labels(description, [each.counts for each in seen], names, ignore)
    return description


_BORDER_HINT = "--labels border would also separate objects that touch"


def _range(values: Sequence[Sequence[float]]) -> list[float]:
    """Return the lowest and the highest of several ranges."""
    flat = [each for pair in values for each in pair]
    return [min(flat), max(flat)] if flat else []


def _share_without_data(seen: Sequence[Seen]) -> float:
    return sum(each.n_hidden for each in seen) / max(1, sum(each.n_values for each in seen))


def _nodata(seen: Sequence[Seen], reading: ReadingOptions) -> float | None:
    """Return the value of pixels without data: the user's, or the one that files declare."""
    if reading.nodata is not None:
        return reading.nodata
    found = {each.nodata for each in seen if each.nodata is not None}
    return found.pop() if len(found) == 1 else None


def _describe_labels(
    description: DataDescription,
    counts: Sequence[dict[int, int]],
    names: Mapping[int, str],
    ignore: int | None,
) -> None:
    """Store the share of each label, and which masks are empty."""
    total: Counter[int] = Counter()
    for each in counts:
        total.update(each)
    n_pixels = sum(total.values())
    ignored = 0 if ignore is None else total.pop(ignore, 0)
    kept = max(1, n_pixels - ignored)
    description.labels = [
        {"label": label, "name": names.get(label, ""), "share": total[label] / kept}
        for label in sorted(total)
    ]
    description.ignore_index = ignore
    description.share_ignored = ignored / max(1, n_pixels)
    description.n_empty = sum(set(each) - {ignore} <= {0} for each in counts)


def _conversions(reading: ReadingOptions) -> list[str]:
    done = []
    if reading.color is not None:
        done.append(f"pictures converted to {'gray' if reading.color == 'gray' else 'RGB'}")
    if reading.resize is not None:
        side = reading.resize
        done.append(
            f"resized to {side} pixels on the longest side and padded to {side} x {side}, without "
            f"changing proportions"
        )
    if reading.colors is not None:
        done.append(f"colors of masks read as labels, from {printable(reading.colors)}")
    return done


def _count(labels: Any) -> dict[str, int]:
    return {str(label): n for label, n in sorted(Counter(np.asarray(labels).tolist()).items())}
