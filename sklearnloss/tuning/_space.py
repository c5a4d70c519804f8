"""Search spaces over losses, in scikit-learn's form and in Optuna's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from ..losses import get_search_space, list_losses

if TYPE_CHECKING:
    import optuna

#: Sums that are tried beside the single losses of a task.
COMPOUNDS = {"classification": [], "segmentation": ["dice+bce", "dice+cross_entropy", "dice+focal"]}


def loss_param_grid(
    losses: str | Sequence[str], *, prefix: str = "", n_values: int = 3
) -> list[dict[str, list[Any]]]:
    """Return a grid per loss, for ``GridSearchCV``.

    Parameters
    ----------
    losses : str or list of str
        Names as in :func:`~sklearnloss.losses.get_loss`.
    prefix : str, default=""
        Where the estimator is, such as "unetsegmenter__" in a pipeline.
    n_values : int, default=3
        Values per numerical parameter, from one end of its range to the other.

    Returns
    -------
    grid : list of dict

    Examples
    --------
    >>> from sklearnloss.tuning import loss_param_grid
    >>> loss_param_grid(["cross_entropy", "hinge"], n_values=2)
    [{'loss': ['cross_entropy'], 'loss__label_smoothing': [0.0, 0.2]},
     {'loss': ['hinge'], 'loss__margin': [0.1, 10.0], 'loss__p': [1, 2]}]
    """
    return [
        {
            f"{prefix}loss": [name],
            **{
                f"{prefix}loss__{key}": _grid_values(ranges, n_values)
                for key, ranges in get_search_space(name).items()
            },
        }
        for name in _as_names(losses)
    ]


def loss_param_distributions(
    losses: str | Sequence[str], *, prefix: str = ""
) -> list[dict[str, Any]]:
    """Return distributions per loss, for ``RandomizedSearchCV``.

    Parameters
    ----------
    losses : str or list of str
        Names as in :func:`~sklearnloss.losses.get_loss`.
    prefix : str, default=""
        Where the estimator is, such as "unetsegmenter__" in a pipeline.

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
    losses: Sequence[str] | None = None,
    *,
    prefix: str = "",
) -> dict[str, Any]:
    """Let an Optuna trial choose a loss, and then that loss's own settings.

    Parameters
    ----------
    trial : optuna.Trial
        The trial, in which the parameters are called ``loss`` and
        ``<loss>__<parameter>``.
    task : {"classification", "segmentation"}, default=None
        Choose among all losses meant for it, and leave out settings that mean
        nothing to it.
    losses : list of str, default=None
        Choose among these.
    prefix : str, default=""
        Where the estimator is, such as "unetsegmenter__" in a pipeline.

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
    if losses is None:
        if task is None:
            raise ValueError("Say which losses to choose from: pass task= or losses=.")
        losses = [*list_losses(task), *COMPOUNDS[task]]
    names = _as_names(losses)
    name = trial.suggest_categorical("loss", names)
    params: dict[str, Any] = {f"{prefix}loss": name}
    for key, ranges in get_search_space(name, task).items():
        params[f"{prefix}loss__{key}"] = _suggest(trial, f"{name}__{key}", ranges)
    return params


def _as_names(losses: str | Sequence[str]) -> list[str]:
    names = [losses] if isinstance(losses, str) else list(losses)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"{name!r} is no name. Give the loss a name with register_loss(name, loss, "
                f"search_space=...) and pass that."
            )
        get_search_space(name)  # refuses an unknown name
    if not names:
        raise ValueError("losses is empty. Expected at least one name.")
    return names


def _is_integer(low: Any, high: Any) -> bool:
    return isinstance(low, int) and isinstance(high, int)


def _grid_values(ranges: tuple[Any, ...] | list[Any], n_values: int) -> list[Any]:
    if isinstance(ranges, list):
        return ranges
    low, high, *scale = ranges
    values = np.geomspace(low, high, n_values) if scale else np.linspace(low, high, n_values)
    if _is_integer(low, high):
        return sorted({round(value) for value in values})
    return [float(f"{value:.4g}") for value in values]


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
