"""The settings of a stored candidate, which are read again when the search space has changed.

A trial records the estimator's parameters, since the names and the distributions of Optuna's
parameters depend on the whole space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution, check_distribution_compatibility
from optuna.trial import FrozenTrial

from .._evaluation.fingerprint import digest
from .._evaluation.identity import short
from .._space.hyperparameter import Free, quantiles_of
from .._space.search_space import Branch, Space, Values
from .stored_space import describe_free

#: The attribute of a trial with its settings.
SETTINGS = "settings"


@dataclass(frozen=True)
class Settings:
    """The settings of a candidate, seen from the current space.

    Parameters
    ----------
    values : dict or None
        Its values by their names in the current space; None if it is not in this space.
    loss : str
        Label of its loss; "" if no losses are searched.
    params : dict
        The estimator's parameters. If ``is_known`` is false, some are texts.
    is_known : bool
        Whether its loss is one of the current ones, and all parameters are known.
    """

    values: Values | None
    loss: str
    params: dict[str, Any]
    is_known: bool


class SettingsReader:
    """Records and reads the settings of candidates.

    Parameters
    ----------
    space : Space
        The current space.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._digests: dict[str, str] = {}

    def record(self, values: Values) -> dict[str, Any]:
        """Return a candidate's settings for JSON.

        Returns
        -------
        settings : dict
            "label", "loss" with a digest of what is fixed, "fixed", the "params" that were
            chosen, and which of these have their "defaults". A number, a text, a bool or None is
            stored as it is, an object as a text with a digest.
        """
        space, label = self.space, self.space.label(values)
        branch = space.branches[label]
        chosen = {free.key: n for n, free in branch.free.items() if n in values}
        default, _ = branch.unsearched_values()
        return {
            "label": label,
            "loss": self._loss_digest(label),
            "fixed": {key: _as_plain(value) for key, value in branch.fixed.items()},
            "params": {k: _record(branch.free[n], values[n]) for k, n in chosen.items()},
            "defaults": [
                key
                for key, name in chosen.items()
                if name in default and default[name] == values[name] and not _is_part(key, chosen)
            ],
        }

    def read(self, trial: FrozenTrial, older: Mapping[str, Any]) -> Settings:
        """Return the settings of a candidate.

        Parameters
        ----------
        trial : optuna.trial.FrozenTrial
            One of its attempts.
        older : dict
            What the study says of its losses, for a trial of an older version, which recorded no
            settings.
        """
        saved = trial.user_attrs.get(SETTINGS)
        return self.read_record(saved or _read_older(trial, self.space, older))

    def read_record(self, saved: Mapping[str, Any]) -> Settings:
        """Return the settings that :meth:`record` wrote."""
        space, label, params = self.space, saved["label"], saved["params"]
        same = label in space.branches and saved["loss"] in ("", self._loss_digest(label))
        labels = ([label] if same else []) if space.has_losses else list(space.branches)
        loss = label if space.has_losses else ""
        for each in labels:
            values = _find_values(space.branches[each], params, saved["defaults"])
            if values is not None:
                values = {space.choice: each, **values} if space.has_labels else values
                return Settings(values, loss, space.params(values), True)
        free = [f for each in labels for f in space.branches[each].free.values()]
        known = {key: _find_known(entry, key, free) for key, entry in params.items()}
        fixed = space.branches[label].fixed if space.has_losses and same else saved["fixed"]
        is_known = bool(labels) and all(is_exact for _, is_exact in known.values())
        return Settings(None, loss, {**fixed, **{k: v for k, (v, _) in known.items()}}, is_known)

    def _loss_digest(self, label: str) -> str:
        if label not in self._digests:
            self._digests[label] = digest(self.space.branches[label].fixed)
        return self._digests[label]


def is_settings(saved: Any) -> bool:
    """Return whether a trial's attribute was written by :meth:`SettingsReader.record`."""
    kinds = {"label": str, "loss": str, "fixed": dict, "params": dict, "defaults": list}
    return isinstance(saved, dict) and all(isinstance(saved.get(k), t) for k, t in kinds.items())


def _as_plain(value: Any) -> Any:
    return value if _is_plain(value) else short(value)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _is_part(key: str, others: Iterable[str]) -> bool:
    """Return whether another parameter is the component that a parameter belongs to."""
    return any(key.startswith(f"{other}__") for other in others)


def _record(free: Free, sampled: Any) -> Any:
    value = free.decode(sampled)
    if free.quantile is not None:
        which = digest(quantiles_of(free.quantile))
        return {"value": value, "quantile": sampled, "distribution": which}
    return value if _is_plain(value) else {"choice": str(sampled), "digest": digest(value)}


