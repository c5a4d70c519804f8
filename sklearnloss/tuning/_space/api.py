"""Search spaces over losses, in the formats of scikit-learn and Optuna."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from ...estimators._loss_parameter import REQUIRED, loss_parameters
from ...losses import get_search_space
from .menu import ALL, all_names, menu_names

if TYPE_CHECKING:
    import optuna


def loss_param_grid(
    losses: str | Sequence[str], *, prefix: str = "", n_values: int = 3
) -> list[dict[str, list[Any]]]:
    """Return a grid per loss, for ``GridSearchCV``.

    Parameters
    ----------
    losses : str or list of str
        Names as in :func:`~sklearnloss.losses.get_loss`.
    prefix : str, default=""
        Prefix of the estimator's parameters, such as ``"unetsegmenter__"`` in a pipeline.
    n_values : int, default=3
        Values per numerical parameter, from one end of its range to the other, with the
        nearest value in between replaced by the loss's default; >= 1. With 1, the default
        is the only value. A default that is not a number, such as "auto", is added.

    Returns
    -------
    grid : list of dict

    Raises
    ------
    ValueError
        If a loss is unknown, or ``n_values`` is not a positive integer.

    Examples
    --------
    >>> from sklearnloss.tuning import loss_param_grid
    >>> loss_param_grid(["cross_entropy", "hinge"], n_values=2)
    [{'loss': ['cross_entropy'], 'loss__label_smoothing': [0.0, 0.2]},
     {'loss': ['hinge'], 'loss__margin': [0.1, 1.0, 10.0], 'loss__p': [1, 2]}]
    """
    if not isinstance(n_values, numbers.Integral) or isinstance(n_values, bool) or n_values < 1:
        raise ValueError(f"n_values={n_values!r}: expected an int of at least 1.")
    return [_grid(name, prefix, int(n_values)) for name in _as_names(losses)]


def _grid(name: str, prefix: str, n_values: int) -> dict[str, list[Any]]:
    defaults = loss_parameters(name) or {}
    grid: dict[str, list[Any]] = {f"{prefix}loss": [name]}
    for key, ranges in get_search_space(name).items():
        default = defaults.get(key, REQUIRED)
        grid[f"{prefix}loss__{key}"] = _grid_values(ranges, n_values, default)
    return grid


def loss_param_distributions(
    losses: str | Sequence[str], *, prefix: str = ""
) -> list[dict[str, Any]]:
    """Return distributions per loss, for ``RandomizedSearchCV``.

    Parameters
    ----------
    losses : str or list of str
        Names as in :func:`~sklearnloss.losses.get_loss`.
    prefix : str, default=""
        Prefix of the estimator's parameters, such as ``"unetsegmenter__"`` in a pipeline.

    Returns
    -------
    distributions : list of dict

    Examples
    --------
    >>> from sklearnloss.tuning import loss_param_distributions
    >>> first, second = loss_param_distributions(["cross_entropy", "hinge"])
    >>> sorted(first), sorted(second)
    (['loss', 'loss__label_smoothing'], ['loss', 'loss__margin', 'loss__p'])
    >>> second["loss__margin"].dist.name
    'loguniform'
    """
    return [
        {
            f"{prefix}loss": [name],
            **{
                f"{prefix}loss__{key}": _distribution(ranges)
                for key, ranges in get_search_space(name).items()
            },
        }
        for name in _as_names(losses)
    ]


def suggest_loss(
    trial: optuna.trial.BaseTrial,
    task: str | None = None,
    losses: str | Sequence[str] | None = None,
    *,
    prefix: str = "",
) -> dict[str, Any]:
    """Let an Optuna trial choose a loss, and then that loss's own settings.

    Parameters
    ----------
    trial : optuna.Trial
        The trial, in which the parameters are called ``<prefix>loss`` and
        ``<prefix><loss>__<parameter>``, so that a trial may choose a loss for each of
        several prefixes.
    task : {"classification", "segmentation"}, default=None
        Choose among the default menu of this task (see the guide to losses), and
        leave out settings that have no effect in it.
    losses : list of str, str or None, default=None
        Choose among these; "all" is all losses meant for the task.
    prefix : str, default=""
        Prefix of the estimator's parameters, such as ``"unetsegmenter__"`` in a pipeline.

    Returns
    -------
    params : dict of str to object
        For the estimator's ``set_params``.

    Examples
    --------
    >>> import optuna
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.tuning import suggest_loss
    >>> trial = optuna.trial.FixedTrial({"loss": "tversky", "tversky__alpha": 0.3,
    ...                                  "tversky__beta": 0.7})
    >>> UNetSegmenter().set_params(**suggest_loss(trial, losses=["dice", "tversky"]))
    UNetSegmenter(loss='tversky', loss__alpha=0.3, loss__beta=0.7)
    """
    if losses is None or (isinstance(losses, str) and losses == ALL):
        if task is None:
            also = " as well" if losses else " or losses="
            raise ValueError(f"There are no losses to choose from: pass task={also}.")
        losses = menu_names(task) if losses is None else all_names(task)
    names = _as_names(losses)
    name = trial.suggest_categorical(f"{prefix}loss", names)
    params: dict[str, Any] = {f"{prefix}loss": name}
    for key, ranges in get_search_space(name, task).items():
        params[f"{prefix}loss__{key}"] = _suggest(trial, f"{prefix}{name}__{key}", ranges)
    return params


def _as_names(losses: str | Sequence[str]) -> list[str]:
    names = [losses] if isinstance(losses, str) else list(losses)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"{name!r} is not a name. Give the loss a name with register_loss(name, loss, "
                f"search_space=...) and pass that."
            )
        get_search_space(name)  # refuses an unknown name
    if not names:
        raise ValueError("losses is empty. Expected at least one name.")
    return names


def _is_integer(low: Any, high: Any) -> bool:
    return isinstance(low, int) and isinstance(high, int)


def _grid_values(
    ranges: tuple[Any, ...] | list[Any], n_values: int, default: Any = REQUIRED
) -> list[Any]:
    """Return the choices or evenly spaced numbers, including the default."""
    if isinstance(ranges, list):
        known = default is REQUIRED or any(_is_same(value, default) for value in ranges)
        return list(ranges) if known else [default, *ranges]
    values = _spaced(ranges, n_values)
    low, high, *scale = ranges
    is_number = isinstance(default, numbers.Real)
    if default is REQUIRED or (is_number and not low <= default <= high):
        return values
    if n_values == 1:
        return [default]
    if not is_number:
        return [default, *values]
    if any(_is_same(value, default) for value in values):
        return values
    if inner := values[1:-1]:
        place = np.log if scale else np.asarray
        values[1 + int(np.argmin(np.abs(place(inner) - place(default))))] = default
        return values
    return sorted([*values, default])


def _spaced(ranges: tuple[Any, ...], n_values: int) -> list[Any]:
    low, high, *scale = ranges
    if n_values == 1:  # for a parameter without a default
        values = [math.sqrt(low * high) if scale else (low + high) / 2]
    else:
        spaced = np.geomspace if scale else np.linspace
        values = spaced(low, high, n_values).tolist()
    if _is_integer(low, high):
        return sorted({round(value) for value in values})
    return [float(f"{value:.4g}") for value in values]


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, numbers.Real):
        return math.isclose(one, other, rel_tol=1e-3)
    return type(one) is type(other) and bool(one == other)


def _distribution(ranges: tuple[Any, ...] | list[Any]) -> Any:
    if isinstance(ranges, list):
        return ranges
    low, high, *scale = ranges
    if _is_integer(low, high):
        return stats.randint(low, high + 1)
    return stats.loguniform(low, high) if scale else stats.uniform(low, high - low)


def _suggest(trial: optuna.trial.BaseTrial, name: str, ranges: tuple[Any, ...] | list[Any]) -> Any:
    if isinstance(ranges, list):
        return trial.suggest_categorical(name, ranges)
    low, high, *scale = ranges
    if _is_integer(low, high):
        return trial.suggest_int(name, low, high, log=bool(scale))
    return trial.suggest_float(name, low, high, log=bool(scale))
