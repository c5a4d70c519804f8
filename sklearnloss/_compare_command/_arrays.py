"""Images and labels in one .npz file, or in X.npy and y.npy."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ..estimators._labels import distinct_labels, read_labels, read_masks
from ..estimators._mask_classes import number_objects
from ..tuning._folds import check_groups
from ._groups import groups_of_rows
from ._images import check_labels, fit_to_mask

Array = NDArray[Any]


class ArrayData(NamedTuple):
    """Arrays, checked.

    Attributes
    ----------
    X : ndarray of shape (n, *image)
    y : ndarray of shape (n,) or (n, *spatial)
    groups : ndarray of shape (n,) or None
    channels : {"first", "last"}
        Where X has its channels.
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
    """Tell whether a path is a .npz file or a folder with X.npy."""
    return path.suffix.lower() == ".npz" or (path / "X.npy").is_file()


def load_arrays(path: Path, *, with_groups: bool = True) -> ArrayData:
    """Load X, y and perhaps groups; .npy files are mapped into memory, not read.

    Parameters
    ----------
    path : Path
        A .npz file, or a folder with X.npy, y.npy, and perhaps groups.npy or groups.csv.
    with_groups : bool, default=True
        Whether to look for groups.

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
        last = X.ndim == 4 and X.shape[-1] in (1, 3, 4) and X.shape[1] > 4
        channels = "last" if last else "first"
        return ArrayData(X, labels, groups, channels, np.unique(labels).tolist())
    return _with_masks(X, y, groups)


def _from_npz(path: Path) -> tuple[Array, Array]:
    with _opened(path) as arrays:
        names = arrays.files
        if {"X", "y"} <= set(names):
            return arrays["X"], arrays["y"]
    missing = sorted({"X", "y"} - set(names))
    raise ValueError(
        f"{str(path)!r} lacks {' and '.join(missing)}: it holds {', '.join(names)}. Expected X, y "
        f"and, if you like, groups."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    # NumPy leaves the file open if it is no archive.
    with naming(path), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise ValueError("it is one array, no archive of several")
        with archive:
            yield archive


def _from_folder(path: Path) -> tuple[Array, Array]:
    if not (path / "y.npy").is_file():
        raise ValueError(f"{str(path)!r} holds X.npy, but no y.npy.")
    return _map(path / "X.npy"), _map(path / "y.npy")


def _map(path: Path) -> Array:
    with naming(path):
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def _read_groups(path: Path, n: int) -> Array | None:
    """Return the groups that lie beside X, None if there are none."""
    groups: Array | None = None
    if path.is_file():
        with _opened(path) as arrays:
            groups = arrays["groups"] if "groups" in arrays.files else None
    elif (path / "groups.npy").is_file():
        groups = np.asarray(_map(path / "groups.npy"))
    elif (path / "groups.csv").is_file():
        groups = groups_of_rows(str(path / "groups.csv"), n)
    return None if groups is None else check_groups(groups, n)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file an error of NumPy's is about, and what may be wrong with it."""
    try:
        yield
    except (ValueError, EOFError, BadZipFile, zlib.error, KeyError) as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        if "allow_pickle" in reason or "pickled" in reason:
            reason = "it holds no plain array of numbers or texts"
        raise ValueError(
            f"{str(path)!r} cannot be read: {reason}. Is it whole? Expected what numpy.save, or "
            f"numpy.savez, writes."
        ) from error


def _check_images(X: Array, n_targets: int) -> None:
    if X.dtype.kind not in "biuf" or X.ndim < 3 or X.size == 0:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}. Expected images of numbers, of shape "
            f"(n, H, W), (n, C, H, W) or (n, H, W, C)."
        )
    if len(X) != n_targets:
        raise ValueError(f"X holds {len(X)} images, but y {n_targets} targets.")
    if X.dtype.kind == "f" and not all(np.isfinite(image).all() for image in X):
        raise ValueError("X holds NaN or infinity.")


def _with_masks(X: Array, y: Array, groups: Array | None) -> ArrayData:
    if y.ndim == X.ndim and y.shape != X.shape and 1 in (y.shape[1], y.shape[-1]):
        y = y[:, 0] if y.shape[1] == 1 else y[..., 0]
    channels = "first"
    if X.ndim > 3 and X.shape == y.shape:
        X, y = (X, y[:, 0]) if X.shape[1] == 1 else (X[:, None], y)
    elif X.ndim == y.ndim + 1 and X.shape[:-1] == y.shape:
        channels = "last"
    else:
        fit_to_mask(X[0], y.shape[1:])  # raises if it does not
    masks = read_masks(y, y.shape)
    labels = distinct_labels(masks)
    check_labels(labels.tolist(), number_objects(masks, labels, None))
    return ArrayData(X, y, groups, channels, labels.tolist())
