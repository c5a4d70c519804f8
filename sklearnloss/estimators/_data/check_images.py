"""Checks that reject inputs without images, or with images that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from ..._files.pictures import is_pillow
from .lazy import _as_list
from .open_item import PATHS, split_item


def check_images(X: Any) -> None:
    """Raise a TypeError for inputs that contain no images, or not in a readable form.

    Raises
    ------
    TypeError
        The message says what to pass instead.
    """
    if isinstance(X, PATHS):
        path = os.fsdecode(X)
        if os.path.isdir(path):
            files = f"sorted(pathlib.Path({path!r}).glob('*.png'))"
            raise TypeError(f"X is the folder {path!r}. Expected a list of files, such as {files}.")
        raise TypeError(f"X is {path!r}, one path. Expected a list of files: [{path!r}].")
    if isinstance(X, DataLoader):
        raise TypeError(
            "X is a DataLoader. Expected its data set, X.dataset: the estimator makes batches "
            "itself, of batch_size images."
        )
    if is_pillow(X):
        raise TypeError("X is one picture. Expected a list of them: [X].")
    if isinstance(X, (Iterator, Mapping, Set)) and not hasattr(X, "shape"):
        raise TypeError(
            f"X is a {type(X).__name__}. Expected an ordered collection of images: an array, a "
            f"list of files or arrays, or a torch Dataset."
        )
    items = X if _is_sequence(X) else _as_list(X)
    if items is not None and len(items) and isinstance(items[0], Mapping):
        split_item(items[0], 0)
    if _holds_paths(X):
        raise TypeError(
            f"X holds strings in {X.ndim} axes. Expected image paths in one axis: a list, or one "
            f"column of a table."
        )


def _is_sequence(X: Any) -> bool:
    """Return whether something has ordered items, and is neither an array nor a Dataset."""
    if isinstance(X, Dataset) or hasattr(X, "__array__") or hasattr(X, "shape"):
        return False
    return hasattr(X, "__getitem__") and hasattr(X, "__len__")


def _holds_paths(X: Any) -> bool:
    """Return whether a table or an array with several axes holds text."""
    if hasattr(X, "iloc"):
        X = X.iloc[:1].to_numpy()
    if not isinstance(X, np.ndarray) or X.ndim < 2 or X.size == 0:
        return False
    return X.dtype.kind in "UST" or (X.dtype == object and isinstance(X.flat[0], PATHS))
