"""Mean, variance and extremes of image channels, computed in one pass."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# An extreme is suspect if it is this many standard deviations from the mean of the others...
_FAR = 20.0
# ... and if the gap is this many times as wide as the range of the others.
_WIDE = 2.0


class _End(NamedTuple):
    """The lowest values of some channels; for the highest, the values are negated.

    Attributes
    ----------
    value : Tensor of shape (C,)
        The lowest value.
    following : Tensor of shape (C,)
        The second lowest value, inf if there is none, or ``value`` if it was not
        computed since the two are close.
    number : Tensor of shape (C,)
        How many of the used pixels have the lowest value.
    """

    value: Tensor
    following: Tensor
    number: Tensor

    def merged(self, other: _End) -> _End:
        """Return the lowest values of both."""
        value = torch.minimum(self.value, other.value)
        candidates = [torch.full_like(value, torch.inf)]
        number = torch.zeros_like(value)
        for end in (self, other):
            lowest = end.value == value
            candidates.append(torch.where(lowest, end.following, end.value))
            number += torch.where(lowest, end.number, 0.0)
        return _End(value, torch.stack(candidates).amin(0), number)


class ChannelStatistics:
    """Statistics of each channel of the images added so far.

    Attributes
    ----------
    count : Tensor of shape (C,), float64
        Number of pixels used.
    mean, squares : Tensor of shape (C,), float64
        Their mean, and the sum of the squared distances from it.
    missing : bool
        Whether there were pixels without a value.
    """

    def __init__(self) -> None:
        self.count = self.mean = self.squares = torch.zeros(0, dtype=torch.float64)
        self.missing = False
        self._ends: list[_End] = []

    def add(self, images: Tensor, kept: Tensor | None = None) -> None:
        """Merge some images into those before.

        Parameters
        ----------
        images : Tensor of shape (n, C, *spatial)
            NaN stands for pixels without a value.
        kept : Tensor of shape (n, *spatial), bool, default=None
            Which pixels to use; the others are only considered as extremes.
        """
        # In the network's layout, channels first, so that the order of summation is fixed.
        values = images.float().to(torch.float64, memory_format=torch.contiguous_format)
        axes = (0, *range(2, values.ndim))
        counted = None if kept is None else kept[:, None]
        part = _moments(values, counted, axes)
        if (values if kept is not None else part[1]).isnan().any():
            self.missing = True
            counted = ~values.isnan() if kept is None else ~values.isnan() & kept[:, None]
            part = _moments(values, counted, axes)
        self._merge(*part, [_end(sign, values, counted, axes, part) for sign in (1, -1)])

    def _merge(self, count: Tensor, mean: Tensor, squares: Tensor, ends: list[_End]) -> None:
        if not self._ends:
            self.count, self.mean, self.squares, self._ends = count, mean, squares, ends
            return
        # T. F. Chan, G. H. Golub, R. J. LeVeque, 1983: pairwise updating of variances.
        total = (self.count + count).clamp(min=1)
        delta = mean - self.mean
        self.squares = self.squares + squares + delta.square() * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = self.count + count
        self._ends = [old.merged(new) for old, new in zip(self._ends, ends, strict=True)]

    @property
    def variance(self) -> Tensor:
        """The variance of each channel."""
        return self.squares / self.count.clamp(min=1)

    def extremes(self) -> tuple[float, float]:
        """Return the lowest and the highest value of all channels."""
        low, high = self._ends
        return low.value.min().item(), -high.value.min().item()

    def warn_of_extremes(self) -> None:
        """Warn about a value so far from all others that it may mark missing data."""
        for value, channels in self._extremes().items():
            which = f"Channel {channels[0]} of X holds"
            if len(channels) > 1:
                which = f"Channels {', '.join(map(str, channels))} of X hold"
            # Not masked_equal: the float64 number may differ from the float32 pixels.
            text = str(np.float32(value)).removesuffix(".0")
            warnings.warn(
                f"{which} the value {text}, which is far from all others. If it marks missing "
                f"data, mask it, as in np.ma.masked_values(X, {text}): masked pixels are left out "
                f"of the scaling, and become the mean of their channel.",
                UserWarning,
                stacklevel=2,
            )

    def _extremes(self) -> dict[float, list[int]]:
        """Return suspect values, and the channels that hold them."""
        part = self.count, self.mean, self.squares
        found: dict[float, list[int]] = {}
        for sign, end, other in zip((1, -1), self._ends, self._ends[::-1], strict=True):
            gap = end.following - end.value
            spread = -other.value - end.following
            suspect = _is_far(sign * end.value, end.number, *part) & gap.isfinite()
            suspect &= (spread > 0) & (gap > _WIDE * spread)
            for channel in suspect.nonzero().flatten().tolist():
                found.setdefault(sign * end.value[channel].item(), []).append(channel)
        return found


def _moments(
    values: Tensor, counted: Tensor | None, axes: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the number, mean and sum of squared deviations of each channel, on the CPU."""
    if counted is None:
        count = torch.full(values.shape[1:2], values[:, :1].numel(), dtype=torch.float64)
        count = count.to(values.device)
        total = values.sum(axes)
    else:
        count = counted.expand_as(values).sum(axes).double()
        total = values.where(counted, 0.0).sum(axes)
    mean = total / count.clamp(min=1)
    distance = values - _along(mean, values)
    if counted is not None:
        distance = distance.where(counted, 0.0)
    return count.cpu(), mean.cpu(), distance.square_().sum(axes).cpu()


def _end(
    sign: int,
    values: Tensor,
    counted: Tensor | None,
    axes: tuple[int, ...],
    part: tuple[Tensor, Tensor, Tensor],
) -> _End:
    """Return the lowest values of an array, or with sign -1, of its negative."""
    farthest = torch.amin if sign > 0 else torch.amax
    beyond = sign * torch.inf
    if counted is not None:
        values = values.where(~values.isnan(), beyond)
    value = farthest(values, axes)
    equal = values == _along(value, values)
    number = (equal if counted is None else equal & counted).sum(axes).double().cpu()
    far = _is_far(value.cpu(), number, *part)
    following = value.cpu()
    if far.any():
        second = farthest(values.masked_fill(equal, beyond), axes).cpu()
        following = torch.where(far, second, following)
    return _End(sign * value.cpu(), sign * following, number)


def _along(per_channel: Tensor, values: Tensor) -> Tensor:
    return per_channel.reshape(-1, *[1] * (values.ndim - 2))


def _is_far(value: Tensor, number: Tensor, count: Tensor, mean: Tensor, squares: Tensor) -> Tensor:
    """Return whether a value that occurs this often is far from the mean of all others."""
    left = count - number
    others = (count * mean - number * value) / left.clamp(min=1)
    spread = squares - number * (value - mean).square() - left * (others - mean).square()
    distance = (value - others).square()
    return (distance * left > _FAR**2 * spread.clamp(min=0)) | (left < 1)
