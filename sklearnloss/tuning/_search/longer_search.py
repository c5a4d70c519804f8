"""A search with more epochs: another study, which begins with the best of the shorter one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from .._evaluation.identity import Identity
from .._space.search_space import First, Space
from .._workers.liveness import Owner
from .candidate_settings import SettingsReader
from .store import CandidateStore
from .stored_space import DETAILS

#: The attribute of a study with the best candidates of a search with fewer epochs.
_STARTING_POINTS = "starting_points"


def more_epochs(study: optuna.Study, identity: Identity) -> int | None:
    """Return the number of epochs if a search trains longer than that of a study.

    Parameters
    ----------
    study : optuna.Study
        A study of the same data.
    identity : Identity
        The identity of the search.

    Returns
    -------
    n_epochs : int or None
        None if the number is not larger, or if the estimator or the metric differ otherwise, too.
    """
    details = study.user_attrs.get(DETAILS)
    details = details if isinstance(details, dict) else {}
    one, other = details.get("estimator", {}), identity.details["estimator"]
    if one.keys() != other.keys() or details.get("scoring") != identity.details["scoring"]:
        return None
    changed = [name for name in other if one[name] != other[name]]
    if len(changed) != 1 or changed[0].rpartition("__")[2] != "max_epochs":
        return None
    before, now = (part[changed[0]][0] for part in (one, other))
    is_longer = before.isdecimal() and now.isdecimal() and int(now) > int(before)
    return int(now) if is_longer else None


def longer_name(study: optuna.Study, n_epochs: int) -> str:
    """Return the name of the study that trains for more epochs than another one."""
    return f"{study.study_name}-{n_epochs}-epochs"


def is_longer(study: optuna.Study) -> bool:
    """Return whether a study began with the best candidates of a search with fewer epochs."""
    return _STARTING_POINTS in study.user_attrs


def begin_with_shorter(
    study: optuna.Study, space: Space, storage: BaseStorage | None
) -> tuple[Space, int]:
    """Let a search begin with the best candidates of the search with fewer epochs.

    They are the better half of the candidates that it continued after the first fold, which are
    recorded in the study when it is new.

    Parameters
    ----------
    study : optuna.Study
        The study of the search.
    space : Space
        Its space.
    storage : optuna.storages.BaseStorage or None
        Where to look for a search with fewer epochs if the study is new; None is nowhere.

    Returns
    -------
    space : Space
        With these candidates after those that it begins with.
    n_epochs : int
        The number of epochs of the shorter search; 0 if there is none.
    """
    known = study.user_attrs.get(_STARTING_POINTS)
    if known is None:
        shorter = storage and _find_shorter(storage, study.study_name)
        if storage is None or not shorter or study.get_trials(deepcopy=False):
            return space, 0
        best = _best_candidates(storage, shorter[0], space)
        known = {"epochs": shorter[1], "candidates": best}
        study.set_user_attr(_STARTING_POINTS, known)
    points = _read_points(known["candidates"], space)
    return replace(space, initial=(*space.initial, *points)), int(known["epochs"])


def _find_shorter(storage: BaseStorage, name: str) -> tuple[str, int] | None:
    """Return the name and the epochs of the longest of the searches with fewer epochs."""
    base, n_epochs = _split(name)
    if n_epochs is None:
        return None
    found: dict[int, str] = {}
    for study in storage.get_all_studies():
        before = _split(study.study_name)
        if before[0] == base and study.study_name != name:
            found[before[1] or _epochs_of(study.user_attrs)] = study.study_name
    shorter = [epochs for epochs in found if epochs < n_epochs]
    return (found[max(shorter)], max(shorter)) if shorter else None


def _split(name: str) -> tuple[str, int | None]:
    """Return a study's name without its number of epochs, and this number."""
    head, _, end = name.removesuffix("-epochs").rpartition("-")
    return (head, int(end)) if name.endswith("-epochs") and end.isdecimal() else (name, None)


def _epochs_of(attrs: Mapping[str, Any]) -> int:
    entries = attrs.get(DETAILS, {}).get("estimator", {})
    texts = [text for name, (text, _) in entries.items() if name.endswith("max_epochs")]
    return next((int(text) for text in texts if text.isdecimal()), 0)


def _best_candidates(storage: BaseStorage, study_name: str, space: Space) -> list[dict[str, Any]]:
    """Return the settings of the better half of those that got beyond a fold, the best first."""
    rows = CandidateStore(storage, study_name, space, Owner()).rows()
    valid = [row for row in rows if row.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    valid = [row for row in valid if row.results.folds and not row.results.is_infeasible]
    most = max((len(row.results.folds) for row in valid), default=0)
    valid = [row for row in valid if len(row.results.folds) >= min(2, most)]
    # The race continues the better ones. Stable: of two equals, the first.
    valid.sort(key=lambda row: (-len(row.results.folds), -row.results.last_report))
    reader = SettingsReader(space)
    return [reader.record(row.values) for row in valid[: (len(valid) + 1) // 2]]


def _read_points(candidates: list[dict[str, Any]], space: Space) -> list[First]:
    """Return the recorded candidates that are in the space."""
    reader = SettingsReader(space)
    found = [reader.read_record(saved).values for saved in candidates]
    return [(values, space.unset(values)) for values in found if values is not None]
