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
#: Those of the user, by name.
USER_NETWORKS: dict[str, Callable[..., Any]] = {}


def list_networks(pattern: str | None = None) -> list[str]:
    """Return the names of networks.

    Parameters
    ----------
    pattern : str, default=None
        Such as "timm:convnext*", "smp:Unet/*", "torchvision:*" or "monai:*Net*", for
        the networks of a library. None lists our own, and those that were registered.

    Returns
    -------
    names : list of str
        What ``ImageClassifier`` and ``ImageSegmenter`` take as ``network``.

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
    """Make a network known by a name, in this process.

    Searches, tables and files then speak of it by the name.

    Parameters
    ----------
    name : str
        Without a colon, and none that is taken.
    factory : class or function
        Is called with the numbers of channels and scores under the names it has for
        them; see :class:`~sklearnloss.ImageSegmenter`.

    Raises
    ------
    ValueError
        If the name is taken or has a colon.
    TypeError
        If the factory cannot be called.

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
        raise ValueError(f"name={name!r}. Expected a text without a colon.")
    if not callable(factory):
        raise TypeError(f"factory={factory!r}. Expected a class or a function.")
    if name in OWN or USER_NETWORKS.get(name, factory) is not factory:
        raise ValueError(f"There is a network {name!r} already. Take another name.")
    USER_NETWORKS[name] = factory


def is_of_library(name: str) -> bool:
    """Return whether a name begins with that of a library and a colon."""
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix in LIBRARIES


def check_name(name: str) -> None:
    """Raise a ValueError unless a name may be that of a network."""
    known = [*OWN, *USER_NETWORKS]
    if name in known or is_of_library(name):
        return
    libraries = ", ".join(f"'{prefix}:...'" for prefix in LIBRARIES)
    raise ValueError(
        f"network={name!r} is unknown. Expected one of {', '.join(map(repr, sorted(known)))}, or "
        f"a name of a library's: {libraries}; register_network makes one of your own known."
        f"{did_you_mean(name, known)}"
    )


def network_parameters(network: Any) -> dict[str, Any] | None:
    """Return the parameters of a network with their defaults, None if anything goes.

    The numbers that an estimator passes are left out.

    Parameters
    ----------
    network : str, class, function or nn.Module
        As the parameter of an estimator.
    """
    try:
        factory = _signature_of(network)
    except (ImportError, ValueError):  # is said by fit
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
