"""Parsing of a search's ``losses`` and ``param_distributions`` into its space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import CategoricalDistribution
from torch import nn

from ..._utils.pipeline import last_step
from ..._utils.text import did_you_mean, shorten, text_keys, unique_name
from ...estimators._loss_parameter import REQUIRED, loss_parameters, resolve_loss
from ...losses import CompoundLoss, Loss, get_search_space
from ...losses._core.compound import default_name
from ...losses._core.names import registered_name
from ...networks._registry import network_parameters
from .._evaluation.fingerprint import in_order
from .._evaluation.pipeline import has_loss, no_loss
from .hyperparameter import Free, read_choices, read_free
from .menu import ALL, Choice, all_losses, choice_name, default_menu, refuse_misspelled_all, task_of
from .search_space import BRANCH, Branch, Space


def read_space(estimator: Any, losses: Any, param_distributions: Any) -> Space:
    """Build the space of a search.

    Parameters
    ----------
    estimator : estimator
        The estimator to tune.
    losses : list, dict or None
        As in :class:`LossSearchCV`.
    param_distributions : dict, list of dict or None
        As in :class:`LossSearchCV`.

    Returns
    -------
    space : Space

    Raises
    ------
    ValueError, TypeError
        If a loss or a parameter is unknown, a range is invalid, or there is nothing to
        search.
    """
    prefix, part = last_step(estimator)
    if isinstance(part, type):
        raise TypeError(no_loss(estimator))
    loss_key = f"{prefix}loss"
    grids = _read_grids(estimator, prefix, param_distributions)
    losses_there = has_loss(estimator)
    inside = [losses_there and loss_key in grid for grid in grids]
    if any(inside):
        if losses is not None:
            raise ValueError(
                f"Losses are given twice: by losses= and by {loss_key!r} in param_distributions. "
                f"Pass only one of them."
            )
        if not all(inside):
            raise ValueError(
                f"Only some of the dicts in param_distributions have {loss_key!r}. Give each dict "
                f"the losses that it is meant for."
            )
    if losses is not None or (losses_there and not any(inside)):
        specs = _read_losses(estimator, losses)
        named = [(label, spec, grid) for label, spec in specs for grid in grids]
    elif any(inside):
        named = [pair for grid in grids for pair in _grid_losses(grid, loss_key)]
    else:
        named = [("" if len(grids) == 1 else str(k), None, grid) for k, grid in enumerate(grids)]
        if not any(grids):
            raise ValueError(
                "There is nothing to search: pass losses=, or param_distributions= for an "
                "estimator without a loss to choose."
            )
    branches: dict[str, Branch] = {}
    for wanted, spec, grid in named:
        label = unique_name(wanted, branches)
        branches[label] = _branch(estimator, label, spec, grid, loss_key)
    if losses_there:
        _check_used(grids, branches, loss_key)
    branches = _with_one_range_per_name(branches)
    names = {name for branch in branches.values() for name in branch.free}
    choice = BRANCH if losses_there else unique_name("grid", names)
    is_menu = any(isinstance(spec, Choice) for _, spec, _ in named)
    return Space(branches, choice, losses_there, is_menu)


def _read_grids(estimator: Any, prefix: str, given: Any) -> list[dict[str, Any]]:
    """Return the dicts with full names: in a pipeline, short names refer to its last step."""
    if given is None:
        return [{}]
    grids = [given] if isinstance(given, Mapping) else given
    if not isinstance(grids, list | tuple) or not all(isinstance(g, Mapping) for g in grids):
        raise TypeError(
            f"param_distributions={given!r}. Expected a dict from parameter to distribution, "
            f"range or list of choices, or a list of such dicts."
        )
    full = full_names(estimator, prefix)
    return [with_full_names(grid, full, "param_distributions") for grid in grids] or [{}]


def full_names(estimator: Any, prefix: str) -> Callable[[str], str]:
    """Return a function from a name of a parameter to its full name in a pipeline."""
    known = estimator.get_params()

    def full(key: str) -> str:
        own = f"{prefix}{key}"
        is_own = own in known or key.partition("__")[0] == "loss"
        return own if prefix and has_loss(estimator) and key not in known and is_own else key

    return full


def with_full_names(
    grid: Mapping[str, Any], full: Callable[[str], str], where: str
) -> dict[str, Any]:
    """Return a dict by full names; refuse a parameter that is given by both names."""
    for key in grid:
        if not isinstance(key, str):
            raise TypeError(f"{where} has the key {key!r}. Expected a str.")
    named: dict[str, str] = {}
    for key in grid:
        other = named.setdefault(full(key), key)
        if other != key:
            raise ValueError(
                f"{where} has one parameter twice: as {other!r} and as {key!r}. Pass it once."
            )
    return {full(key): value for key, value in grid.items()}


def _read_losses(estimator: Any, losses: Any) -> list[tuple[str, Any]]:
    """Return (label, spec) pairs; a spec is a loss, a (loss, space) pair, or a Choice."""
    if not has_loss(estimator):
        raise TypeError(f"losses= is given. {no_loss(estimator)}")
    if losses is None or (isinstance(losses, str) and losses == ALL):
        choices = default_menu(estimator) if losses is None else all_losses(estimator)
        names = [name for name in map(choice_name, choices) if name is not None]
        return [(choice_name(c) or unique_name(_loss_label(c.loss), names), c) for c in choices]
    if isinstance(losses, Mapping):
        pairs = [
            (label, (label, spec) if isinstance(spec, Mapping) else spec)
            for label, spec in text_keys(losses, "losses").items()
        ]
    elif isinstance(losses, str):
        refuse_misspelled_all(losses)
        pairs = [(losses, losses)]
    elif isinstance(losses, list | tuple | set | frozenset):
        losses = in_order(losses) if isinstance(losses, set | frozenset) else losses
        taken = [spec for spec in losses if isinstance(spec, str)]
        pairs = []
        for spec in losses:
            label = spec if isinstance(spec, str) else unique_name(_loss_label(spec), taken)
            taken.append(label)
            pairs.append((label, spec))
    else:
        pairs = [(_loss_label(losses), losses)]
    if not pairs:
        raise ValueError("losses is empty. Expected at least one loss.")
    return pairs


def _grid_losses(grid: dict[str, Any], loss_key: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """Return a branch's label, loss and other parameters for each loss of a grid."""
    given = grid[loss_key]
    if isinstance(given, CategoricalDistribution):
        given = given.choices
    if isinstance(given, str) or callable(given):
        given = [given]
    choices = given if isinstance(given, tuple) else read_choices(loss_key, given)
    rest = {key: value for key, value in grid.items() if key != loss_key}
    # Only parameters in the dict are free, as in scikit-learn's searches.
    return [(_loss_label(choice), (choice, {}), rest) for choice in choices]


