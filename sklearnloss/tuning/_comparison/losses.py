"""The losses to compare, as parameters of the estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..._utils.pipeline import last_step
from ..._utils.text import describe, text_keys, unique_name
from ...estimators._loss_parameter import resolve_loss
from .._evaluation.fingerprint import in_order
from .._evaluation.pipeline import loss_prefix
from .._space.hyperparameter import shorten

Settings = dict[str, Any]


def read_losses(estimator: Any, losses: Any) -> dict[str, Settings]:
    """Return the parameters that each loss stands for, by its label.

    Parameters
    ----------
    estimator : UNetSegmenter, ResNetClassifier, or Pipeline that ends in one
        What they are parameters of.
    losses : list of losses, or dict of str to loss or to dict of parameters
        See :func:`compare_losses`.

    Returns
    -------
    settings : dict of str to dict
        With full names.

    Raises
    ------
    TypeError, ValueError
        If these are not losses, or the estimator does not take a parameter.
    """
    prefix = loss_prefix(estimator)
    steps = tuple(f"{name}__" for name, _ in _steps(estimator))
    read = {}
    for label, loss in _labelled(losses).items():
        given = loss if isinstance(loss, Mapping) else {"loss": loss}
        read[label] = {k if k.startswith(steps) else prefix + k: v for k, v in given.items()}
        _check(estimator, label, read[label])
    return read


def _steps(estimator: Any) -> list[tuple[str, Any]]:
    return list(estimator.steps) if isinstance(estimator, Pipeline) else []


def _labelled(losses: Any) -> dict[str, Any]:
    if isinstance(losses, Mapping):
        named = text_keys(losses, "losses")
    elif isinstance(losses, Iterable) and not isinstance(losses, str):
        named = {}
        for loss in in_order(losses) if isinstance(losses, Set) else losses:
            named[unique_name(_label(loss), named)] = loss
    else:
        raise TypeError(
            f"losses={losses!r}: expected a list of losses such as ['dice', 'focal'], or a dict "
            f"from label to loss or to parameters."
        )
    if not named:
        raise ValueError("losses is empty. Expected at least one loss, better two.")
    return named


def _label(loss: Any) -> str:
    if isinstance(loss, Mapping):
        raise TypeError(
            f"losses holds the parameters {dict(loss)!r} without a label. Pass a dict: "
            f"losses={{'label': {{...}}}}."
        )
    text = loss if isinstance(loss, str) else describe(loss)
    return shorten(text, 60)


def _check(estimator: Any, label: str, settings: Settings) -> None:
    """Find mistakes before the first fit, where they would count as failures."""
    seeds = [name for name in settings if name.split("__")[-1] == "random_state"]
    if seeds:
        raise ValueError(
            f"losses[{label!r}] sets {seeds[0]!r}, but all losses are trained with the same seeds. "
            f"Leave it out; n_seeds= and random_state= of compare_losses decide on seeds."
        )
    try:
        part = last_step(clone(estimator).set_params(**settings))[1]
        if part.loss != "auto":
            resolve_loss(part.loss, part._loss_params)
    except ValueError as error:
        raise ValueError(f"losses[{label!r}]: {error}") from error
