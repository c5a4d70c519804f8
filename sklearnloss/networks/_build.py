"""Builds the network for an estimator's ``network`` parameter."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .._utils.guides import NETWORKS
from ._adapt.adapted import AdaptedNetwork
from ._adapt.arguments import (
    call_factory,
    known_arguments,
    knows_numbers,
    looked_for,
    name_of,
)
from ._adapt.outputs import WrongOutputs, WrongSize
from ._adapt.sizes import Sizes, find_sizes
from ._adapt.wanted import Wanted
from ._libraries import build_library_network
from ._registry import USER_NETWORKS, check_name, is_of_library
from ._resnet import ResNet
from ._unet import UNet

# The sizes that named networks accept: a search makes the same network many times.
_known_sizes: dict[Any, Sizes] = {}
_MOST_KNOWN = 1000
_CONVOLUTIONS = nn.Conv1d, nn.Conv2d, nn.Conv3d


def build_network(
    network: Any,
    wanted: Wanted,
    params: Mapping[str, Any],
    adapter: Callable[..., Any] | None = None,
    *,
    fetch_weights: bool = True,
    probe: bool = True,
) -> nn.Module:
    """Make a network for images and classes, and try it out.

    Parameters
    ----------
    network : str, class, function or nn.Module
        See :class:`~sklearnloss.ImageSegmenter`. A module is copied.
    wanted : Wanted
        The data that it is for.
    params : dict of str to object
        Further arguments.
    adapter : callable, default=None
        Makes the module, called as (network, *, in_channels, n_outputs, image_shape,
        **params).
    fetch_weights : bool, default=True
        Whether a library may load pretrained weights; unnecessary if others are loaded next.
    probe : bool, default=True
        Whether to find out which images it accepts.

    Returns
    -------
    module : nn.Module
        Maps images (n, in_channels, *spatial) of any size to scores.

    Raises
    ------
    ValueError
        If it cannot be made, does not accept such images, or returns the wrong scores.
    """
    if adapter is not None:
        numbers = {
            "in_channels": wanted.in_channels,
            "n_outputs": wanted.n_outputs,
            "image_shape": wanted.image_shape,
        }
        given = _copy_of(network) if isinstance(network, nn.Module) else network
        made = _called(functools.partial(adapter, given), {**numbers, **params})
    else:
        made = _make(network, wanted, params, fetch_weights=fetch_weights)
    if isinstance(made, UNet | ResNet):  # already made for the data
        return made
    if not probe:
        return AdaptedNetwork(made, wanted, Sizes())
    key = None
    if isinstance(network, str) and adapter is None:
        key = network, wanted, tuple(sorted((name, repr(value)) for name, value in params.items()))
    if key not in _known_sizes:
        try:
            found = find_sizes(made, wanted, params)
        except ValueError as error:
            raise ValueError(
                f"{error}{_advice(network, adapter, made, wanted, error)} See {NETWORKS}."
            ) from error
        if key is None:
            return AdaptedNetwork(made, wanted, found)
        if len(_known_sizes) > _MOST_KNOWN:
            _known_sizes.clear()
        _known_sizes[key] = found
    return AdaptedNetwork(made, wanted, _known_sizes[key])


def _make(
    network: Any, wanted: Wanted, params: Mapping[str, Any], *, fetch_weights: bool
) -> nn.Module:
    if isinstance(network, nn.Module):
        if params:
            raise ValueError(
                f"{', '.join(f'network__{name}' for name in params)} cannot be set: "
                f"network={type(network).__name__}(...) is already a module. Pass the class: "
                f"network={type(network).__name__}."
            )
        return _copy_of(network)
    if isinstance(network, str):
        check_name(network)
        if is_of_library(network):
            return build_library_network(network, wanted, params, fetch_weights=fetch_weights)
        if network == "unet":
            return _own(UNet, wanted, params)
        if network == "resnet":
            image = {"stem": choose_stem(wanted.image_shape)}
            return _own(ResNet, wanted, {**image, **params})
        network = USER_NETWORKS[network]
    if not callable(network):
        raise ValueError(
            f"network={network!r}. Expected a name, a class or function that makes a "
            f"torch.nn.Module, or such a module. See {NETWORKS}."
        )
    made = call_factory(network, wanted, params)
    # A function may return one module again and again, which must not be trained itself.
    return made if isinstance(network, type) else _copy_of(made)


def _copy_of(module: nn.Module) -> nn.Module:
    """Return a copy of a module that was made before, and is left alone."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # anything may be raised
        raise ValueError(
            f"The network {type(module).__name__}(...) cannot be copied, which is necessary since "
            f"it is not trained itself: {type(error).__name__}: {error}. Pass its class, or a "
            f"function that makes it."
        ) from error