def _loss_label(spec: Any) -> str:
    if isinstance(spec, tuple) and len(spec) == 2 and isinstance(spec[1], Mapping):
        spec = spec[0]
    if isinstance(spec, str):
        return spec
    if not callable(spec):
        raise TypeError(
            f"losses holds {spec!r}, which is not a loss. Expected names, loss classes or objects, "
            f"torch modules, functions (logits, target), or pairs (loss, {{parameter: range}})."
        )
    if isinstance(spec, CompoundLoss):
        return "+".join(member.name for member in spec.members)
    return default_name(spec)


def _branch(estimator: Any, label: str, spec: Any, grid: dict[str, Any], loss_key: str) -> Branch:
    """Return a branch: the loss's own free parameters, then those of the grid."""
    known = estimator.get_params()
    fixed: dict[str, Any] = {}
    free: dict[str, Free] = {}
    defaults = {key: known[key] for key in grid if key in known}
    unsearched = dict(defaults)
    if spec is not None:
        own = f"{loss_key}__"
        choice = spec if isinstance(spec, Choice) else Choice(None)
        spec = choice.loss if isinstance(spec, Choice) else spec
        loss, space, declared = _split_spec(estimator, spec)
        fixed = {loss_key: loss, **{own + k: v for k, v in choice.fixed.items()}}
        parameters = _check_loss(loss, choice.fixed)
        for name, ranges in space.items():
            if not _has_parameter(parameters, name):
                raise ValueError(
                    f"The loss {label!r} has no parameter {name!r}. Valid ones are "
                    f"{sorted(parameters)}.{did_you_mean(name, list(parameters))}"
                )
            free[f"{label}__{name}"] = read_free(own + name, ranges, optional=not declared)
        first = {**parameters, **choice.start}
        defaults |= {own + k: v for k, v in first.items() if v is not REQUIRED}
        unsearched |= {own + k: v for k, v in parameters.items() if v is not REQUIRED} | fixed
        for key in [key for key in grid if key.startswith(own)]:
            name = key.removeprefix(own)
            if _has_parameter(parameters, name):
                free[f"{label}__{name}"] = read_free(key, grid[key])
        grid = {key: value for key, value in grid.items() if not key.startswith(own)}
    others = {key: read_free(key, given) for key, given in grid.items()}
    for key in [*fixed, *others]:
        _check_parameter(estimator, key, others, known)
    return Branch(fixed, {**free, **others}, defaults, unsearched)


