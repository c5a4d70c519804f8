"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from .._utils.text import did_you_mean
from ._adapt.arguments import RESERVED, is_open, parameters
from ._libraries import LIBRARIES, library_signature, list_library_networks
from ._resnet import ResNet
from ._unet import UNet

OWN: dict[str, Any] = {"resnet": ResNet, "unet": UNet}
#: The networks that the user registered, by name.
USER_NETWORKS: dict[str, Callable[..., Any]] = {}


def list_networks(pattern: str | None = None) -> list[str]:
    """Return the names of networks.

    Parameters
    ----------
    pattern : str, default=None
        A pattern such as "timm:convnext*", "smp:Unet/*", "torchvision:*" or "monai:*Net*",
        for the networks of a library. None lists our own and the registered ones.

    Returns
    -------
    names : list of str
        Valid values of ``network`` for ``ImageClassifier`` or ``ImageSegmenter``.

    Raises
    ------
    ImportError
        If the library is not installed.

    Examples
    --------
    >>> from sklearnloss.networks import list_networks
    >>> list_networks()
    ['resnet', 'unet']
    """
    names = [*OWN, *USER_NETWORKS]
    if pattern is None:
        return sorted(names)
    if is_of_library(pattern):
        return list_library_networks(pattern)
    return sorted(name for name in names if fnmatch(name, pattern))


def register_network(name: str, factory: Callable[..., Any]) -> None:
    """Register a network under a name, in this process.

    Searches, tables and files then use the name.

    Parameters
    ----------
    name : str
        The name, without a colon and not in use yet.
    factory : class or function
        Called with the numbers of channels and scores under the names of its
        parameters; see :class:`~sklearnloss.ImageSegmenter`.

    Raises
    ------
    ValueError
        If the name is taken or has a colon.
    TypeError
        If the factory is not callable.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearnloss.networks import list_networks, register_network
    >>> def one_layer(in_channels, n_classes):
    ...     return nn.Conv2d(in_channels, n_classes, 3, padding=1)
    >>> register_network("one_layer", one_layer)
    >>> list_networks()
    ['one_layer', 'resnet', 'unet']
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(f"name={name!r}. Expected a string without a colon.")
    if not callable(factory):
        raise TypeError(f"factory={factory!r}. Expected a class or a function.")
    if name in OWN or USER_NETWORKS.get(name, factory) is not factory:
        raise ValueError(f"There is already a network {name!r}. Choose another name.")
    USER_NETWORKS[name] = factory


def is_of_library(name: str) -> bool:
    """Return whether a name begins with that of a library and a colon."""
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix in LIBRARIES


def check_name(name: str) -> None:
    """Raise a ValueError unless a name can be that of a network."""
    known = [*OWN, *USER_NETWORKS]
    if name in known or is_of_library(name):
        return
    libraries = ", ".join(f"'{prefix}:...'" for prefix in LIBRARIES)
    raise ValueError(
        f"network={name!r} is unknown. Expected one of {', '.join(map(repr, sorted(known)))}, or "
        f"a name from a library: {libraries}. To add a network of your own, use register_network. "
        f"A loss is passed as loss=."
        f"{did_you_mean(name, known)}"
    )


def network_parameters(network: Any) -> dict[str, Any] | None:
    """Return the parameters of a network with their defaults, None if any are allowed.

    The numbers that an estimator passes are left out.

    Parameters
    ----------
    network : str, class, function or nn.Module
        The estimator's parameter.
    """
    try:
        factory = _signature_of(network)
    except (ImportError, ValueError):  # fit reports it
        return None
    if factory is None or is_open(factory):
        return None
    own = parameters(factory)
    return {name: p.default for name, p in own.items() if name not in RESERVED}


def _signature_of(network: Any) -> Any:
    if not isinstance(network, str):
        return network if callable(network) else None
    if is_of_library(network):
        return library_signature(network)
    check_name(network)
    return {**OWN, **USER_NETWORKS}[network]
