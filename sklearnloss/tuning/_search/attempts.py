"""The attempts at a candidate, each a trial in the storage, and which of them is valid."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from .._space.search_space import Space, Values
from .candidate import CandidateState
from .candidate_settings import Settings


@dataclass(frozen=True)
class Row:
    """A candidate and its trial.

    Parameters
    ----------
    candidate : int
        Its number, which does not change when it is resumed.
    trial : optuna.trial.FrozenTrial
        Its trial; after an interruption, the trial of the latest attempt.
    failed_in : frozenset of str
        The calls of ``fit`` in which it failed.
    settings : Settings, default=None
        Its settings in the current space; None if that is the space of its trial.
    """

    candidate: int
    trial: FrozenTrial
    failed_in: frozenset[str] = frozenset()
    settings: Settings | None = None

    @property
    def values(self) -> Values:
        """Its values by parameter name in the current space, empty if it is not in it."""
        return self.trial.params if self.settings is None else self.settings.values or {}

    @property
    def is_in_space(self) -> bool:
        """Whether the current search could propose it."""
        return self.settings is None or self.settings.values is not None

    @property
    def may_be_chosen(self) -> bool:
        """Whether its loss is one of the current ones, and its parameters are known."""
        return self.settings is None or self.settings.is_known

    def loss(self, space: Space) -> str:
        """Return the label of its loss; "" if no losses are searched."""
        return space.loss(self.values) if self.settings is None else self.settings.loss

    def params(self, space: Space) -> dict[str, Any]:
        """Return the estimator's parameters."""
        return space.params(self.values) if self.settings is None else self.settings.params

    @functools.cached_property
    def results(self) -> CandidateState:
        """Its finished folds, reports and outcome."""
        return state_of(self.trial)

    @property
    def state(self) -> TrialState:
        """COMPLETE, PRUNED, FAIL or RUNNING; WAITING if it was interrupted."""
        state = self.trial.state
        if state == TrialState.FAIL and not _has_failed(self.trial):
            return TrialState.WAITING
        return state

    @property
    def call(self) -> str:
        """The latest call of ``fit`` that tried it."""
        call: str = self.trial.user_attrs["owner"]["call"]
        return call

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state.is_finished()


@dataclass
class RunningCandidate:
    """A candidate on which this process works."""

    number: int
    values: Values
    trial_id: int = -1
    results: CandidateState = field(default_factory=CandidateState)


def latest_attempt(attempts: Sequence[FrozenTrial]) -> FrozenTrial:
    """Return the valid attempt: follow, from the first one, the first that resumes it."""
    latest = next((t for t in attempts if "after" not in t.user_attrs), attempts[0])
    for trial in attempts:
        if trial.user_attrs.get("after") == latest.number:
            latest = trial
    return latest


def state_of(trial: FrozenTrial) -> CandidateState:
    """Return the candidate's state as an attempt saved it."""
    return CandidateState.from_json(trial.user_attrs.get("results") or {})


def _has_failed(trial: FrozenTrial) -> bool:
    """Return whether an attempt ended with an error, rather than an interruption."""
    outcome = state_of(trial).outcome if trial.state == TrialState.FAIL else None
    return outcome is not None and outcome.state == TrialState.FAIL


def failed_in_calls(attempts: Sequence[FrozenTrial]) -> frozenset[str]:
    """Return the calls of ``fit`` in which attempts failed."""
    return frozenset(t.user_attrs["owner"]["call"] for t in attempts if _has_failed(t))


def running_trial(
    values: Values,
    distributions: Mapping[str, BaseDistribution],
    attrs: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """Return a template for a trial in the state RUNNING, with all its attributes."""
    return create_trial(
        state=TrialState.RUNNING,
        params=dict(values),
        distributions=dict(distributions),
        user_attrs=dict(attrs or {}),
    )
