"""The ``network`` parameter: how it is passed, changed, listed and built."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator
from torch import nn

from .._utils.text import unknown_parameter
from ..networks._adapt.arguments import name_of
from ..networks._adapt.wanted import Wanted
from ..networks._build import build_network
from ..networks._registry import USER_NETWORKS, network_parameters
from ._loss_parameter import REQUIRED

NETWORK_PREFIX = "network__"
NETWORK_CONSTRAINTS: dict[str, list[Any]] = {
    "network": [str, callable, nn.Module],
    "adapter": [callable, None],
    "output_weights": ["array-like", None],
}


class NetworkParameterMixin(BaseEstimator):  # type: ignore[misc]
    """Give an estimator a ``network`` parameter with nested ``network__*`` parameters.

    They work like the ``loss__*`` parameters. A new ``network`` drops the parameters
    that were passed for the old one.
    """

    network: Any
    adapter: Any
    output_weights: Any
    input_shape_: tuple[int, ...]
    _network_params: dict[str, Any]
    _reads_masks: bool

    def _store_params(self, arguments: dict[str, Any]) -> None:
        """Store the arguments of the constructor; other keywords must be nested parameters."""
        keywords = arguments.pop("params")
        network, others = _split(keywords)
        self._network_params = network
        super()._store_params({**arguments, "loss_params": others})

    def __getstate__(self) -> dict[str, Any]:
        """Take along registered networks: another process may have to make them by name."""
        state: dict[str, Any] = dict(super().__getstate__())
        registered = {
            name: factory
            for name, factory in USER_NETWORKS.items()
            if name == self.network or "<" not in getattr(factory, "__qualname__", "<")
        }
        return state | ({"_registered_networks": registered} if registered else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, factory in state.pop("_registered_networks", {}).items():
            USER_NETWORKS.setdefault(name, factory)
        super().__setstate__(state)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the estimator's parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include parameters of the loss, the network and the reader that were
            left at their defaults.

        Returns
        -------
        params : dict of str to object
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        given = {NETWORK_PREFIX + key: value for key, value in self._network_params.items()}
        if not deep:
            return params | given
        defaults = network_parameters(self.network) or {}
        known = {NETWORK_PREFIX + k: v for k, v in defaults.items() if v is not REQUIRED}
        return params | known | given

    def _set_params(self, params: dict[str, Any]) -> Self:
        nested, others = _split(params)
        if "network" in others:
            self._network_params = {}
        super()._set_params(others)
        if nested:
            given = {**self._network_params, **nested}
            self._check_network_names(given)
            self._network_params = given
        return self

    def _check_network_names(self, given: dict[str, Any]) -> None:
        """Raise a ValueError for a parameter that the network does not have."""
        network = self.network
        if isinstance(network, nn.Module):
            cls = type(network).__name__
            raise ValueError(
                f"Invalid parameter {NETWORK_PREFIX + next(iter(given))!r}: {cls}() is a "
                f"torch module already, whose settings are fixed. Pass the class: "
                f"network={cls}."
            )
        valid = network_parameters(network)
        if valid is None:  # any are allowed, or fit reports an unknown network
            return
        for key in given:
            if key not in valid:
                owner = f"network {network if isinstance(network, str) else name_of(network)!r}"
                names = [NETWORK_PREFIX + name for name in valid]
                raise ValueError(unknown_parameter(owner, NETWORK_PREFIX + key, names))

    def _network(self, n_channels: int) -> tuple[Any, dict[str, Any]]:
        in_channels, *spatial = self.input_shape_
        return build_network, {
            "network": self.network,
            "wanted": Wanted(in_channels, n_channels, tuple(spatial), self._reads_masks),
            "params": dict(self._network_params),
            "adapter": self.adapter,
        }


def _split(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters of the network without their prefix, and all others."""
    network = {
        key.removeprefix(NETWORK_PREFIX): value
        for key, value in keywords.items()
        if key.startswith(NETWORK_PREFIX)
    }
    return network, {k: v for k, v in keywords.items() if not k.startswith(NETWORK_PREFIX)}
