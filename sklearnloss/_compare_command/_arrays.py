"""Images and labels in one .npz file, or in X.npy and y.npy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._files.read import naming, open_archive
from ..estimators._data.arrays import Channels
from ..estimators._data.labels import distinct_labels, read_labels, read_masks
from ..estimators._data.mask_classes import COMMAND_LINE, number_objects
from ..tuning._evaluation.folds import check_groups
from ._groups import groups_of_rows
from ._image_axes import channel_axis, fit_to_mask
from ._images import check_labels

Array = NDArray[Any]


# There are no files that options could convert.
_ADVICE = COMMAND_LINE._replace(objects="mask > 0")


class ArrayData(NamedTuple):
    """Checked arrays.

    Attributes
    ----------
    X : ndarray of shape (n, *image)
    y : ndarray of shape (n,) or (n, *spatial)
    groups : ndarray of shape (n,) or None
    channels : {"first", "last"}
        Channel axis of X.
    labels : list
        The distinct labels.
    """

    X: Array
    y: Array
    groups: Array | None
    channels: str
    labels: list[Any]

    @property
    def task(self) -> str:
        """What can be learned from the arrays."""
        return "classification" if self.y.ndim == 1 else "segmentation"


def is_arrays(path: Path) -> bool:
    """Return whether a path is a .npz file or a folder with X.npy."""
    return path.suffix.lower() == ".npz" or (path / "X.npy").is_file()


def load_arrays(
    path: Path, *, channels: Channels | None = None, with_groups: bool = True
) -> ArrayData:
    """Load X, y and perhaps groups; .npy files are memory-mapped.

    Parameters
    ----------
    path : Path
        A .npz file, or a folder with X.npy, y.npy, and perhaps groups.npy or groups.csv.
    channels : {"first", "last"}, default=None
        Channel axis of X, if it is not clear.
    with_groups : bool, default=True
        Whether to load groups.

    Returns
    -------
    data : ArrayData

    Raises
    ------
    ValueError
        If an array is missing, or they do not fit together.
    """
    X, y = _from_npz(path) if path.is_file() else _from_folder(path)
    if not y.ndim:
        raise ValueError(f"X holds {len(X)} images, but y is a single number.")
    _check_images(X, len(y))
    groups = _read_groups(path, len(X)) if with_groups else None
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        labels = read_labels(y.reshape(-1))
        with _naming_x():
            axis = channel_axis(X.shape[1:], channels)
        found = "last" if axis else "first"
        return ArrayData(X, labels, groups, found, np.unique(labels).tolist())
    return _with_masks(X, y, groups, channels)


@contextlib.contextmanager
def _naming_x() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"X: {error}.") from error


def _from_npz(path: Path) -> tuple[Array, Array]:
    with naming(path), open_archive(path) as arrays:
        if missing := {"X", "y"} - set(arrays.files):
            raise ValueError(
                f"it lacks {' and '.join(sorted(missing))}: it holds "
                f"{', '.join(arrays.files)}. Expected X, y and, optionally, groups."
            )
        return arrays["X"], arrays["y"]


def _from_folder(path: Path) -> tuple[Array, Array]:
    if not (path / "y.npy").is_file():
        raise ValueError(f"{str(path)!r} holds X.npy, but no y.npy.")
    return _mapped(path / "X.npy"), _mapped(path / "y.npy")


def _read_groups(path: Path, n: int) -> Array | None:
    """Return the groups stored next to X, None if there are none."""
    groups: Array | None = None
    if path.is_file():
        with naming(path), open_archive(path) as arrays:
            groups = arrays["groups"] if "groups" in arrays.files else None
    elif (path / "groups.npy").is_file():
        groups = np.array(_mapped(path / "groups.npy"))
    elif (path / "groups.csv").is_file():
        groups = groups_of_rows(str(path / "groups.csv"), n)
    return None if groups is None else check_groups(groups, n)


def _mapped(path: Path) -> Array:
    with naming(path):
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _check_images(X: Array, n_targets: int) -> None:
    if X.dtype.kind not in "biuf" or X.ndim < 3 or X.size == 0:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}. Expected images of numbers, of shape "
            f"(n, H, W), (n, C, H, W) or (n, H, W, C)."
        )
    if len(X) != n_targets:
        raise ValueError(f"X holds {len(X)} images, but y holds {n_targets} targets.")
    if X.dtype.kind == "f" and not all(np.isfinite(image).all() for image in X):
        raise ValueError(
            "X holds NaN or infinity. Fill such pixels; in Python they can be masked with "
            "np.ma.masked_invalid(X)."
        )


def _with_masks(X: Array, y: Array, groups: Array | None, channels: Channels | None) -> ArrayData:
    if y.ndim >= X.ndim and y.shape != X.shape and 1 in (y.shape[1], y.shape[-1]):
        y = y[:, 0] if y.shape[1] == 1 else y[..., 0]
    found = "first"
    if X.ndim > 3 and X.shape == y.shape:
        X, y = (X, y[:, 0]) if X.shape[1] == 1 else (X[:, None], y)
    else:
        with _naming_x():
            first = fit_to_mask(X[0], y.shape[1:], channels)
        found = "first" if first.strides == X.strides[1:] else "last"
    masks = read_masks(y, y.shape)
    labels = distinct_labels(masks)
    check_labels(labels.tolist(), number_objects(masks, labels, None), advice=_ADVICE)
    return ArrayData(X, y, groups, found, labels.tolist())
