"""The state of a candidate, as it is saved in its trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any, Self

from optuna.trial import TrialState

from .._evaluation.outcome import Outcome
from .candidate_settings import SETTINGS, is_settings


@dataclass
class CandidateState:
    """The results of a candidate so far.

    Parameters
    ----------
    folds : list of dict
        The finished folds: "scores", a number or a dict of them by metric, "fit_time",
        "score_time" and "epochs".
    reports : list of [int, float]
        The steps at which a score was reported to the pruner, with the scores.
    epochs : int
        Number of trained epochs, including those of unfinished folds.
    rungs : dict
        The rungs that a pruner recorded in the trial.
    outcome : Outcome or None
        How it ended.
    value : float or None
        The mean score of a complete candidate, the last report of a stopped one.
    reason : str
        Why it was stopped or failed.
    traceback : str
        Of its error.
    """

    folds: list[dict[str, Any]] = field(default_factory=list)
    reports: list[list[Any]] = field(default_factory=list)
    epochs: int = 0
    rungs: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    value: float | None = None
    reason: str = ""
    traceback: str = ""

    def end(self, outcome: Outcome, value: float | None = None, reason: str = "") -> None:
        """Set how the candidate ended."""
        self.outcome, self.value, self.reason = outcome, value, reason

    @property
    def trial_state(self) -> TrialState:
        """The state of its trial when an attempt ends; FAIL if it was interrupted."""
        return TrialState.FAIL if self.outcome is None else self.outcome.state

    @property
    def is_infeasible(self) -> bool:
        """Whether its parameters do not lead to a finite score, or not in time."""
        return self.outcome in (Outcome.DIVERGED, Outcome.UNDEFINED, Outcome.TIMEOUT)

    @property
    def last_report(self) -> float:
        """The latest score that was reported; nan if there is none."""
        return float(self.reports[-1][1]) if self.reports else math.nan

    def means(self, metrics: Sequence[str]) -> list[float]:
        """Return the mean of each metric over the finished folds."""
        n_folds = len(self.folds)
        return [math.fsum(fold["scores"][m] for fold in self.folds) / n_folds for m in metrics]

    def resumed(self) -> Self:
        """Return the state in which another attempt begins."""
        epochs = self.epochs
        if self.outcome is not None:  # the fold that failed is trained again
            epochs = sum(fold.get("epochs", 0) for fold in self.folds)
        return type(self)(list(self.folds), list(self.reports), epochs, dict(self.rungs))

    def to_json(self) -> dict[str, Any]:
        """Return a dict for JSON, without missing values."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Return the state from the result of :meth:`to_json`."""
        known = {key: saved[key] for key in cls.__dataclass_fields__ if key in saved}
        return cls(**known | _read_outcome(saved))


def _read_outcome(saved: Mapping[str, Any]) -> dict[str, Any]:
    outcome = saved.get("outcome")
    if not isinstance(outcome, list | tuple):
        return {"outcome": None if outcome is None else Outcome(outcome)}
    # Older storages hold Optuna's state and the value.
    name, value = outcome
    known = {"COMPLETE": Outcome.COMPLETE, "PRUNED": Outcome.PRUNED, "FAIL": Outcome.ERROR}[name]
    if saved.get("diverged"):
        known = Outcome.DIVERGED
    elif "deaths" in saved:
        known = Outcome.CRASHED
    return {"outcome": known, "value": value}


_OWNER = {"host": str, "search": str, "call": str}
_STATE = {"folds": list, "reports": list, "epochs": Real}
_FOLD = {"fit_time": Real, "score_time": Real}


def find_invalid_attribute(attrs: Mapping[str, Any]) -> str | None:
    """Return the name of an attribute that no search can have written, or None.

    Parameters
    ----------
    attrs : dict
        The user attributes of a trial that has a candidate number.
    """
    checks = {
        "candidate": type(attrs.get("candidate")) is int,
        "owner": _has(attrs.get("owner"), _OWNER),
        "results": attrs.get("results") is None or _is_state(attrs["results"]),
        "deaths": _is_deaths(attrs.get("deaths", [[], 0])),
        "n_before": isinstance(attrs.get("n_before", 0), int),
        "beat": isinstance(attrs.get("beat", 0), int),
        SETTINGS: SETTINGS not in attrs or is_settings(attrs[SETTINGS]),
    }
    return next((name for name, right in checks.items() if not right), None)


def _has(value: Any, kinds: Mapping[str, type]) -> bool:
    """Return whether a value is a dict with all expected keys and types."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind) for name, kind in kinds.items()
    )


def _is_state(saved: Any) -> bool:
    return (
        _has(saved, _STATE)
        and all(_has(fold, _FOLD) and "scores" in fold for fold in saved["folds"])
        and all(_is_pair(report) for report in saved["reports"])
        and isinstance(saved.get("rungs", {}), dict)
        and _is_outcome(saved.get("outcome"))
    )


def _is_outcome(outcome: Any) -> bool:
    if _is_pair(outcome):
        return outcome[0] in ("COMPLETE", "PRUNED", "FAIL")
    return outcome is None or (isinstance(outcome, str) and outcome in list(Outcome))


def _is_deaths(deaths: Any) -> bool:
    return _is_pair(deaths) and isinstance(deaths[0], list) and isinstance(deaths[1], int)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2
