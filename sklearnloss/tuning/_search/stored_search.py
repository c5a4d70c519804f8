"""The search in a storage: its name, its identity, and how another search differs from it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from .._evaluation.fingerprint import digest, digest_data
from .._evaluation.identity import (
    Entry,
    Identity,
    compare_entries,
    differences,
    listed,
    shape,
    short,
)
from .._space.hyperparameter import Free
from .._space.search_space import Space
from .store import create_study

#: The name of a study if the user gives none.
DEFAULT_NAME = "sklearnloss"

# Attributes of a study: digests that must be equal, and descriptions of what they cover.
_DIGESTS, _DETAILS = "search", "search_details"

# Seconds to wait for another process to write the identity of a study that it created.
_PATIENCE = 5.0


class DifferentSearchError(ValueError):
    """A storage holds a different search.

    Parameters
    ----------
    where : str
        Name of the study and its storage.
    differences : list of str
        Differences such as "estimator: max_epochs 1 -> 2".
    """

    def __init__(self, where: str, differences: list[str]) -> None:
        self.where = where
        self.differences = differences
        more = ""
        if all(each.startswith("data:") for each in differences):
            more = ", or no study_name, which keeps searches of different data apart"
        super().__init__(
            f"{where} holds a different search: {listed(differences)}. A search cannot be "
            f"changed or extended. Pass the original arguments to resume it; to begin a new one, "
            f"pass another storage or another study_name{more}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.differences)


class SearchIdentity(Identity):
    """Everything on which the results of a search depend.

    Its subjects are "data", "estimator", "space", "scoring", "folds" and "random_state".
    """

    def add_data(
        self, X: Any, y: Any, groups: Any, params: Mapping[str, Any], *, masks: bool, unit: str
    ) -> None:
        """Add the data, with groups and other arguments of ``fit``.

        Strings in y may be file names if ``masks`` is true. The ``unit`` names the items of
        X, such as "images".
        """
        parts = {"X": (X, True), "y": (y, masks), "groups": (groups, False)}
        parts |= {name: (value, False) for name, value in params.items()}
        given = {
            name: (value if files else _as_column(value), files)
            for name, (value, files) in parts.items()
            if value is not None
        }
        entries = {
            name: [shape(value), digest_data(value, None, masks=False) if files else digest(value)]
            for name, (value, files) in given.items()
        }
        self.add_parts(X, entries, {name: entry[1] for name, entry in entries.items()}, unit)

    def add_space(self, space: Space) -> None:
        """Add the space; the order of its losses and parameters does not matter."""
        losses = {
            label: {
                "fixed": [", ".join(map(short, branch.fixed.values())), digest(branch.fixed)],
                "free": {name: _describe_free(free) for name, free in branch.free.items()},
            }
            for label, branch in space.branches.items()
        }
        order = [[label, list(branch.free)] for label, branch in space.branches.items()]
        details = {"losses": losses, "order": order, "has_losses": space.has_losses}
        details["is_menu"] = space.is_menu
        self.add("space", losses, details)

    def add_metrics(self, scoring: Any, metric: str | None, goals: Sequence[str] = ()) -> None:
        """Add the scorers, and the metric to optimize, or the metrics to optimize together."""
        text = short(scoring) if metric is None else f"{short(scoring)} by {metric!r}"
        if goals:
            text = f"{short(scoring)} by the Pareto front of {', '.join(map(repr, goals))}"
        self.add_scoring(text, [scoring, list(goals) or metric])


def open_study(
    storage: BaseStorage, study_name: str | None, identity: SearchIdentity
) -> optuna.Study:
    """Open the study of a search, or create it.

    Without a name it is "sklearnloss". If a search of other data has that name, as in
    the next outer fold of a nested cross-validation, the digest of the data is appended.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        The storage.
    study_name : str or None
        The name of the study.
    identity : SearchIdentity
        The identity of the search.

    Returns
    -------
    study : optuna.Study
    """
    data = identity.digests.get("data")
    if study_name is not None or data is None:
        return create_study(storage, study_name or DEFAULT_NAME)
    created = _create_if_new(storage)
    if created is not None:
        return created
    study = create_study(storage, DEFAULT_NAME)
    before = _await_digests(study)
    if before is None or before.get("data") == data:
        return study
    return create_study(storage, f"{DEFAULT_NAME}-{data[:12]}")


def _create_if_new(storage: BaseStorage) -> optuna.Study | None:
    """Create the study with the default name; None if it exists. Only one process succeeds."""
    with contextlib.suppress(KeyError):  # a finished search may be on a read-only disk
        optuna.load_study(storage=storage, study_name=DEFAULT_NAME)
        return None
    try:
        return optuna.create_study(storage=storage, study_name=DEFAULT_NAME, direction="maximize")
    except DuplicatedStudyError:
        return None


def _await_digests(study: optuna.Study) -> Mapping[str, str] | None:
    """Return a study's digests; wait if another process may be about to write them."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        before = _read_digests(study)
        if before is not None or study.get_trials(deepcopy=False) or time.monotonic() > deadline:
            return before
        time.sleep(0.05)


