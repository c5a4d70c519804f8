"""The search in a storage: its name, its identity, and how another search differs from it."""

from __future__ import annotations

import contextlib
import re
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from .._evaluation.fingerprint import digest, digest_data
from .._evaluation.identity import (
    Identity,
    differences,
    listed,
    shape,
    short,
)
from .._space.search_space import Space
from .longer_search import longer_name, more_epochs
from .store import create_study
from .stored_space import (
    DETAILS,
    arrange,
    describe_growth,
    describe_space,
    find_changed_losses,
    merge,
)

#: The name of a study if the user gives none.
DEFAULT_NAME = "sklearnloss"

# The attribute of a study with the digests that must be equal, apart from that of the space.
_DIGESTS = "search"

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
        super().__init__(
            f"{where} holds a different search: {listed(differences)}. Only losses, ranges and "
            f"the number of candidates can be changed. Pass the original arguments to resume it; "
            f"to begin a new one, pass another storage or another study_name{_advice(differences)}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.differences)


def _advice(differences: list[str]) -> str:
    if all(each.startswith("data:") for each in differences):
        return ", or no study_name, which keeps searches of different data apart"
    if all(each.startswith("loss ") for each in differences):
        return (
            ". To search another loss as well, give it another label: losses={'label': loss, ...}"
        )
    longer = len(differences) == 1 and re.fullmatch(
        r"estimator: (?:\S+__)?max_epochs (\d+) -> (\d+)", differences[0]
    )
    if longer and int(longer[2]) > int(longer[1]):
        return (
            ". To train its best candidates for more epochs, pass no study_name, in this call and "
            "in those before: they are the first candidates of a new study in the storage"
        )
    return ""


class SearchIdentity(Identity):
    """Everything on which the results of a search depend.

    Its subjects are "data", "estimator", "space", "scoring", "folds" and "random_state".
    """

    #: Sets another seed, and so other folds, if the user gave none.
    set_seed: Callable[[int], None] | None = None

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
        """Add the space, which may change between two calls."""
        details = describe_space(space)
        self.add("space", details["losses"], details)

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
    the next outer fold of a nested cross-validation, the digest of the data is appended. If
    it trained for fewer epochs, but is the same otherwise, the number of epochs is appended.

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
    if before is not None and before.get("data") != data:
        study = create_study(storage, f"{DEFAULT_NAME}-{data[:12]}")
        before = _read_digests(study)
    if before is None or before["data"] != data:
        return study
    n_epochs = more_epochs(study, identity)
    return study if n_epochs is None else create_study(storage, longer_name(study, n_epochs))


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


def join_study(
    study: optuna.Study, identity: SearchIdentity, where: str, space: Space
) -> tuple[Space, list[str]]:
    """Write the identity into a new study, or check that an old one has the same.

    The space may be another one, but a loss must not be replaced by another one with the same
    label.

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
    changes : list of str
        How the space differs from that of the previous call.

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
        study.set_user_attr(DETAILS, identity.details)
        study.set_user_attr(_DIGESTS, identity.digests)
        return space, []
    details = study.user_attrs.get(DETAILS)
    details = details if isinstance(details, dict) else {}
    changed = [name for name, value in identity.digests.items() if before.get(name) != value]
    changed = [name for name in changed if name != "space"]
    known, now = details.get("space", {}), identity.details.get("space", {})
    losses = find_changed_losses(known, now) if known and now else []
    if changed or losses:
        found = _differences(changed, details, identity.details) if changed else []
        raise DifferentSearchError(where, [*found, *losses])
    if not now:
        return space, []
    changes = describe_growth(known, now)
    if changes:
        study.set_user_attr(DETAILS, {**details, "space": merge(known, now)})
    return arrange(space, known.get("order", [])), changes


def use_older_seed(study: optuna.Study, study_name: str | None, identity: SearchIdentity) -> None:
    """Use the seed of a study of an older version, which was derived from the space, too."""
    before = _read_digests(study)
    if before is None or identity.set_seed is None or not identity.digests:
        return
    subjects = {name: before.get(name) for name in ("data", "estimator", "space")}
    seed = zlib.crc32(repr((study_name, sorted(subjects.items()))).encode())
    if before.get("random_state") == digest(seed) and before["data"] == identity.digests["data"]:
        identity.set_seed(seed)


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
    found = differences(changed, before, now)
    if "folds" in changed:
        n_before, n_now = before.get("folds"), now["folds"]
        if n_before is not None and n_before != n_now:
            found.append(f"cv {n_before} -> {n_now} folds")
        elif not found:
            found.append("cv: the same number of folds, but of other samples")
    return found or [f"another {name}" for name in changed]


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
