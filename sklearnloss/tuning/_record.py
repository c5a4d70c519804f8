"""The candidates of a search, as an Optuna storage keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from ._branches import Space, Values
from ._owner import Heartbeat, Owner

#: Why a trial does not count: another worker was first with the same.
WITHDRAWN = "withdrawn"

Results = dict[str, Any]


class LostCandidate(Exception):
    """Somebody else took a candidate over: this worker was believed dead."""


@dataclass(frozen=True)
class Row:
    """A candidate and what is known of it.

    Parameters
    ----------
    candidate : int
        Its number, which no resumption changes.
    trial : optuna.trial.FrozenTrial
        Its trial; after an interruption that of the latest attempt.
    """

    candidate: int
    trial: FrozenTrial

    @property
    def values(self) -> Values:
        """Its values by their names in Optuna."""
        return self.trial.params

    @property
    def results(self) -> Results:
        """Its finished folds, reports and reason."""
        results: Results = self.trial.user_attrs.get("results", {})
        return results

    @property
    def state(self) -> TrialState:
        """COMPLETE, PRUNED, FAIL or RUNNING; WAITING if it was interrupted."""
        return TrialState.WAITING if _is_interrupted(self.trial) else self.trial.state

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state.is_finished()


def _is_interrupted(trial: FrozenTrial) -> bool:
    reason = trial.user_attrs.get("results", {}).get("reason")
    return trial.state == TrialState.FAIL and not reason


@dataclass
class Claim:
    """A candidate that this process works on."""

    candidate: int
    trial_id: int
    values: Values
    results: Results = field(default_factory=lambda: {"folds": [], "reports": [], "epochs": 0})


class Record:
    """The candidates of one search in one storage, shared by all its workers.

    Each attempt at a candidate is one Optuna trial, created at once with all its
    parameters and its owner. An attempt that is interrupted becomes FAIL without
    a reason, and a new trial goes on with its parameters and finished folds.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        Where.
    study_name : str
        The study's name there; it must exist, see :func:`create_study`.
    space : Space
        What values mean.
    owner : Owner
        This search or worker.
    address : str, path or None, default=None
        How other processes find the storage.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_name: str,
        space: Space,
        owner: Owner,
        address: Any = None,
    ) -> None:
        self.address = address
        self.study = optuna.load_study(study_name=study_name, storage=storage)
        self.storage = self.study._storage
        self.space = space
        self.owner = owner
        self.is_shared = not isinstance(storage, InMemoryStorage)

    def rows(self) -> list[Row]:
        """Return all candidates by number."""
        attempts: dict[int, list[FrozenTrial]] = {}
        for trial in self.storage.get_all_trials(self.study._study_id, deepcopy=False):
            candidate = trial.user_attrs.get("candidate")
            withdrawn = trial.user_attrs.get("results", {}).get("reason") == WITHDRAWN
            if candidate is not None and not withdrawn:
                attempts.setdefault(candidate, []).append(trial)
        return [Row(number, _valid_attempt(attempts[number])) for number in sorted(attempts)]

    def claim(
        self,
        propose: Callable[[int, list[Row]], Values | None],
        is_enough: Callable[[list[Row]], bool],
    ) -> Claim | None:
        """Take over an interrupted candidate, or begin a new one.

        Parameters
        ----------
        propose : callable
            Returns the values of a new candidate from its number and all rows;
            None if there is none left.
        is_enough : callable
            Tells from the rows whether the search needs no further candidate.

        Returns
        -------
        claim : Claim or None
            None if there is nothing to do.
        """
        while True:
            rows = self.rows()
            for row in rows:
                if self._is_abandoned(row):
                    claim = self._adopt(row)
                    if claim is not None:
                        return claim
                    break
            else:
                if is_enough(rows):
                    return None
                number = rows[-1].candidate + 1 if rows else 0
                values = propose(number, rows)
                if values is None:
                    return None
                claim = self._begin(number, values, {})
                if self._is_rightful(claim, is_enough):
                    return claim
                self._withdraw(claim)

    def _is_abandoned(self, row: Row) -> bool:
        if row.state == TrialState.WAITING:
            return True
        if row.state != TrialState.RUNNING:
            return False
        attrs = row.trial.user_attrs
        return not self.owner.is_alive(attrs["owner"], attrs.get("beat"), row.trial._trial_id)

    def _adopt(self, row: Row) -> Claim | None:
        """Go on with a candidate; None if another worker was faster."""
        if row.state == TrialState.RUNNING:
            try:  # the storage lets only one of us do that
                self.storage.set_trial_state_values(row.trial._trial_id, TrialState.FAIL)
            except UpdateFinishedTrialError:
                return None
        claim = self._begin(row.candidate, row.values, row.results)
        if self._is_rightful(claim, lambda rows: False):
            return claim
        self._withdraw(claim)
        return None

    def _begin(self, candidate: int, values: Values, results: Results) -> Claim:
        attrs: dict[str, Any] = {"candidate": candidate, "owner": self.owner.token}
        if results:
            attrs["results"] = results
        template = running_trial(values, self.space.distributions(values), attrs)
        trial_id = self.storage.create_new_trial(self.study._study_id, template)
        claim = Claim(candidate, trial_id, values)
        claim.results |= {key: list(results[key]) for key in ("folds", "reports") if results}
        claim.results |= {key: results[key] for key in ("epochs", "rungs") if key in results}
        return claim

    def _is_rightful(self, claim: Claim, is_enough: Callable[[list[Row]], bool]) -> bool:
        """Tell whether no other worker came first with this candidate, or the last one."""
        if not self.is_shared:
            return True
        rows = self.rows()
        mine = next((row for row in rows if row.trial._trial_id == claim.trial_id), None)
        if mine is None:
            return False
        earlier = [row for row in rows if row.trial.number < mine.trial.number]
        key = self.space.key(claim.values)
        same = any(self.space.key(row.values) == key for row in earlier)
        return not same and not is_enough(earlier)

    def _withdraw(self, claim: Claim) -> None:
        claim.results["reason"] = WITHDRAWN
        self.finish(claim, TrialState.FAIL, None)

    def save(self, claim: Claim) -> None:
        """Keep what a candidate has so far.

        Raises
        ------
        LostCandidate
            If somebody else took it over.
        """
        try:
            self.storage.set_trial_user_attr(claim.trial_id, "results", claim.results)
        except UpdateFinishedTrialError as error:
            raise LostCandidate from error

    def finish(self, claim: Claim, state: TrialState, value: float | None) -> None:
        """Keep what became of a candidate.

        Raises
        ------
        LostCandidate
            If somebody else took it over.
        """
        self.save(claim)
        try:
            self.storage.set_trial_state_values(
                claim.trial_id, state, None if value is None else [value]
            )
        except UpdateFinishedTrialError as error:
            raise LostCandidate from error

    def release(self, claim: Claim) -> None:
        """Leave a candidate to whoever comes next."""
        claim.results.pop("reason", None)
        self.finish(claim, TrialState.FAIL, None)

    def heartbeat(self, claim: Claim) -> Heartbeat:
        """Return a context that gives signs of life while a candidate is worked on."""
        return Heartbeat(
            lambda count: self.storage.set_trial_user_attr(claim.trial_id, "beat", count)
        )


def _valid_attempt(attempts: list[FrozenTrial]) -> FrozenTrial:
    """Return the first attempt that was not interrupted, else the last."""
    going = [trial for trial in attempts if not _is_interrupted(trial)]
    return going[0] if going else attempts[-1]


def running_trial(
    values: Values, distributions: Mapping[str, BaseDistribution], attrs: Mapping[str, Any]
) -> FrozenTrial:
    """Return a trial in state RUNNING, to be created with all it needs."""
    return create_trial(
        state=TrialState.RUNNING,
        params=dict(values),
        distributions=dict(distributions),
        user_attrs=dict(attrs),
    )


def create_study(storage: BaseStorage, study_name: str) -> optuna.Study:
    """Create a study, or load the one that is there; several processes may do so at once."""
    for attempt in range(8):
        try:
            return optuna.create_study(
                storage=storage, study_name=study_name, direction="maximize", load_if_exists=True
            )
        except Exception:  # a database's own error when another process was faster
            if attempt == 7:
                raise
            time.sleep(0.05 * 2**attempt)
    raise AssertionError
