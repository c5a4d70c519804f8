"""The masks of the objects of one image, each in its own file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np

from .file_list import FileList


class MaskFiles(FileList):
    """The files with the masks of one image, one file for each object.

    Pixels of a file that are not 0 belong to its object. The mask of the image has the
    numbers 1 to n of the objects, in the order of the sorted files.

    Parameters
    ----------
    paths : iterable of str, bytes or path
        The files, all of one size.

    Attributes
    ----------
    paths : tuple of str
        The files, sorted.

    Raises
    ------
    ValueError
        If there are no files.

    Examples
    --------
    >>> from sklearnloss._files import MaskFiles
    >>> MaskFiles(["masks/b.png", "masks/a.png"])
    MaskFiles(['masks/a.png', 'masks/b.png'])
    """

    _none = " For an image without objects, pass an array of zeros."

    def __init__(self, paths: Iterable[str | bytes | os.PathLike[str]]) -> None:
        super().__init__(paths)
        object.__setattr__(self, "paths", tuple(sorted(self.paths)))


def join(files: MaskFiles, read: Callable[[str], np.ndarray]) -> tuple[np.ndarray, str | None]:
    """Return the object numbers of an image, and where two objects overlap, if they do.

    Where objects overlap, the pixel belongs to the first of them.

    Parameters
    ----------
    files : MaskFiles
        The files.
    read : callable
        Returns the mask in a file, True for the object.

    Returns
    -------
    numbers : ndarray of shape (*spatial), uint8, uint16 or uint32
        0 for the background.
    overlap : str or None
        The first file of which more than 1 % of the object's pixels belong to earlier ones.

    Raises
    ------
    ValueError
        If files differ in size; the message names both.
    """
    kind = np.min_scalar_type(len(files.paths))
    numbers, overlap = np.zeros(0, kind), None
    for number, path in enumerate(files.paths, 1):
        mask = read(path)
        if number == 1:
            numbers = np.zeros(mask.shape, kind)
        elif mask.shape != numbers.shape:
            raise ValueError(
                f"{path!r} has the shape {mask.shape}, but {files.paths[0]!r}, a mask of the same "
                f"image, has {numbers.shape}. Expected the same shape."
            )
        taken = mask & (numbers > 0)
        if overlap is None and 100 * np.count_nonzero(taken) > np.count_nonzero(mask):
            overlap = path
        numbers[mask & ~taken] = number
    return numbers, overlap
