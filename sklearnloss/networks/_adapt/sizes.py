"""The image sizes that a network accepts, found out by trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .arguments import IMAGE_SHAPE
from .outputs import WrongOutputs, WrongSize, read_outputs
from .wanted import Wanted

# Number of images per trial: two, since some networks fail on one.
_BATCH = 2
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 7, 14, 28, 56)
# The smallest sizes to try, by number of axes.
_TRIED = {1: 64, 2: 64, 3: 32}
# Sizes to try for networks that accept only one.
_LARGEST = 2048
_FIXED = (224, 256, 384, 299, 448, 512, 192, 128, 112, 96, 64, 48, 32, 28)


@dataclass(frozen=True)
class Sizes:
    """The image sizes that a network accepts.

    Attributes
    ----------
    multiple : int
        Sides are multiples of this.
    least : int
        The smallest side, a multiple of it.
    fixed : tuple of int or None
        The only size that is accepted, if there is just one.
    values_per_pixel : int
        How many values the largest layer outputs per pixel of an image.
    n_heads : int
        How many tensors of scores the network returns in training.
    """

    multiple: int = 1
    least: int = 1
    fixed: tuple[int, ...] | None = None
    values_per_pixel: int = 1
    n_heads: int = 1

    def enlarged(self, spatial: Iterable[int]) -> tuple[int, ...]:
        """Return the smallest accepted size that is not below the given one."""
        if self.fixed is not None:
            return self.fixed
        m, least = self.multiple, self.least
        return tuple(max(least, -(-side // m) * m) for side in spatial)


def find_sizes(network: nn.Module, wanted: Wanted, given: Mapping[str, Any]) -> Sizes:
    """Return which sizes a network accepts; its weights and random numbers are left unchanged.

    Parameters
    ----------
    network : nn.Module
        Called with batches of two images of several sizes in evaluation mode, and
        with one batch of the wanted size in training mode.
    wanted : Wanted
        The data that it is for.
    given : dict of str to object
        The arguments that the network was made with; the only accepted size may be among them.

    Raises
    ------
    ValueError
        If no size is accepted, or the scores are wrong; the message contains the shapes.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        with _mode(network, training=False):
            _materialize(network, wanted)
            sizes = _find(network, wanted, given)
        with _mode(network, training=True):
            return _try_training(network, wanted, sizes)


def _materialize(network: nn.Module, wanted: Wanted) -> None:
    """Initialize lazy layers with the size that they are for; others are left unchanged."""
    if any(is_lazy(each) for each in [*network.parameters(), *network.buffers()]):
        error = _error(network, wanted, wanted.image_shape)
        if error is not None:
            raise error if isinstance(error, WrongOutputs) else _refusal(error, wanted)


def _find(network: nn.Module, wanted: Wanted, given: Mapping[str, Any]) -> Sizes:
    for multiple in _MULTIPLES:
        error = _error(network, wanted, _odd_multiples(multiple, wanted.n_axes))
        if error is None:
            # A network that accepted no small images may accept any larger ones.
            large = min(_odd_multiples(multiple, wanted.n_axes))
            smaller = (m for m in _MULTIPLES if m < multiple and multiple % m == 0)
            found = next((m for m in smaller if _takes(network, wanted, m, large)), multiple)
            high = max(_odd_multiples(found, wanted.n_axes, large))
            return Sizes(found, _least(network, wanted, found, high))
        if isinstance(error, WrongOutputs):  # the same for any other size
            raise error
    for size in _fixed_sizes(network, wanted, given):
        error = _error(network, wanted, size)
        if error is None:
            return Sizes(fixed=size)
        if isinstance(error, WrongOutputs):
            raise error
    error = _error(network, wanted, wanted.image_shape)
    assert error is not None
    raise _refusal(error, wanted)


def _try_training(network: nn.Module, wanted: Wanted, sizes: Sizes) -> Sizes:
    """Call a network as training does; some heads exist in training mode only."""
    error = _error(network, wanted, sizes.enlarged(wanted.image_shape))
    if isinstance(error, WrongOutputs):
        raise WrongOutputs(f"In training mode: {error}")
    if error is not None and sizes.fixed is None:
        low, multiple = sizes.least, sizes.multiple
        high = max(*_odd_multiples(multiple, wanted.n_axes), 4 * low)
        sizes = replace(sizes, least=_least(network, wanted, multiple, high, low))
        error = _error(network, wanted, sizes.enlarged(wanted.image_shape))
    if error is not None:
        raise _refusal(error, wanted)
    size = sizes.enlarged(wanted.image_shape)
    with _largest_layer(network) as numbers:
        heads = read_outputs(network(_images(network, wanted, size)), wanted, size)
    values = math.ceil(max(numbers) / (_BATCH * math.prod(wanted.image_shape)))
    return replace(sizes, values_per_pixel=values, n_heads=len(heads))


@contextmanager
def _largest_layer(network: nn.Module) -> Iterator[list[int]]:
    """Collect how many values each layer outputs."""
    numbers = [1]

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            numbers.append(output.numel())

    layers = [
        module
        for module in network.modules()
        if not any(True for _ in module.children())
        and not isinstance(module, torch.jit.ScriptModule)  # which takes no hooks
    ]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield numbers
    finally:
        for hook in hooks:
            hook.remove()


