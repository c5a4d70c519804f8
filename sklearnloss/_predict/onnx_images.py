"""Images as an exported network takes them: float32 with NaN for masked pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# The value of white.
_WHITE = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}


class Windows:
    """An image whose slices are checked and become float32; the whole is not copied.

    Parameters
    ----------
    image : ndarray of shape (C, *spatial), or anything with its shape and slices
        Possibly a masked array.
    metadata : dict
        What the file says about the model.

    Raises
    ------
    ValueError
        If the image has other channels or axes than the model was trained on, or, with the
        scaling of ImageNet, another value for white.
    """

    def __init__(self, image: Any, metadata: Mapping[str, Any]) -> None:
        self.image = image
        self.shape: tuple[int, ...] = tuple(image.shape)
        self._fills = bool(metadata["fills_masked"])
        self._check_shape(metadata)
        if metadata["white"] is not None:
            _check_white(image, float(metadata["white"]))

    def _check_shape(self, metadata: Mapping[str, Any]) -> None:
        n_channels, n_axes = metadata["n_channels"], metadata["n_axes"]
        only = metadata["input_shape"]
        right = len(self.shape) == n_axes + 1 and self.shape[0] == n_channels
        if right and (only is None or self.shape == tuple(only)) and 0 not in self.shape:
            return
        expected = f"{n_channels} channels and {n_axes} spatial axes"
        if only is not None:
            expected = f"the shape {tuple(only)}"
        raise ValueError(
            f"The image has the shape {self.shape} (channels first), but the model was trained on "
            f"images of {expected}."
        )

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        values = self.image[window]
        masked = np.ma.getmaskarray(values) if np.ma.is_masked(values) else None
        values = np.asarray(np.ma.getdata(values))
        if values.dtype.kind not in "biuf":
            raise ValueError(f"The image is of dtype {values.dtype}. Expected numbers.")
        with np.errstate(over="ignore"):
            x = values.astype(np.float32)
        finite = np.isfinite(x)
        if masked is not None:
            if not self._fills:
                raise ValueError(
                    "The image has masked pixels, which become the mean of their channel, but the "
                    "model, with normalize=None, does not know it. Fill them first."
                )
            finite |= masked
            x[masked] = np.nan
        if not finite.all():
            raise ValueError(
                "The image contains NaN, infinity or a value too large for float32. Mask these "
                "pixels, as in np.ma.masked_invalid(image)."
            )
        return x


def _check_white(image: Any, fitted: float) -> None:
    """Raise a ValueError if white is another value than in the images of ``fit``."""
    dtype = str(getattr(image, "dtype", ""))
    white = _WHITE.get(dtype)
    if white is not None:
        same = abs(white / fitted - 1) < 1e-3
    elif isinstance(image, np.ndarray):  # floating point, or wider integers: the values tell
        high = np.ma.masked_invalid(image).max()
        same = high is np.ma.masked or bool(high <= 1 if fitted < 2 else high > 1 or high == 0)
    else:
        same = True
    if not same:
        raise ValueError(
            f"The image, of {dtype}, seems to have another value for white than the images that "
            f"the model was trained on, where it was {fitted:.6g}. Pass images in the same units."
        )
