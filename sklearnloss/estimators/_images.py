"""Images in every layout a user has them, as tensors (n, C, *spatial)."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor

from ..losses._device import send

if TYPE_CHECKING:
    from ._rows import RowImages

Channels = Literal["first", "last"]

# Kept as they are and cast batch by batch; everything else becomes float32.
_KEPT = [np.float32, np.float16, np.uint8, np.int8, np.uint16, np.int16, np.bool_]
# In a memory-mapped file these are kept too: a copy might not fit into memory.
_KEPT_IN_FILES = [np.float64, np.int32, np.int64]


def to_network(images: Tensor, scaling: Scaling | None, device: torch.device | str) -> Tensor:
    """Return a batch as the network sees it: scaled float32 on its device."""
    x = send(images, device).float()
    return (x if scaling is None else scaling.apply(x)).contiguous()


class Scaling(NamedTuple):
    """Shift and scale of each channel, learnt from the training images.

    Attributes
    ----------
    mean, scale : Tensor of shape (C,), float32
        ``(x - mean) / scale`` is what the network sees.
    """

    mean: Tensor
    scale: Tensor

    def to(self, device: torch.device | str) -> Scaling:
        """Return this on a device; batches then need not bring it there."""
        return Scaling(self.mean.to(device), self.scale.to(device))

    def apply(self, x: Tensor) -> Tensor:
        """Scale images (n, C, *spatial)."""
        shape = (-1, *[1] * (x.ndim - 2))
        mean = self.mean.to(x.device).reshape(shape)
        scale = self.scale.to(x.device).reshape(shape)
        return (x - mean) / scale

    def undo(self, x: Tensor) -> Tensor:
        """Return images (n, C, *spatial) before they were scaled."""
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
        Gets ``n_features_in_`` (and ``feature_names_in_``) when ``reset``.
    X : array-like
        (n, H, W), (n, C, H, W), (n, C, D, H, W), (n, n_features), or with the
        channels last; of any real dtype.
    reset : bool
        Whether this is ``fit``.
    image_shape : tuple of int or None
        Shape of one image: (L,), (H, W), (C, H, W) or (C, D, H, W), or with the
        channels last.
    channels : {"first", "last"}
        Where X and image_shape have the channels.
    min_samples : int, default=1
        How many images are needed.

    Returns
    -------
    images : Tensor
        A view of X where its dtype allows that.
    """
    if isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], Tensor):
        X = torch.stack(list(X))
    if isinstance(X, Tensor):
        X = _check_tensor(estimator, X, reset=reset, min_samples=min_samples)
        return _as_channels_first(X, image_shape, channels)
    flat = getattr(X, "ndim", 2) == 2
    options: dict[str, Any] = {
        "dtype": [*_KEPT, *(_KEPT_IN_FILES if isinstance(X, np.memmap) else [])],
        "allow_nd": True,
        "ensure_min_samples": min_samples,
    }
    if flat or reset:
        X = validate_data(estimator, X, reset=reset, **options)
    else:  # scikit-learn's check of n_features_in_ would compare image heights
        X = check_array(X, estimator=estimator, input_name="X", **options)
    return _as_channels_first(_as_tensor(X), image_shape, channels)


def learn_scaling(images: Tensor | RowImages) -> Scaling:
    """Return the mean and standard deviation of each channel over all images."""
    n, n_channels, *spatial = images.shape
    count = max(n * math.prod(spatial), 1)
    axes = (0, *range(2, images.ndim))
    total = torch.zeros(n_channels, dtype=torch.float64)
    squares = torch.zeros(n_channels, dtype=torch.float64)
    size = max(1, 2**20 // max(n_channels * math.prod(spatial), 1))
    for part in images.split(size):
        total += _as_double(part).sum(axes).cpu()
    mean = total / count
    shape = (-1, *[1] * (images.ndim - 2))
    centre = mean.reshape(shape).to(images.device)
    for part in images.split(size):
        squares += (_as_double(part) - centre).square().sum(axes).cpu()
    return as_scaling(mean, squares / count)


def _as_double(part: Tensor) -> Tensor:
    """Return what the network will see, channels first, so that sums have one order."""
    return part.float().to(torch.float64, memory_format=torch.contiguous_format)


def as_scaling(mean: Tensor, variance: Tensor) -> Scaling:
    """Return the scaling of channels; constant ones are only shifted."""
    scale = variance.sqrt()
    scale = torch.where(scale > 1e-12 * mean.abs().clamp(min=1e-300), scale, 1.0)
    return Scaling(mean.float(), scale.float())


def as_image(
    item: Any, image_shape: tuple[int, ...] | None, channels: Channels, position: int
) -> Tensor:
    """Validate one image and view it as a tensor (C, *spatial).

    Parameters
    ----------
    item : array-like
        (H, W), (C, H, W), (C, D, H, W), or with the channels last.
    image_shape, channels
        As for :func:`read_images`.
    position : int
        How errors name the image.
    """
    if not isinstance(item, Tensor):
        array = np.asarray(item)
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"X[{position}] has dtype {array.dtype}. Expected an image of numbers."
            )
        item = _as_tensor(array if array.dtype in _KEPT else array.astype(np.float32))
    if item.ndim == 0 or item.numel() == 0:
        raise ValueError(f"X[{position}] has shape {tuple(item.shape)}. Expected an image.")
    image = _as_channels_first(item.detach()[None], image_shape, channels)[0]
    if image.is_floating_point() and not bool(image.isfinite().all()):
        raise ValueError(f"Input X contains NaN or infinity: see X[{position}].")
    return image


def _check_tensor(estimator: BaseEstimator, X: Tensor, *, reset: bool, min_samples: int) -> Tensor:
    """Validate a tensor where it is, as scikit-learn does arrays."""
    if X.ndim < 2 or X.is_complex() or X.layout != torch.strided:
        raise ValueError(
            f"X is a {X.layout} tensor of shape {tuple(X.shape)} and dtype {X.dtype}. Expected a "
            f"dense, real one of shape (n, H, W) or (n, C, H, W)."
        )
    if len(X) < min_samples or X.numel() == 0:
        raise ValueError(
            f"X has shape {tuple(X.shape)}, but a minimum of {min_samples} image(s) of at least "
            f"one pixel is required."
        )
    if X.is_floating_point():
        parts = X.split(max(1, 2**24 // X[0].numel()))
        if not all(bool(part.isfinite().all()) for part in parts):
            raise ValueError("Input X contains NaN or infinity.")
    if reset:
        estimator.n_features_in_ = X.shape[1]
        estimator.__dict__.pop("feature_names_in_", None)
    elif X.ndim == 2 and X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return X.detach()


def _as_tensor(X: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in X.strides):
        X = np.ascontiguousarray(X)
    with warnings.catch_warnings():
        # Memory-mapped and shared arrays are read-only; they are never written to.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(X)


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
        if X.shape[-1] == 1:  # the same memory, and the strides of channels first
            return X.reshape(X.shape[0], 1, *X.shape[1:-1])
        return X.movedim(-1, 1)
    if X.ndim == 4 and X.shape[1] > 4 and X.shape[3] in (1, 3, 4) and X.shape[2] > 4:
        warnings.warn(
            f"X of shape {tuple(X.shape)} is read as images with {X.shape[1]} channels and "
            f"{X.shape[3]} pixels across. If the channels come last, set channels='last'.",
            UserWarning,
            stacklevel=5,
        )
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
    return X.reshape(X.shape[0], *image_shape)
