"""The scaling for networks that were trained on ImageNet."""

from __future__ import annotations

from collections.abc import Collection

import torch

from .arrays import Scaling

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
# The value of white.
_WHITE = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}


def imagenet_scaling(
    n_channels: int, dtypes: Collection[str], extremes: tuple[float, float]
) -> Scaling:
    """Return the shift and scale of ImageNet's channels in the units of the images.

    Parameters
    ----------
    n_channels : int
        Three, or one, which gets the mean of the three.
    dtypes : collection of str
        The dtypes of the images: white is 255 for "uint8", 65535 for "uint16", 1 for
        "bool" and for floating point.
    extremes : tuple of float
        The lowest and the highest value.

    Raises
    ------
    ValueError
        If the number of channels is different, or if the value of white is ambiguous.
    """
    if n_channels not in (1, 3):
        raise ValueError(
            f"normalize='imagenet' is for images of three channels, red, green and blue, or of "
            f"one, but X has {n_channels}. Set normalize='auto'."
        )
    mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
    if n_channels == 1:
        mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
    white = _white(dtypes, extremes)
    return Scaling(mean * white, std * white)


def check_white(scaling: Scaling, dtypes: Collection[str], extremes: tuple[float, float]) -> None:
    """Raise a ValueError if white is another value than in the images of ``fit``.

    Parameters
    ----------
    scaling : Scaling
        That of ImageNet, in the units of ``fit``.
    dtypes, extremes
        Of the images, as for :func:`imagenet_scaling`.
    """
    fitted = white_of(scaling)
    high = extremes[1]
    for dtype in dtypes:
        white = _WHITE.get(dtype)
        if white is None:  # floating point, or wider integers: the values have to tell
            same = high <= 1 if fitted < 2 else high > 1 or high == 0
        else:
            same = abs(white / fitted - 1) < 1e-3
        if not same:
            raise ValueError(
                f"X of {dtype} seems to have another value for white than the images of fit, where "
                f"it was {fitted:.6g}. With normalize='imagenet', pass images in the same units."
            )


def white_of(scaling: Scaling) -> float:
    """Return the value of white in the units of a scaling of ImageNet."""
    unit = imagenet_scaling(len(scaling.mean), ["bool"], (0, 1))
    return float(scaling.scale[0] / unit.scale[0])


def is_imagenet(scaling: Scaling) -> bool:
    """Return whether a scaling is that of ImageNet, in any units."""
    n_channels = len(scaling.mean)
    if n_channels not in (1, 3):
        return False
    expected = imagenet_scaling(n_channels, ["bool"], (0.0, 1.0))
    white = scaling.scale / expected.scale
    return bool(
        torch.allclose(white, white[:1].expand_as(white))
        and torch.allclose(scaling.mean, white * expected.mean)
    )


def _white(dtypes: Collection[str], extremes: tuple[float, float]) -> float:
    kinds = sorted({"floating point" if "float" in each else each for each in dtypes})
    if len(kinds) > 1:
        raise ValueError(
            f"normalize='imagenet' needs images with one kind of numbers, but X holds "
            f"{' and '.join(kinds)}. Convert all images to one range first."
        )
    (kind,) = kinds
    if kind in _WHITE:
        return _WHITE[kind]
    low, high = extremes
    if kind == "floating point" and low >= 0 and high <= 1:
        return 1.0
    what = (
        f"X of {kind} ranges from {low:g} to {high:g}"
        if kind != "floating point"
        else (f"X ranges from {low:g} to {high:g}")
    )
    raise ValueError(
        f"normalize='imagenet' must know which value is white, but {what}. Expected uint8 (white "
        f"is 255), uint16 (65535), or floating point in [0, 1]. Convert X to one of these, with "
        f"X.astype(np.uint8) or X / 255; or set normalize='auto'."
    )