def _refusal(error: Exception, wanted: Wanted) -> Exception:
    if isinstance(error, WrongSize):
        return error
    size = " x ".join(map(str, wanted.image_shape))
    refusal = ValueError(
        f"The network accepts neither images of {wanted.in_channels} channels and {size} pixels "
        f"nor any other size that was tried. It raised {type(error).__name__}: "
        f"{str(error).rstrip('.')}."
    )
    refusal.__cause__ = error
    return refusal


@contextmanager
def _mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a network into a mode temporarily; its statistics are restored afterwards."""
    before = {module: module.training for module in network.modules()}
    kept = {name: buffer.clone() for name, buffer in network.named_buffers() if not is_lazy(buffer)}
    network.train(training)
    try:
        yield
    finally:
        for module, was_training in before.items():
            module.training = was_training
        for name, buffer in network.named_buffers():
            if name in kept and kept[name].shape == buffer.shape:
                buffer.copy_(kept[name])


def _takes(network: nn.Module, wanted: Wanted, multiple: int, large: int) -> bool:
    return _error(network, wanted, _odd_multiples(multiple, wanted.n_axes, large)) is None


def _odd_multiples(multiple: int, n_axes: int, large: int = 0) -> tuple[int, ...]:
    """Return a size whose sides are different odd multiples of a number, and not below one."""
    k = max(1, _TRIED[n_axes] // multiple, -(-large // multiple)) | 1
    return tuple(multiple * (k + 2 * axis) for axis in range(n_axes))


def _fixed_sizes(
    network: nn.Module, wanted: Wanted, given: Mapping[str, Any]
) -> Iterator[tuple[int, ...]]:
    """Yield sizes that may be the only one, those that the network was made with first."""
    n = wanted.n_axes
    named = [given[name] for name in IMAGE_SHAPE if name in given]
    for size in [getattr(network, "img_size", None), *named, wanted.image_shape, wanted.made_for]:
        if isinstance(size, tuple | list) and len(size) == n:
            size = tuple(size)
        elif isinstance(size, int) and not isinstance(size, bool):
            size = (size,) * n
        else:
            continue
        if all(isinstance(side, int) and 1 <= side <= _LARGEST for side in size):
            yield size
    if n == 2:
        yield from ((side, side) for side in _FIXED)


def _least(network: nn.Module, wanted: Wanted, multiple: int, high: int, low: int = 0) -> int:
    """Return the smallest accepted side, by bisection: any larger side is accepted, too."""
    low, high = low // multiple, high // multiple
    while high - low > 1:
        middle = (low + high) // 2
        if _error(network, wanted, (multiple * middle,) * wanted.n_axes) is None:
            high = middle
        else:
            low = middle
    return multiple * high


def _are_probabilities(scores: Tensor) -> bool:
    sums = scores.float().sum(1)
    return scores.shape[1] > 1 and bool((scores >= 0).all() and ((sums - 1).abs() < 1e-3).all())


def _is_sigmoid(network: nn.Module, wanted: Wanted, images: Tensor, scores: Tensor) -> bool:
    """Return whether scores are in (0, 1), and nearly all 0 or 1 for images of huge values.

    Norms make training mode, and some networks, independent of how large values are: these are
    not recognized.
    """
    if network.training or not bool(((scores > 0) & (scores < 1)).all()):
        return False
    try:
        extreme = read_outputs(network(1e4 * images), wanted, images.shape[2:])[0]
    except Exception:  # a network may raise anything
        return False
    near = (extreme.abs() < 1e-3) | ((extreme - 1).abs() < 1e-3)
    inside = bool(((extreme >= 0) & (extreme <= 1)).all())
    return inside and float(near.float().mean()) > 0.9 and float(scores.float().std()) > 0


def _error(network: nn.Module, wanted: Wanted, spatial: tuple[int, ...]) -> Exception | None:
    """Return the error that images of a size cause, or None."""
    try:
        images = _images(network, wanted, spatial)
        scores = read_outputs(network(images.clone()), wanted, spatial)[0]
    except Exception as error:  # a network may raise anything
        return error
    wrong = _wrong_scores(scores, wanted, spatial)
    if wrong is None and not scores.is_meta and _is_sigmoid(network, wanted, images, scores):
        return WrongOutputs(
            "The network returns probabilities: its scores stay between 0 and 1. Expected raw "
            "scores: losses apply the sigmoid themselves. Remove the sigmoid from the network."
        )
    return wrong


def _images(network: nn.Module, wanted: Wanted, spatial: tuple[int, ...]) -> Tensor:
    """Return a batch of noise on the network's device."""
    device = next((p.device for p in network.parameters()), None)
    shape = (_BATCH, wanted.in_channels, *spatial)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)


def _wrong_scores(scores: Tensor, wanted: Wanted, spatial: tuple[int, ...]) -> Exception | None:
    expected = (_BATCH, wanted.n_outputs, *(spatial if wanted.per_pixel else ()))
    if tuple(scores.shape) != expected:
        return WrongSize(
            f"The network returns scores of shape {tuple(scores.shape)} for images of shape "
            f"{(_BATCH, wanted.in_channels, *spatial)}. Expected {expected}."
        )
    if not scores.is_meta and not scores.isfinite().all():
        return WrongOutputs(
            f"The network returns NaN or infinity for random images of shape "
            f"{(_BATCH, wanted.in_channels, *spatial)}. Check its weights."
        )
    if not scores.is_meta and _are_probabilities(scores):
        return WrongOutputs(
            "The network returns probabilities: its scores add up to 1. Expected raw "
            "scores: losses apply the softmax themselves. Remove the softmax from the network."
        )
    return None
