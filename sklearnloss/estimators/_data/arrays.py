"""Conversion of images in any common layout to tensors (n, C, *spatial)."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor

from ...losses._core.transfer import send
from .axes import splits_or_joins
from .statistics import ChannelStatistics

Channels = Literal["first", "last"]

# These dtypes are kept and cast batch by batch; all others become float32.
_KEPT = [np.float32, np.float16, np.uint8, np.int8, np.uint16, np.int16, np.bool_]
# In memory-mapped files these are kept, too: a copy might not fit into memory.
_KEPT_IN_FILES = [np.float64, np.int32, np.int64]


def to_network(images: Tensor, scaling: Scaling | None, device: torch.device | str) -> Tensor:
    """Return a batch as the network sees it: scaled float32 on its device."""
    x = send(images, device).float()
    return (x if scaling is None else scaling.apply(x)).contiguous()


class Scaling(NamedTuple):
    """Shift and scale of each channel, learned from the training images.

    Attributes
    ----------
    mean, scale : Tensor of shape (C,), float32
        The network receives ``(x - mean) / scale``.
    """

    mean: Tensor
    scale: Tensor

    def to(self, device: torch.device | str) -> Scaling:
        """Return this scaling on a device, so that batches do not have to move it there."""
        return Scaling(self.mean.to(device), self.scale.to(device))

    def apply(self, x: Tensor) -> Tensor:
        """Scale images (n, C, *spatial)."""
        shape = (-1, *[1] * (x.ndim - 2))
        mean = self.mean.to(x.device).reshape(shape)
        scale = self.scale.to(x.device).reshape(shape)
        return (x - mean) / scale

    def fill(self, x: Tensor) -> Tensor:
        """Replace NaN in images (n, C, *spatial) by the mean of the channel."""
        mean = self.mean.to(x.device, x.dtype).reshape(-1, *[1] * (x.ndim - 2))
        return torch.where(x.isnan(), mean, x)

    def undo(self, x: Tensor) -> Tensor:
        """Undo the scaling of images (n, C, *spatial)."""
        shape = (-1, *[1] * (x.ndim - 2))
        return x * self.scale.to(x.device).reshape(shape) + self.mean.to(x.device).reshape(shape)


def read_images(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    image_shape: tuple[int, ...] | None,
    channels: Channels,
    min_samples: int = 1,
) -> Tensor:
    """Validate images and view them as a tensor (n, C, *spatial).

    Parameters
    ----------
    estimator : BaseEstimator
        Its ``n_features_in_`` (and ``feature_names_in_``) are set if ``reset``.
    X : array-like
        (n, H, W), (n, C, H, W), (n, C, D, H, W) or (n, n_features), or with channels
        last; of any real dtype.
    reset : bool
        Whether this is called by ``fit``.
    image_shape : tuple of int or None
        Shape of one image: (L,), (H, W), (C, H, W) or (C, D, H, W), or with channels
        last.
    channels : {"first", "last"}
        Position of the channel axis in X and image_shape.
    min_samples : int, default=1
        The minimum number of images.

    Returns
    -------
    images : Tensor
        A view of X if its dtype allows.
    """
    X = _joined(X)
    marked = is_masked(X)
    X = mark_masked(X)
    if isinstance(X, Tensor):
        X = _check_tensor(estimator, X, reset=reset, min_samples=min_samples)
        return _as_channels_first(X, image_shape, channels)
    flat = getattr(X, "ndim", 2) == 2
    options: dict[str, Any] = {
        "dtype": [*_KEPT, *(_KEPT_IN_FILES if isinstance(X, np.memmap) else [])],
        "allow_nd": True,
        "ensure_min_samples": min_samples,
        "ensure_all_finite": False,
    }
    with np.errstate(over="ignore"):  # detected below
        if flat or reset:
            X = validate_data(estimator, X, reset=reset, **options)
        else:  # scikit-learn's check of n_features_in_ would compare image heights
            X = check_array(X, estimator=estimator, input_name="X", **options)
    images = _as_tensor(X)
    _check_size(images, min_samples)
    if not marked:
        check_finite(images)
    return _as_channels_first(images, image_shape, channels)


def is_masked(X: Any) -> bool:
    """Return whether an array, or a list of arrays, has masked pixels."""
    X = listed(X)
    if isinstance(X, (list, tuple)):
        return any(is_masked(item) for item in X if isinstance(item, np.ma.MaskedArray))
    if isinstance(X, np.ma.MaskedArray):
        return bool(np.ma.is_masked(X))
    return False


def given_dtype(X: Any) -> str | None:
    """Return the original dtype of masked arrays, or of arrays in a list, that get converted."""
    X = listed(X)
    if isinstance(X, (list, tuple)):
        arrays = [item for item in X if isinstance(item, np.ndarray)]
        return str(np.result_type(*arrays)) if arrays and len(arrays) == len(X) else None
    return str(X.dtype) if isinstance(X, np.ma.MaskedArray) else None


def mark_masked(X: Any) -> Any:
    """Return a masked array as float32 with NaN for masked values, and anything else unchanged.

    Raises
    ------
    ValueError
        If values that are not masked are NaN, infinite, or too large for float32.
    """
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if not is_masked(X):
        return X.data
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X is a masked array of dtype {X.dtype}. Expected numbers.")
    with np.errstate(over="ignore"):
        marked = X.data.astype(np.float32)
    masked = np.ma.getmaskarray(X)
    if not (np.isfinite(marked) | masked).all():
        raise ValueError(
            "Input X contains NaN, infinity or a value too large for float32 where it is not "
            "masked. Mask these values, too: np.ma.masked_invalid(X)."
        )
    marked[masked] = np.nan
    return marked


def check_finite(images: Tensor, name: str | None = None, start: int = 0) -> None:
    """Raise a ValueError that names the image with NaN or infinity, and the remedy.

    Parameters
    ----------
    images : Tensor of shape (n, ...)
        All images, or a single one.
    name : str, default=None
        The name of the single image, for the error.
    start : int, default=0
        The position of the first image.
    """
    if not images.is_floating_point():
        return
    for part in images.split(max(1, 2**24 // max(1, math.prod(images.shape[1:])))):
        finite = part.float().isfinite()
        if not finite.all():
            first = int((~finite).flatten(1).any(1).nonzero()[0])
            what = (
                "NaN" if part[first].isnan().any() else "infinity or a value too large for float32"
            )
            raise ValueError(
                f"Input X contains {what}: see {name or f'X[{start + first}]'}. Pixels without a "
                f"value can be masked, as in np.ma.masked_invalid(X): they become the mean of "
                f"their channel. Or replace the values yourself."
            )
        start += len(part)


def listed(values: Any) -> Any:
    """Return a table column or an array of arrays as a list; anything else unchanged."""
    if getattr(values, "ndim", 0) != 1 or len(values) == 0 or values.dtype != object:
        return values
    items = list(values)
    return items if all(getattr(item, "ndim", 0) > 0 for item in items) else values


def _joined(X: Any) -> Any:
    """Join a list of tensors or arrays of the same shape; masks of arrays are kept."""
    X = listed(X)
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return X
    if isinstance(X[0], Tensor):
        return torch.stack(list(X))
    if all(isinstance(item, np.ndarray) for item in X):
        warn_of_unlike_dtypes([item.dtype for item in X])
        return np.ma.stack(X) if is_masked(X) else X
    return X


def as_scaling(found: ChannelStatistics) -> Scaling:
    """Return the scaling of channels; constant channels are only shifted.

    Raises
    ------
    ValueError
        If a channel has only masked or ignored pixels.
    """
    if (found.count == 0).any():
        raise ValueError(
            f"Channel {int((found.count == 0).nonzero()[0])} of X has no pixels to use: all are "
            f"masked, or ignored in y. Leave the channel out, or fill it."
        )
    scale = found.variance.sqrt()
    scale = torch.where(scale > 1e-12 * found.mean.abs().clamp(min=1e-300), scale, 1.0)
    return Scaling(found.mean.float(), scale.float())


def as_image(
    item: Any, image_shape: tuple[int, ...] | None, channels: Channels, name: str
) -> Tensor:
    """Validate one image and view it as a tensor (C, *spatial).

    Parameters
    ----------
    item : array-like
        (H, W), (C, H, W), (C, D, H, W), or with the channels last.
    image_shape, channels
        As for :func:`read_images`.
    name : str
        Name of the image in errors.

    Returns
    -------
    image : Tensor
        With NaN for masked values.
    """
    marked = is_masked(item)
    if not isinstance(item, Tensor):
        array = np.asarray(mark_masked(item))
        if array.ndim == 0:
            raise ValueError(f"{name} is {item!r}. Expected an image or its path.")
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} has dtype {array.dtype}. Expected a numeric image.")
        with np.errstate(over="ignore"):  # detected below
            array = array if array.dtype in _KEPT else array.astype(np.float32)
        item = _as_tensor(array)
    if item.ndim == 0 or item.numel() == 0 or item.is_complex():
        raise ValueError(
            f"{name} has shape {tuple(item.shape)} and dtype {item.dtype}. Expected a numeric "
            f"image of at least one pixel."
        )
    image = _as_channels_first(item.detach()[None], image_shape, channels)[0]
    if not marked:
        check_finite(image[None], name)
    return image


def _check_tensor(estimator: BaseEstimator, X: Tensor, *, reset: bool, min_samples: int) -> Tensor:
    """Validate a tensor on its device, as scikit-learn validates arrays."""
    if X.ndim < 2 or X.is_complex() or X.layout != torch.strided:
        raise ValueError(
            f"X is a {X.layout} tensor of shape {tuple(X.shape)} and dtype {X.dtype}. Expected a "
            f"dense, real one of shape (n, H, W) or (n, C, H, W)."
        )
    _check_size(X, min_samples)
    check_finite(X)
    if reset:
        estimator.n_features_in_ = X.shape[1]
        estimator.__dict__.pop("feature_names_in_", None)
    elif X.ndim == 2 and X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return X.detach()


def _check_size(images: Tensor, min_samples: int) -> None:
    if len(images) < min_samples or images.numel() == 0:
        raise ValueError(
            f"X has shape {tuple(images.shape)}, but a minimum of {min_samples} image(s) of at "
            f"least one pixel is required."
        )


def _as_tensor(X: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in X.strides):
        X = np.ascontiguousarray(X)
    if not X.flags.writeable:  # memory-mapped and shared arrays; never written to
        _take_read_only()
    return torch.from_numpy(X)


@functools.cache
def _take_read_only() -> None:
    """Trigger torch's warning about read-only arrays, which it issues once, and hide it.

    Suppressing the warning for each array would not work: warning filters apply to
    the whole process, and several threads read arrays.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        torch.from_numpy(np.frombuffer(bytes(1), np.uint8))