def _check_parameter(
    estimator: Any, key: str, searched: Mapping[str, Free], known: Mapping[str, Any]
) -> None:
    """Refuse a parameter that the estimator, or a component that is searched, does not have."""
    parts = [part for part in searched if key.startswith(f"{part}__")]
    if not parts:
        head, found, _ = key.rpartition("network__")
        anything = found and network_parameters(known.get(f"{head}network")) is None
        if key not in known and not anything:
            raise ValueError(
                f"{type(estimator).__name__} has no parameter {key!r} to search over."
                f"{did_you_mean(key, list(known))}"
            )
        return
    part = max(parts, key=len)
    name = key.removeprefix(f"{part}__")
    for choice in map(searched[part].decode, searched[part].values() or []):
        if not _may_have(part, choice, name):
            raise ValueError(
                f"param_distributions has {key!r}, but the choice {shorten(repr(choice))} of "
                f"{part!r} has no parameter {name!r}. Pass a list of dicts, each with choices "
                f"that belong together."
            )


def _may_have(part: str, choice: Any, name: str) -> bool:
    """Return whether a choice for a part of the estimator may have a parameter."""
    if part.rpartition("__")[2] == "network":
        parameters = network_parameters(choice)
        return parameters is None or name in parameters
    return hasattr(choice, "get_params") and name in choice.get_params()


def _check_loss(loss: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a loss's parameters; refuse a loss that no estimator can train with."""
    parameters = loss_parameters(loss)
    required = [name for name, value in (parameters or {}).items() if value is REQUIRED]
    if all(name in given for name in required):
        resolve_loss(loss, dict(given))
    return parameters or {}


def _has_parameter(parameters: Mapping[str, Any], name: str) -> bool:
    """Return whether a loss has a parameter; nested parameters of a class are unknown yet."""
    head, _, rest = name.partition("__")
    if name in parameters or not rest:
        return name in parameters
    return head in parameters and not any(known.startswith(f"{head}__") for known in parameters)


def _with_one_range_per_name(branches: Mapping[str, Branch]) -> dict[str, Branch]:
    """Prefix names with the label if their range differs between branches."""
    ranges: dict[str, list[Any]] = {}
    for branch in branches.values():
        for name, free in branch.free.items():
            ranges.setdefault(name, []).append(free.distribution)
    shared = {name for name, found in ranges.items() if all(one == found[0] for one in found)}
    return {
        label: replace(
            branch,
            free={n if n in shared else f"{label}__{n}": free for n, free in branch.free.items()},
        )
        for label, branch in branches.items()
    }


def _split_spec(estimator: Any, spec: Any) -> tuple[Any, Mapping[str, Any], bool]:
    """Return a loss, its free parameters, and whether the user declared them."""
    if isinstance(spec, tuple):
        return spec[0], spec[1], True
    if isinstance(spec, Loss | nn.Module):
        return spec, {}, True  # as it is
    name = spec if isinstance(spec, str) else registered_name(spec)
    if name is not None:
        return spec, get_search_space(name, task_of(estimator)), False
    return spec, getattr(spec, "search_space", {}), True


def _check_used(grids: list[dict[str, Any]], branches: Mapping[str, Branch], loss_key: str) -> None:
    """Refuse loss parameters that none of the losses has."""
    used = {free.key for branch in branches.values() for free in branch.free.values()}
    for grid in grids:
        for key in grid:
            if key.startswith(f"{loss_key}__") and key not in used:
                raise ValueError(
                    f"param_distributions has {key!r}, but none of the losses "
                    f"{list(branches)} has that parameter."
                )
