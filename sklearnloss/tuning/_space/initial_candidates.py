"""Candidates of the user's own, which a search tries first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..._utils.pipeline import last_step
from ..._utils.text import did_you_mean, shorten
from .parse import full_names, with_full_names
from .search_space import Branch, First, Space


def with_initial_candidates(
    space: Space, estimator: Any, given: Sequence[Mapping[str, Any]] | None
) -> Space:
    """Return the space with candidates that are tried first.

    Parameters
    ----------
    space : Space
        The search space.
    estimator : estimator
        The estimator to tune.
    given : list of dict or None
        Parameters of the estimator for each candidate, as in :class:`LossSearchCV`.

    Raises
    ------
    ValueError, TypeError
        If a candidate is not in the space.
    """
    prefix = last_step(estimator)[0]
    full = full_names(estimator, prefix)
    initial = []
    for k, params in enumerate(given or ()):
        where = f"initial_candidates[{k}]"
        if not isinstance(params, Mapping):
            raise TypeError(
                f"{where}={shorten(repr(params))}. Expected a dict of the estimator's parameters, "
                f"such as {{'loss': 'tversky', 'loss__alpha': 0.3}}."
            )
        named = with_full_names(params, full, where)
        initial.append(_read_candidate(space, named, f"{prefix}loss", where))
    return replace(space, initial=tuple(initial))


def _read_candidate(space: Space, params: dict[str, Any], loss_key: str, where: str) -> First:
    labels = list(space.branches)
    if space.has_losses:
        labels = _find_loss(space, params, loss_key, where)
        params = {key: value for key, value in params.items() if key != loss_key}
    errors = []
    for label in labels:
        try:
            values, unset = _find_values(space.branches[label], params, where)
        except ValueError as error:
            errors.append(error)
            continue
        return ({space.choice: label, **values} if space.has_labels else values), unset
    raise errors[0]


def _find_loss(space: Space, params: Mapping[str, Any], loss_key: str, where: str) -> list[str]:
    """Return the labels of a candidate's loss, which may have several ranges."""
    labels = list(space.branches)
    if loss_key not in params:
        if len(labels) == 1:
            return labels
        raise ValueError(f"{where} has no 'loss'. Expected one of {labels}.")
    loss = params[loss_key]
    same = [n for n in labels if _is_same(space.branches[n].fixed[loss_key], loss)]
    found = [loss, *same] if isinstance(loss, str) and loss in labels else same
    if not found:
        hint = did_you_mean(loss, labels) if isinstance(loss, str) else ""
        raise ValueError(
            f"{where} has the loss {shorten(repr(loss))}, which is not among those to search, "
            f"{labels}.{hint}"
        )
    return list(dict.fromkeys(found))


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, str) and isinstance(other, str) and one == other)


def _find_values(branch: Branch, params: Mapping[str, Any], where: str) -> First:
    """Return a candidate's values in a branch, and the names to leave unset.

    Parameters that are not given have their defaults, or are sampled if these are outside.
    """
    names = {free.key: name for name, free in branch.free.items()}
    for key in params:
        if key not in names:
            raise ValueError(
                f"{where} has {key!r}, which is not searched. Those that are: {list(names)}."
                f"{did_you_mean(key, list(names))}"
            )
    values, unset = branch.default_values()
    for key, given in params.items():
        value = given.item() if isinstance(given, np.generic) else given
        free, name = branch.free[names[key]], names[key]
        try:
            values[name] = free.find(value)
        except LookupError:
            raise ValueError(
                f"{where} has {key}={shorten(repr(value))}, which is outside of the range "
                f"{free.range()}. Pass a value inside, or a wider range."
            ) from None
    ordered = {name: values[name] for name in branch.free if name in values}
    return ordered, [name for name in unset if name not in values]
