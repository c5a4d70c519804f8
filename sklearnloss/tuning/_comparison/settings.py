"""The losses and networks to compare, as parameters of the estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from torch import nn

from ..._utils.pipeline import last_step
from ..._utils.text import describe, shorten, text_keys, unique_name
from ...estimators._loss_parameter import resolve_loss
from ...networks._libraries import library_signature
from ...networks._registry import check_name, is_of_library
from .._evaluation.fingerprint import in_order
from .._evaluation.pipeline import loss_prefix

Settings = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """The kind of thing that is compared: losses or networks.

    Attributes
    ----------
    argument : str
        Name in :func:`compare_losses`.
    parameter : str
        Name in the estimator.
    example : str
        Shown in error messages.
    """

    argument: str
    parameter: str
    example: str


LOSSES = Kind("losses", "loss", "['dice', 'focal']")
NETWORKS = Kind("networks", "network", "['unet', 'smp:Unet/resnet18']")


def read_losses(estimator: Any, losses: Any) -> dict[str, Settings]:
    """Return the parameters that each loss stands for, by its label.

    Parameters
    ----------
    estimator : UNetSegmenter, ResNetClassifier, or Pipeline that ends in one
        The estimator that takes the parameters.
    losses : list of losses, or dict of str to loss or to dict of parameters
        See :func:`compare_losses`.

    Returns
    -------
    settings : dict of str to dict
        Parameters with full names.

    Raises
    ------
    TypeError, ValueError
        If these are not losses, or the estimator does not take a parameter.
    """
    return _read(estimator, losses, LOSSES)


def read_networks(estimator: Any, networks: Any) -> dict[str, Settings]:
    """Return the parameters that each network stands for, by its label.

    Parameters
    ----------
    estimator : ImageSegmenter, ImageClassifier, or Pipeline that ends in one
        Another image estimator will do if each network is a dict of parameters.
    networks : list of networks, or dict of str to network or to dict of parameters
        See :func:`compare_losses`.

    Returns
    -------
    settings : dict of str to dict
        Parameters with full names.

    Raises
    ------
    TypeError, ValueError
        If these are not networks, or the estimator does not take a parameter.
    """
    return _read(estimator, networks, NETWORKS)


def combine(
    estimator: Any, networks: Mapping[str, Settings], losses: Mapping[str, Settings]
) -> dict[str, Settings]:
    """Return the parameters of each network with each loss, by "network: loss".

    The pairs are sorted by network.

    Raises
    ------
    ValueError
        If a parameter is set by both a network and a loss, or two pairs have the same label.
    """
    both: dict[str, Settings] = {}
    for network, of_network in networks.items():
        for loss, of_loss in losses.items():
            where = f"networks[{network!r}] with losses[{loss!r}]"
            twice = [name for name in of_network if name in of_loss]
            if twice:
                raise ValueError(
                    f"{where}: both set {twice[0]!r}. Expected only one of the two to set it."
                )
            label = f"{network}: {loss}"
            if label in both:
                raise ValueError(f"Two pairs of network and loss are called {label!r}. Rename one.")
            both[label] = {**of_network, **of_loss}
            _check(estimator, where, both[label])
    return both


def _read(estimator: Any, given: Any, kind: Kind) -> dict[str, Settings]:
    prefix = loss_prefix(estimator)
    steps = tuple(f"{name}__" for name, _ in _steps(estimator))
    read = {}
    for label, each in _labelled(given, kind).items():
        where = f"{kind.argument}[{label!r}]"
        params = each if isinstance(each, Mapping) else {kind.parameter: each}
        read[label] = {k if k.startswith(steps) else prefix + k: v for k, v in params.items()}
        _check_taken(estimator, where, each, kind)
        _check(estimator, where, read[label])
    return read


def _steps(estimator: Any) -> list[tuple[str, Any]]:
    return list(estimator.steps) if isinstance(estimator, Pipeline) else []


def _labelled(given: Any, kind: Kind) -> dict[str, Any]:
    what = kind.argument
    if isinstance(given, Mapping):
        named = text_keys(given, what)
    elif isinstance(given, Iterable) and not isinstance(given, str | nn.Module):
        named = {}
        for each in in_order(given) if isinstance(given, Set) else given:
            named[unique_name(_label(each, kind), named)] = each
    else:
        raise TypeError(
            f"{what}={given!r}: expected a list of {what} such as {kind.example}, or a dict "
            f"mapping labels to {what} or to parameters."
        )
    if not named:
        raise ValueError(f"{what} is empty. Expected at least one {kind.parameter}, ideally two.")
    return named


def _label(each: Any, kind: Kind) -> str:
    if isinstance(each, Mapping):
        raise TypeError(
            f"{kind.argument} holds the parameters {dict(each)!r} without a label. Pass a dict: "
            f"{kind.argument}={{'label': {{...}}}}."
        )
    if kind is NETWORKS and isinstance(each, nn.Module):
        return type(each).__name__  # the repr of a network has a line per layer
    text = each if isinstance(each, str) else describe(each)
    return shorten(text, 60)


def _check_taken(estimator: Any, where: str, each: Any, kind: Kind) -> None:
    """Raise an error with advice if the estimator has a fixed network."""
    part = last_step(estimator)[1]
    if not isinstance(each, Mapping) and not hasattr(part, kind.parameter):
        name = type(part).__name__
        raise ValueError(
            f"{where}={shorten(describe(each))}: {name} has no parameter {kind.parameter!r}. "
            f"Expected an ImageSegmenter or ImageClassifier, or a dict mapping labels to "
            f"parameters of {name}, such as {{'deep': {{'depth': 4}}}}."
        )


def _check(estimator: Any, where: str, settings: Settings) -> None:
    """Find mistakes before the first fit; later they would count as failed fits."""
    seeds = [name for name in settings if name.split("__")[-1] == "random_state"]
    if seeds:
        raise ValueError(
            f"{where} sets {seeds[0]!r}, but all losses are trained with the same seeds. "
            f"Leave it out; n_seeds and random_state of compare_losses determine the seeds."
        )
    try:
        part = last_step(clone(estimator).set_params(**settings))[1]
        part._validate_params()
        if part.loss != "auto":
            resolve_loss(part.loss, part._loss_params)
        _check_name(part)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _check_name(part: Any) -> None:
    """Raise an error if an estimator's network has an unknown name."""
    network = getattr(part, "network", None)
    if isinstance(network, str) and part.adapter is None:
        check_name(network)
        if is_of_library(network):
            library_signature(network)
