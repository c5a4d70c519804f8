"""What is special about folders in the format of nnU-Net: channels in files, and dataset.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._files.channel_files import ChannelFiles
from .._utils.printable import printable
from .._utils.text import plural
from ._file_names import first_few, stem
from ._image_files import ImageFiles, ImageItem

_CHANNEL = re.compile(r"(.*)_(\d{4})")


def join_channels(files: Sequence[Path], folder: Path) -> list[ImageItem]:
    """Return one item per image; the channels of an image are files ``_0000``, ``_0001``, ...

    Raises
    ------
    ValueError
        If an image lacks a channel that others have.
    """
    cases: dict[str, dict[int, Path]] = {}
    for file in files:
        name = stem(file.relative_to(folder).as_posix())
        match = _CHANNEL.fullmatch(name)
        if match is None:
            return list(files)
        cases.setdefault(match[1], {})[int(match[2])] = file
    n_channels = max(max(channels) for channels in cases.values()) + 1
    lacking = [
        f"{case}_{number:04d}"
        for case, channels in cases.items()
        for number in range(n_channels)
        if number not in channels
    ]
    if lacking:
        raise ValueError(
            f"{str(folder)!r} has images of {n_channels} channels, in files that end in _0000 to "
            f"_{n_channels - 1:04d}, but lacks {first_few(lacking)}. Expected all channels of "
            f"every image."
        )
    if n_channels == 1:
        return list(files)
    return [
        ChannelFiles([channels[number] for number in range(n_channels)])
        for channels in cases.values()
    ]


def read_dataset_json(path: Path, files: ImageFiles) -> None:
    """Store the names of channels and labels, and the ignored label, that dataset.json holds.

    Raises
    ------
    ValueError
        If it cannot be read, or has another number of channels than the files.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        channels = content.get("channel_names", content.get("modality")) or {}
        labels: Mapping[str, Any] = content.get("labels") or {}
        files.channel_names = [printable(str(channels[str(k)])) for k in range(len(channels))]
        named = _numbers_of_labels(labels)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as the description of a data set of nnU-Net "
            f"({printable(repr(error))}). Correct it, or move it away."
        ) from error
    files.others = [name for name in files.others if name != path.name]
    files.ignore_index = named.pop("ignore", None)
    files.label_names = {number: printable(name) for name, number in named.items()}
    first = files.images[0]
    n_files = len(first.paths) if isinstance(first, ChannelFiles) else 1
    if n_files > 1 and len(files.channel_names) not in (0, n_files):
        raise ValueError(
            f"{str(path)!r} names {plural(len(files.channel_names), 'channel')}, but images have "
            f"{n_files} files. Correct one of them."
        )


def _numbers_of_labels(labels: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of each name; the first version of the format has them in reverse."""
    if all(str(name).isdigit() for name in labels):
        return {str(name): int(number) for number, name in labels.items()}
    # Regions are lists of labels.
    return {name: value for name, value in labels.items() if isinstance(value, int)}