def _as_channels_first(
    X: Tensor, image_shape: tuple[int, ...] | None, channels: Channels
) -> Tensor:
    if image_shape is not None:
        X = _reshape(X, tuple(image_shape))
    elif X.ndim == 2:
        return X[:, None, None, :]  # one row of pixels
    if X.ndim not in (2, 3, 4, 5):
        raise ValueError(
            f"X has shape {tuple(X.shape)}. Expected images of shape (n, H, W), (n, C, H, W), "
            f"volumes of shape (n, C, D, H, W), or rows (n, n_features) with image_shape."
        )
    if X.ndim < 4:  # signals (n, L) and images (n, H, W) have one channel
        return X.unsqueeze(1)
    if channels == "last":
        if X.shape[-1] == 1:  # same memory, with the strides of channels first
            return X.reshape(X.shape[0], 1, *X.shape[1:-1])
        return X.movedim(-1, 1)
    return X


def _reshape(X: Tensor, image_shape: tuple[int, ...]) -> Tensor:
    if not 1 <= len(image_shape) <= 4:
        raise ValueError(
            f"image_shape={image_shape!r}: expected (L,), (H, W), (C, H, W) or (C, D, H, W)."
        )
    n_values = math.prod(X.shape[1:])
    if n_values != math.prod(image_shape):
        raise ValueError(
            f"image_shape={image_shape!r} has {math.prod(image_shape)} values, but each sample of "
            f"X, of shape {tuple(X.shape)}, has {n_values}."
        )
    if not splits_or_joins(tuple(X.shape[1:]), image_shape):
        raise ValueError(
            f"image_shape={image_shape!r} mixes the axes of the samples of X, which have shape "
            f"{tuple(X.shape[1:])}. Expected rows of pixels, or images of this shape."
        )
    return X.reshape(X.shape[0], *image_shape)


def warn_of_unlike_dtypes(
    dtypes: Sequence[np.dtype[Any] | torch.dtype], name: Callable[[int], str] = "X[{}]".format
) -> None:
    """Warn if images have dtypes with different ranges.

    Parameters
    ----------
    dtypes : sequence of dtypes
        The dtypes of all images.
    name : callable, default
        Returns the name of an image from its position.
    """
    kinds = [_range_of(dtype) for dtype in dtypes]
    if len(set(kinds)) > 1:
        first = [kinds.index(kind) for kind in dict.fromkeys(kinds)]
        found = [f"{name(k)} is of {str(dtypes[k]).removeprefix('torch.')}" for k in first]
        warnings.warn(
            f"{' and '.join(found)}. The same brightness may be a different number in each: for "
            f"example, 255 and 65535 are both white. Convert all images to one range first.",
            UserWarning,
            stacklevel=3,
        )


def _range_of(dtype: np.dtype[Any] | torch.dtype) -> str:
    own = dtype.newbyteorder("=") if isinstance(dtype, np.dtype) else dtype
    text = str(own).removeprefix("torch.")
    if "float" in text:
        return "floats"
    return text if text in ("bool", "uint8", "uint16") else "integers"
