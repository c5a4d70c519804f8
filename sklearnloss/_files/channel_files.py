"""The files of one image, one for each of its channels."""

from __future__ import annotations

import os
from collections.abc import Callable

from .file_list import FileList
from .pixels import Pixels, stacked


class ChannelFiles(FileList, os.PathLike[str]):
    """The files of one image, one file for each channel.

    As a path, it is that of the first file.

    Parameters
    ----------
    paths : iterable of str, bytes or path
        The files in the order of the channels, all of one size, each without a channel axis.

    Examples
    --------
    >>> from sklearnloss._files.channel_files import ChannelFiles
    >>> ChannelFiles(["ct.nii.gz", "pet.nii.gz"])
    ChannelFiles(['ct.nii.gz', 'pet.nii.gz'])
    """

    def __fspath__(self) -> str:
        return self.paths[0]


def join_channels(files: ChannelFiles, read: Callable[[str], Pixels]) -> Pixels:
    """Return the image of which each file holds a channel.

    Parameters
    ----------
    files : ChannelFiles
        The files.
    read : callable
        Returns the pixels of a file.

    Raises
    ------
    ValueError
        If the files differ in shape, or have channels; the message names them.
    """
    parts = [_without_channel(path, read(path)) for path in files.paths]
    first = parts[0]
    for path, part in zip(files.paths, parts, strict=True):
        if part.values.shape != first.values.shape or part.axes != first.axes:
            raise ValueError(
                f"{path!r} has the shape {part.values.shape}, but {files.paths[0]!r}, a channel of "
                f"the same image, has {first.values.shape}. Expected the same shape."
            )
    joined = stacked([part.values for part in parts])
    return first._replace(values=joined, axes=None if first.axes is None else f"C{first.axes}")


def _without_channel(path: str, pixels: Pixels) -> Pixels:
    if pixels.axes is None or pixels.axes[0] not in "CS":
        # Each file of a stack of pages is one channel: the pages are slices.
        axes = None if pixels.axes is None else pixels.axes.replace("Q", "Z")
        return pixels._replace(axes=axes)
    if len(pixels.values) > 1:
        raise ValueError(f"{path!r} has {len(pixels.values)} channels. Expected one in each file.")
    return pixels._replace(values=pixels.values[0], axes=pixels.axes[1:])
