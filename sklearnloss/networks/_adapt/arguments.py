"""Calls of classes and functions that make networks, with the numbers that they need."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ..._utils.text import did_you_mean
from .wanted import Wanted

# Parameter names that libraries use for the numbers that an estimator knows.
IN_CHANNELS = (
    *("in_channels", "in_chans", "n_channels", "num_channels", "n_input_channels"),
    *("input_channels", "in_ch", "n_inputs"),
)
N_OUTPUTS = (
    *("out_channels", "n_classes", "num_classes", "classes"),
    *("n_outputs", "num_outputs", "out_chans", "out_ch"),
)
N_AXES = ("spatial_dims", "n_axes", "n_dims", "ndim", "dimensions")
# Passed only if it has no default.
IMAGE_SHAPE = ("img_size", "image_size", "input_size", "image_shape", "input_image_size")
RESERVED = {*IN_CHANNELS, *N_OUTPUTS, *N_AXES}
_OPEN = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL


def call_factory(
    factory: Callable[..., Any], wanted: Wanted, params: Mapping[str, Any]
) -> nn.Module:
    """Make a network by a class or a function.

    Parameters
    ----------
    factory : callable
        Called with the numbers of channels, outputs and axes under the names of its
        parameters, and with ``params``.
    wanted : Wanted
        The data that the network is for.
    params : dict of str to object
        The user's arguments. They take precedence over the numbers.

    Raises
    ------
    ValueError
        If the call fails, or does not return a network.
    """
    given = {**known_arguments(factory, wanted), **params}
    _check_names(factory, params)
    missing = [name for name in required(factory) if name not in given]
    if missing:
        raise ValueError(
            f"{name_of(factory)} needs {', '.join(map(repr, missing))}. Set "
            f"{', '.join(f'network__{name}' for name in missing)}. {looked_for(factory)}"
        )
    try:
        network = factory(**given)
    except Exception as error:  # anything may be raised
        arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            f"The network cannot be made: {name_of(factory)}({arguments}) raised "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ValueError(
            f"{name_of(factory)} returned an object of type {type(network).__name__}. Expected a "
            f"torch.nn.Module."
        )
    return network


def known_arguments(factory: Callable[..., Any], wanted: Wanted) -> dict[str, Any]:
    """Return the numbers of channels, outputs and axes under a factory's parameter names."""
    names = passed_on(factory)
    values = {
        IN_CHANNELS: wanted.in_channels,
        N_OUTPUTS: wanted.n_outputs,
        N_AXES: wanted.n_axes,
    }
    known = {
        name: value
        for group, value in values.items()
        for name in [next((each for each in group if each in names), None)]
        if name is not None
    }
    needed = required(factory)
    size = next((name for name in IMAGE_SHAPE if name in needed), None)
    return known if size is None else {**known, size: wanted.made_for}


def parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a factory by name, without ``*args`` and ``**kwargs``."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # for functions not written in Python
        return {}
    return {p.name: p for p in signature.parameters.values() if p.kind not in _OPEN}


def passed_on(factory: Callable[..., Any]) -> list[str]:
    """Return the names of all parameters, with those that a class passes to its bases."""
    names = list(parameters(factory))
    if isinstance(factory, type) and is_open(factory):
        for base in factory.__mro__[1:]:
            if base is nn.Module:
                break
            names += [name for name in parameters(base) if name not in names]
            if not is_open(base):
                break
    return names


def is_open(factory: Callable[..., Any]) -> bool:
    """Return whether a factory accepts arbitrary keyword arguments."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return True
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())


def required(factory: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that have no default."""
    return [name for name, p in parameters(factory).items() if p.default is p.empty]


def knows_numbers(factory: Callable[..., Any]) -> bool:
    """Return whether a factory has parameters for the numbers of channels and outputs."""
    names = passed_on(factory)
    return any(n in names for n in IN_CHANNELS) and any(n in names for n in N_OUTPUTS)


def looked_for(factory: Callable[..., Any]) -> str:
    """Describe which names were found in a signature, and which were looked for."""
    found = ", ".join(parameters(factory)) or "none"
    return (
        f"Its parameters are: {found}. The number of image channels is passed as one of "
        f"{', '.join(IN_CHANNELS)}, the number of scores as one of {', '.join(N_OUTPUTS)}. For "
        f"other names pass adapter=, a function (network, *, in_channels, n_outputs, image_shape, "
        f"**params) that returns the module."
    )


def name_of(factory: Any) -> str:
    """Return the name of a class or a function for messages."""
    name: str = getattr(factory, "__qualname__", None) or repr(factory)
    return name


def _check_names(factory: Callable[..., Any], params: Mapping[str, Any]) -> None:
    if is_open(factory):
        return
    names = [name for name in parameters(factory) if name != "self"]
    for name in params:
        if name not in names:
            valid = ", ".join(f"network__{each}" for each in names if each not in RESERVED)
            raise ValueError(
                f"Invalid parameter 'network__{name}': {name_of(factory)} has no parameter of that "
                f"name. Valid ones are: {valid or 'none'}.{did_you_mean(name, names)}"
            )
