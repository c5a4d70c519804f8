"""One image or mask out of many: a file, an array, a tensor or a Pillow image."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ..._files import FileReader, MaskFiles
from ..._files.pictures import is_pillow
from ..._files.pixels import Pixels
from ..._files.read import naming

#: The types of file names.
PATHS = (str, bytes, os.PathLike)
#: What a mask is read from.
MASK_PATHS = (*PATHS, MaskFiles)


def is_image(item: Any) -> bool:
    """Return whether something may be an image or its path."""
    return isinstance(item, (*PATHS, np.ndarray, Tensor)) or is_pillow(item)


def split_item(item: Any, position: int) -> tuple[Any, Any]:
    """Split an item into image and target; the target is None if there is none.

    Raises
    ------
    TypeError
        If it is neither an image nor an image with its target.
    """
    if isinstance(item, Mapping):
        keys = ", ".join(map(repr, item))
        raise TypeError(
            f"X[{position}] is a {type(item).__name__} with {keys}. Expected an image, or (image, "
            f"target). Wrap the data in a torch Dataset whose __getitem__ returns such a pair."
        )
    if not isinstance(item, (tuple, list)):
        return item, None
    if len(item) not in (1, 2):
        raise TypeError(
            f"X[{position}] is a {type(item).__name__} of {len(item)} items. Expected an image, or "
            f"(image, target)."
        )
    return (item[0], item[1]) if len(item) == 2 else (item[0], None)


def name_item(what: str, position: int, item: Any) -> str:
    """Return the name of an image or mask for errors.

    Examples
    --------
    >>> from sklearnloss.estimators._data.open_item import name_item
    >>> name_item("X", 3, "images/a.png")
    "X[3] ('images/a.png')"
    """
    file = f" ({os.fsdecode(item)!r})" if isinstance(item, PATHS) else ""
    file = f" ({item!r})" if isinstance(item, MaskFiles) else file
    return f"{what}[{position}]{file}"


@contextlib.contextmanager
def naming_item(name: str) -> Iterator[None]:
    """Prefix a ValueError with the name of the item."""
    try:
        yield
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name}: {error}") from error


def open_image(
    item: Any, reader: FileReader, *, n_axes: int | None = None, channels: Any = None
) -> Pixels:
    """Return an image, read if it is a path or a Pillow image; other axes are unknown.

    Parameters
    ----------
    item : path, Pillow image, array or tensor
        The image.
    reader : FileReader
        Reads paths and Pillow images.
    n_axes, channels
        What is known of the axes, see :meth:`FileReader.image`.
    """
    if isinstance(item, PATHS) or is_pillow(item):
        return reader.image(item, n_axes=n_axes, channels=channels)
    return Pixels(item, None)


def open_mask(
    item: Any, reader: FileReader, *, multilabel: bool
) -> tuple[Any, tuple[int, ...] | None]:
    """Return a mask, and its shape in the file before it was resized.

    It is read if it is a path, several paths, or a Pillow image; otherwise the shape is None.
    """
    if isinstance(item, MASK_PATHS) or is_pillow(item):
        return reader.sized_mask(item, multilabel=multilabel)
    return item, None


def naming_path(item: Any) -> contextlib.AbstractContextManager[None]:
    """Make every error name the file, if the item is a path."""
    return naming(item) if isinstance(item, PATHS) else contextlib.nullcontext()
