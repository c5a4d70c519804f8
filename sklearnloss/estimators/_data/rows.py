"""Selected samples of a large array, which are not copied until they are needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from .arrays import (
    _KEPT,
    _KEPT_IN_FILES,
    Scaling,
    _as_channels_first,
    _as_tensor,
    _check_tensor,
    as_scaling,
    check_finite,
    given_dtype,
    is_masked,
    read_images,
)
from .imagenet import imagenet_scaling
from .statistics import ChannelStatistics

# Number of values that are processed at a time.
_CHUNK = 2**22


class Rows:
    """A view of ``X[rows]`` that does not copy it.

    Estimators read it batch by batch, so that many processes can train on parts of
    one memory-mapped array without memory for copies. scikit-learn indexes it like an
    array: integers, slices and masks along the first axis give rows again. Anything
    else that needs an array gets a copy.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n, ...)
        Images in any layout, in memory or in a memory-mapped file; or other rows.
    rows : array-like of int of shape (n_rows,), bool of shape (n,), or slice
        Which samples, and in which order.

    Raises
    ------
    TypeError
        If X is neither an array nor a tensor.
    IndexError
        If a row does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss.estimators._data.rows import Rows
    >>> part = Rows(np.arange(12).reshape(6, 2), [5, 3, 1])
    >>> part.shape
    (3, 2)
    >>> np.asarray(part[[2, 0]])
    array([[ 2,  3],
           [10, 11]])
    """

    def __init__(self, X: Any, rows: Any) -> None:
        if isinstance(X, Rows):
            X, rows = X.X, X.rows[rows]
        if not isinstance(X, (np.ndarray, Tensor)) or X.ndim == 0:
            raise TypeError(f"X is a {type(X).__name__}. Expected an array or a tensor of samples.")
        self.X: np.ndarray | Tensor = X
        self.rows: np.ndarray = np.arange(len(X))[rows]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ``X[rows]``."""
        return (len(self.rows), *self.X.shape[1:])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of X."""
        return self.X.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            key, *rest = key
            if rest not in ([], [Ellipsis]):
                return self.copy()[(key, *rest)]
        if isinstance(key, (int, np.integer)):
            return self.X[int(self.rows[key])]
        return Rows(self.X, self.rows[np.asarray(key) if isinstance(key, list) else key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Rows of an array cannot be an array without a copy.")
        return np.asarray(self.copy(), dtype=dtype)

    def copy(self) -> Any:
        """Return ``X[rows]``."""
        if isinstance(self.X, np.ndarray):
            return self.X[self.rows]
        return self.X[torch.from_numpy(self.rows)]

    def whole(self) -> Tensor | None:
        """Return X as a tensor in the same memory, None if that is impossible."""
        if isinstance(self.X, np.ma.MaskedArray):
            return None
        if isinstance(self.X, Tensor):
            dense = self.X.layout == torch.strided and not self.X.is_complex()
            return self.X.detach() if dense else None
        kept = self.X.dtype in [*_KEPT, *_KEPT_IN_FILES] and min(self.X.strides) >= 0
        return _as_tensor(self.X) if kept else None


class ArrayImages:
    """Images (n, C, *spatial) in memory or in a memory-mapped file, which are not copied.

    Parameters
    ----------
    whole : Tensor of shape (m, C, *spatial)
        All images.
    rows : ndarray of int of shape (n,), default=None
        Indices of the selected images; all by default.
    masked : bool, default=False
        Whether NaN stands for pixels without a value.
    dtype : str, default=None
        The original dtype of the images.
    """

    # All images have the same size, and no targets are read with them.
    sizes: Tensor | None = None
    survey = None

    def __init__(
        self,
        whole: Tensor,
        rows: np.ndarray | None = None,
        *,
        masked: bool = False,
        dtype: str | None = None,
    ) -> None:
        self.whole = whole
        self.rows = rows
        self.masked = masked
        self.dtype = dtype or str(whole.dtype).removeprefix("torch.")

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, C, *spatial)."""
        return (len(self), *self.whole.shape[1:])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.whole.ndim

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.whole.device

    @property
    def source(self) -> ArrayImages:
        """The source of training batches."""
        return self

    def __len__(self) -> int:
        return len(self.whole if self.rows is None else self.rows)

    def __getitem__(self, position: int) -> Tensor:
        return self.whole[position if self.rows is None else int(self.rows[position])]

    def scaling(self, kept: Tensor | None = None) -> Scaling:
        """Return the mean and standard deviation of each channel over the pixels to use.

        Parameters
        ----------
        kept : Tensor of shape (n, *spatial), bool, default=None
            Which pixels to use; pixels without a value are never used.
        """
        found, start = ChannelStatistics(), 0
        # As much as fits into a core's cache; on a GPU, few large chunks are faster.
        values = 2**18 if self.device.type == "cpu" else 2**24
        for part in self.split(max(1, values // max(math.prod(self.shape[1:]), 1))):
            stop = start + len(part)
            found.add(part, None if kept is None else kept[start:stop].to(part.device))
            start = stop
        found.warn_of_extremes()
        return as_scaling(found)

    def imagenet_scaling(self) -> Scaling:
        """Return the scaling of ImageNet in the units of the images."""
        return imagenet_scaling(self.shape[1], self.dtypes, self.extremes())

    @property
    def dtypes(self) -> set[str]:
        """The original dtypes of the images: one."""
        return {self.dtype}

    def extremes(self) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        low, high = math.inf, -math.inf
        for part in self.split(max(1, _CHUNK // math.prod(self.shape[1:]))):
            found = part[~part.isnan()].float()
            if found.numel():
                low, high = min(low, float(found.min())), max(high, float(found.max()))
        return low, high

    def filled(self, fill: Callable[[Tensor], Tensor]) -> ArrayImages:
        """Return the images with filled values for pixels without one."""
        return ArrayImages(fill(self.whole), self.rows) if self.masked else self

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the images in chunks; chunks of consecutive images are not copied."""
        if self.rows is None:
            yield from self.whole.split(size)
            return
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            if (np.diff(rows) == 1).all():
                yield self.whole[int(rows[0]) : int(rows[-1]) + 1]
            else:
                yield self.whole[torch.from_numpy(rows).to(self.device)]

    def batches(
        self, batch_size: Callable[[tuple[int, ...]], int]
    ) -> Iterator[tuple[Tensor, None]]:
        """Yield the images in order, each batch with None in place of targets.

        Parameters
        ----------
        batch_size : callable
            Maps (*spatial) to the number of images in a batch.
        """
        return ((images, None) for images in self.split(batch_size(self.shape[2:])))

    def read_rows(self, batches: Iterable[Any]) -> Iterator[tuple[Tensor, None]]:
        """Yield the images at given positions, batch by batch."""
        rows = None if self.rows is None else torch.from_numpy(self.rows).to(self.device)
        return ((self.whole[b if rows is None else rows[b]], None) for b in batches)

    def in_memory(self, chosen: Tensor | None) -> ArrayImages:
        """Return some or all of the images, without copying them."""
        if chosen is None:
            return self
        rows = chosen.cpu().numpy()
        return ArrayImages(self.whole, rows if self.rows is None else self.rows[rows])

    def to(self, device: torch.device) -> ArrayImages:
        """Return the images on a device; rows are moved in chunks."""
        if self.rows is None or self.device.type != "cpu" or device.type == "cpu":
            return ArrayImages(self.whole.to(device), self.rows)
        images = torch.empty(self.shape, dtype=self.whole.dtype, device=device)
        start = 0
        for part in self.split(max(1, _CHUNK // math.prod(self.shape[1:]))):
            images[start : start + len(part)] = part.to(device)
            start += len(part)
        return ArrayImages(images)


def read_rows(
    estimator: BaseEstimator,
    X: Rows,
    *,
    reset: bool,
    image_shape: tuple[int, ...] | None,
    channels: Any,
    min_samples: int = 1,
) -> ArrayImages:
    """Do the same as :func:`~.arrays.read_images` for ``X[rows]``.

    Returns
    -------
    images : ArrayImages
        A copy of the rows if their dtype has to be converted at once.
    """
    whole = X.whole()
    if whole is None or whole.ndim < 2:
        options: dict[str, Any] = {"image_shape": image_shape, "channels": channels}
        copied = read_images(estimator, X.copy(), reset=reset, min_samples=min_samples, **options)
        return ArrayImages(copied, masked=is_masked(X.X), dtype=given_dtype(X.X))
    # Has the right shape, but needs no memory.
    stand_in = torch.zeros((), dtype=torch.bool).expand(X.shape)
    _check_tensor(estimator, stand_in, reset=reset, min_samples=min_samples)
    images = ArrayImages(_as_channels_first(whole, image_shape, channels), X.rows)
    if whole.is_floating_point():
        start = 0
        for part in images.split(max(1, _CHUNK // math.prod(images.shape[1:]))):
            check_finite(part, start=start)
            start += len(part)
    return images