def join_study(study: optuna.Study, identity: SearchIdentity, where: str, space: Space) -> Space:
    """Write the identity into a new study, or check that an old one has the same.

    Parameters
    ----------
    study : optuna.Study
        The study of the search.
    identity : SearchIdentity
        The identity of the search.
    where : str
        Name of the study and its storage in errors.
    space : Space
        The search space.

    Returns
    -------
    space : Space
        With losses and parameters in the order of the study, which determines the
        candidates that are tried.

    Raises
    ------
    DifferentSearchError
        If the study is for a different search.
    ValueError
        If it was not made by ``LossSearchCV``.
    """
    before = _read_digests(study)
    if before is None:
        if study.get_trials(deepcopy=False) or study.directions != [StudyDirection.MAXIMIZE]:
            raise ValueError(_made_by_others(study))
        study.set_user_attr(_DETAILS, identity.details)
        study.set_user_attr(_DIGESTS, identity.digests)
        return space
    details = study.user_attrs.get(_DETAILS)
    details = details if isinstance(details, dict) else {}
    changed = [name for name, value in identity.digests.items() if before.get(name) != value]
    if changed:
        raise DifferentSearchError(where, _differences(changed, details, identity.details))
    order = details.get("space", {}).get("order")
    return space if order is None else space.arranged(dict(order))


def _read_digests(study: optuna.Study) -> Mapping[str, str] | None:
    digests = study.user_attrs.get(_DIGESTS)
    if digests is None or isinstance(digests, dict):
        return digests
    raise ValueError(_made_by_others(study))


def _made_by_others(study: optuna.Study) -> str:
    return (
        f"The study {study.study_name!r} was not made by LossSearchCV. Pass another storage, or "
        f"another study_name."
    )


def _differences(
    changed: list[str], before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[str]:
    """Return a text for each difference, without those that only follow from others."""
    found = differences(changed, before, now, {"space": _compare_spaces})
    if "folds" in changed:
        n_before, n_now = before.get("folds"), now["folds"]
        if n_before is not None and n_before != n_now:
            found.append(f"cv {n_before} -> {n_now} folds")
        elif not found:
            found.append("cv: the same number of folds, but of other samples")
    return found or [f"another {name}" for name in changed]


def _compare_spaces(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    old, new = before["losses"], now["losses"]
    what = "losses" if now["has_losses"] else "dicts in param_distributions"
    signed = [f"+ {label or 0}" for label in new if label not in old]
    signed += [f"- {label or 0}" for label in old if label not in new]
    if now["is_menu"]:
        what = "losses, which were not named and may differ between versions (name them to resume)"
    found = [f"{what}: {', '.join(signed)}"] if signed else []
    free = []
    for label in [label for label in old if label in new]:
        if old[label]["fixed"][1] != new[label]["fixed"][1]:
            found += compare_entries(
                {f"loss {label!r}:": old[label]["fixed"]}, {f"loss {label!r}:": new[label]["fixed"]}
            )
        if old[label]["free"] != new[label]["free"]:
            free += compare_entries(old[label]["free"], new[label]["free"])
    found += [f"range of {text}" for text in dict.fromkeys(free)]
    return found or ["another search space"]


def _describe_free(free: Free) -> Entry:
    quantiles = [] if free.quantile is None else _quantiles(free.quantile)
    return [_range(free), digest([free.key, repr(free.distribution), free.choices, quantiles])]


def _range(free: Free) -> str:
    """Format a range as a user would write it."""
    distribution: Any = free.distribution
    if isinstance(distribution, CategoricalDistribution):
        return short(list(free.choices or distribution.choices))
    if free.quantile is not None:
        name, low, median, high = _quantiles(free.quantile)[:4]
        return f"{name} with quantiles {low:.4g}, {median:.4g}, {high:.4g}"
    more = ["'log'"] if distribution.log else []
    more += [f"step {distribution.step}"] if distribution.step not in (None, 1) else []
    return f"({', '.join([f'{distribution.low:g}', f'{distribution.high:g}', *more])})"


def _quantiles(distribution: Any) -> list[Any]:
    """Return values that distinguish one scipy distribution from another."""
    name = getattr(distribution, "dist", distribution).name
    return [name, *distribution.ppf([0.1, 0.5, 0.9]), *distribution.support()]


def _as_column(value: Any) -> Any:
    """Return labels, groups or weights as an array; anything else unchanged."""
    if hasattr(value, "to_numpy") and getattr(value, "ndim", 0) == 1:
        value = value.to_numpy()
    if isinstance(value, list | tuple) and value and np.isscalar(value[0]):
        value = np.asarray(value)
    is_texts = isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1
    if is_texts and all(isinstance(each, str) for each in value):
        return value.astype(str)
    return value