def _find_values(branch: Branch, params: Mapping[str, Any], defaults: list[str]) -> Values | None:
    """Return a candidate's values in a branch; None if they are outside."""
    keys = {free.key for free in branch.free.values()}
    if any(key not in keys and key not in defaults for key in params):
        return None
    default, unset = branch.unsearched_values()
    values: Values = {}
    for name, free in branch.free.items():
        try:
            if free.key in params:
                values[name] = _encode(free, params[free.key])
            elif name in default and not _is_part(free.key, keys - {free.key}):
                values[name] = default[name]
            elif name not in unset:
                return None
        except LookupError:
            return None
    return values


def _encode(free: Free, entry: Any) -> Any:
    """Return Optuna's value for a recorded one.

    Raises
    ------
    LookupError
        If it is outside the distribution.
    """
    if isinstance(entry, dict) and "choice" in entry:
        return free.encode(_find_choice(free, entry))
    quantile = free.quantile
    if not isinstance(entry, dict):
        return free.find(entry)
    if quantile is not None and entry["distribution"] == digest(quantiles_of(quantile)):
        return entry["quantile"]
    return free.find(entry["value"])


def _find_choice(free: Free, entry: Mapping[str, Any]) -> Any:
    for choice in free.choices or ():
        if digest(choice) == entry["digest"]:
            return choice
    raise LookupError(f"{entry['choice']!r} is not among the choices.")


def _find_known(entry: Any, key: str, free: list[Free]) -> tuple[Any, bool]:
    """Return a parameter, and whether it is known; otherwise it is a text."""
    if not isinstance(entry, dict):
        return entry, True
    if "choice" not in entry:
        return entry["value"], True
    for each in free:
        if each.key == key:
            try:
                return _find_choice(each, entry), True
            except LookupError:
                continue
    return entry["choice"], False


def _read_older(trial: FrozenTrial, space: Space, older: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a trial that recorded none, from its values in Optuna."""
    values = trial.params
    choices = (values.get(name) for name in ("loss", "grid"))
    label = next((str(value) for value in choices if str(value) in older), "")
    described = older.get(label, {}).get("free", {})
    names = [name for name in values if name in described]
    entries = {
        _older_key(name, label, space): _older_entry(trial, name, described[name], space)
        for name in names
    }
    return {
        "label": label,
        "loss": older.get(label, {}).get("fixed", ["", ""])[1],
        "fixed": {"loss": label} if label and space.has_losses else {},
        "params": entries,
        "defaults": [],
    }


def _older_key(name: str, label: str, space: Space) -> str:
    """Return the estimator's parameter with a name in Optuna, which may begin with the label."""
    free = space.branches[label].free if label in space.branches else {}
    if name in free:
        return free[name].key
    rest = re.sub(f"^({re.escape(label)}__)+", "", name) if label else name
    keys = [free.key for branch in space.branches.values() for free in branch.free.values()]
    if rest == name or rest in keys:
        return rest
    loss = next((key for branch in space.branches.values() for key in branch.fixed), "loss")
    return f"{loss}__{rest}"


def _older_entry(trial: FrozenTrial, name: str, described: list[str], space: Space) -> Any:
    for branch in space.branches.values():
        free = branch.free.get(name)
        if free is not None and describe_free(free)[1] == described[1]:
            return _record(free, trial.params[name])
    distribution, value = trial.distributions[name], trial.params[name]
    is_object = isinstance(distribution, CategoricalDistribution) and all(
        isinstance(each, str) and each.startswith(f"{k}: ")
        for k, each in enumerate(distribution.choices)
    )
    name_of, found, _ = described[0].partition(" with quantiles ")
    if found:
        return {"choice": f"quantile {value:.4g} of {name_of}", "digest": ""}
    return {"choice": str(value), "digest": ""} if is_object else value


def compatible_names(distributions: Mapping[str, Any], trials: list[FrozenTrial]) -> dict[str, str]:
    """Return names under which a study accepts distributions that have changed.

    Optuna refuses another distribution under the name of an earlier one, such as "loss" with
    other choices. It is then called "loss (2)".
    """
    known: dict[str, Any] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known.setdefault(name, distribution)
    return {name: _compatible_name(name, each, known) for name, each in distributions.items()}


def _compatible_name(name: str, distribution: Any, known: Mapping[str, Any]) -> str:
    k, found = 1, name
    while found in known and not _is_compatible(known[found], distribution):
        k += 1
        found = f"{name} ({k})"
    return found


def _is_compatible(one: Any, other: Any) -> bool:
    try:
        check_distribution_compatibility(one, other)
    except ValueError:
        return False
    return True