def _own(cls: Any, wanted: Wanted, params: Mapping[str, Any]) -> nn.Module:
    if wanted.per_pixel != (cls is UNet):
        name, other = ("unet", "ImageSegmenter") if cls is UNet else ("resnet", "ImageClassifier")
        raise ValueError(f"network={name!r} is for {other}.")
    return call_factory(cls, wanted, params)


def choose_stem(spatial: tuple[int, ...], kernel: Sequence[int] = ()) -> str:
    """Return which stem a ResNet should have for images of this size.

    Parameters
    ----------
    spatial : tuple of int
        Spatial shape of the images.
    kernel : sequence of int, default=()
        The size of the first kernel in the initial weights.
    """
    if kernel and min(kernel) >= 7:
        return "large"
    if min(spatial) > 1 and max(spatial) < 16:  # table rows are not images
        return "tiny"
    return "small" if min(spatial) <= 64 else "large"


def _called(adapter: Callable[..., Any], arguments: Mapping[str, Any]) -> nn.Module:
    try:
        made = adapter(**arguments)
    except Exception as error:  # anything may be raised
        raise ValueError(
            f"adapter raised {type(error).__name__}: {error}. It is called with the network and "
            f"{', '.join(f'{name}={value!r}' for name, value in arguments.items())}."
        ) from error
    if not isinstance(made, nn.Module):
        raise ValueError(
            f"adapter returned an object of type {type(made).__name__}. Expected a torch.nn.Module."
        )
    return _copy_of(made)  # it may be one that exists


def _advice(network: Any, adapter: Any, made: nn.Module, wanted: Wanted, error: ValueError) -> str:
    """Say how to set a network's numbers of channels and outputs."""
    number = isinstance(error, WrongOutputs) and error.number
    if isinstance(error, WrongSize):
        larger = " Pad its convolutions, or interpolate the scores, to the size of the images."
        return larger if wanted.per_pixel else " Expected scores for each image."
    if isinstance(error, WrongOutputs) and not number:
        return ""
    wrong = "" if number else _what_is_wrong(made, wanted)
    if not number and not wrong:
        return ""
    if adapter is not None:
        return f"{wrong} The adapter receives the numbers as in_channels and n_outputs."
    if isinstance(network, nn.Module):
        cls = type(network).__name__
        part = "last layer" if number else "first layer"
        return f"{wrong} Change the {part} of this ready-made module, or pass its class, {cls}."
    if isinstance(network, str):
        return wrong
    if knows_numbers(network):
        given = ", ".join(f"{k}={v}" for k, v in known_arguments(network, wanted).items())
        return f"{wrong} {name_of(network)} was called with {given}."
    return f"{wrong} {name_of(network)}: {looked_for(network)}"


def _what_is_wrong(made: nn.Module, wanted: Wanted) -> str:
    """Say in what the first convolution does not fit the images, nothing if it does."""
    layers = (module for module in made.modules() if isinstance(module, _CONVOLUTIONS))
    first = next(layers, None)
    if first is None:
        return ""
    n_axes = len(first.kernel_size)
    if n_axes != wanted.n_axes:
        return f" Its first convolution is of {n_axes} axes, but the images have {wanted.n_axes}."
    if first.in_channels not in (0, wanted.in_channels):  # 0 before a lazy one has seen any
        return f" Its first convolution takes {first.in_channels} channels."
    return ""


def without_fetching(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Wrap a function that makes a network, so that it loads no weights from a library."""
    return functools.partial(make, fetch_weights=False) if make is build_network else make


def expected_tensors(
    make: Callable[..., nn.Module], arguments: Mapping[str, Any]
) -> dict[str, Tensor] | None:
    """Return the tensors of a network without memory for them, None if they cannot be known."""
    options = {"fetch_weights": False, "probe": False} if make is build_network else {}
    try:
        with torch.device("meta"):
            state = make(**arguments, **options).state_dict()
    except Exception:
        if not options:
            raise
        return None  # not every network can be made this way
    return None if any(map(is_lazy, state.values())) else state
