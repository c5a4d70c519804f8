"""The candidates of a search in an Optuna storage."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from .._evaluation.outcome import Outcome
from .._space.search_space import Space, Values
from .._workers.liveness import Heartbeat, Owner
from .._workers.retries import RetryingStorage, StorageError
from .attempts import (
    Row,
    RunningCandidate,
    failed_in_calls,
    latest_attempt,
    running_trial,
    state_of,
)
from .candidate import CandidateState, find_invalid_attribute
from .candidate_settings import SETTINGS, Settings, SettingsReader, compatible_names
from .crashes import count_crashes, is_at_fault, warn_of_crashes
from .stored_space import older_losses


class LostCandidate(BaseException):
    """Another worker took over the candidate, because this one was considered dead.

    Derives from ``BaseException`` so that it is not mistaken for a failure of the candidate.
    """


class CandidateStore:
    """The candidates of one search in one storage, shared by all its workers.

    Each attempt at a candidate is one Optuna trial, created at once with all its
    parameters and its owner. The first worker to create a trial for a candidate number
    owns that candidate; the others move on to the next number.

    When an attempt is interrupted, its trial becomes FAIL, and a new trial resumes it,
    with its parameters and finished folds. Again, the first such trial is valid. The
    outcome of a candidate is written before the state of its trial, so that it does no
    harm if a process is killed in between.

    A candidate that failed is tried once more by each later call of ``fit`` that needs
    further candidates: the cause may have been fixed.

    A storage call that failed and was retried may have been executed twice, so an
    attempt may have several trials. The first one is valid.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        The storage.
    study_name : str
        Name of the study, which must exist, see :func:`create_study`.
    space : Space
        The space that values come from.
    owner : Owner
        This search or worker.
    address : str, path or None, default=None
        Address or path under which other processes find the storage.
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
        self.is_lost = False
        #: All candidates as of the last read, also those that are not in the current space.
        self.all_known_rows: list[Row] = []
        self._checked: set[int] = set()
        self._settings_reader = SettingsReader(space)
        self._settings: dict[int, Settings] = {}  # by trial

    @property
    def call(self) -> str:
        """The call of ``fit`` that this is a part of."""
        call: str = self.owner.token["call"]
        return call

    def rows(self) -> list[Row]:
        """Return the candidates of the current space; if the storage was lost, those read before.

        They are in the order of their numbers, between which there may be others, see
        :meth:`all_rows`.
        """
        return [row for row in self.all_rows() if row.is_in_space]

    def all_rows(self) -> list[Row]:
        """Return all candidates by number, also those of earlier calls with another space."""
        if not self.is_lost:
            self._read()
        return self.all_known_rows

    @property
    def known_rows(self) -> list[Row]:
        """The candidates of the current space as of the last read."""
        return [row for row in self.all_known_rows if row.is_in_space]

    def _read(self) -> dict[int, list[FrozenTrial]]:
        attempts = self._attempts()
        self.all_known_rows = [
            self._row(number, trials) for number, trials in sorted(attempts.items())
        ]
        return attempts

    def _row(self, number: int, trials: list[FrozenTrial]) -> Row:
        trial = latest_attempt(trials)
        settings = self._settings.get(trial._trial_id)
        if settings is None:
            older = {} if SETTINGS in trial.user_attrs else older_losses(self.study)
            settings = self._settings_reader.read(trial, older)
            self._settings[trial._trial_id] = settings
        return Row(number, trial, failed_in_calls(trials), settings)

    def _attempts(self) -> dict[int, list[FrozenTrial]]:
        """Return the trials of each candidate, in order of creation."""
        attempts: dict[int, list[FrozenTrial]] = {}
        for trial in self.storage.get_all_trials(self.study._study_id, deepcopy=False):
            if "candidate" in trial.user_attrs:
                self._check(trial)
                attempts.setdefault(trial.user_attrs["candidate"], []).append(trial)
        return attempts

    def _check(self, trial: FrozenTrial) -> None:
        """Raise a ValueError if a trial was not written by a search."""
        if trial._trial_id in self._checked:
            return
        wrong = find_invalid_attribute(trial.user_attrs)
        if wrong is not None:
            value = repr(trial.user_attrs.get(wrong))[:60]
            raise ValueError(
                f"Trial {trial.number} of the study {self.study.study_name!r} was not written by "
                f"LossSearchCV, or is damaged: its attribute {wrong!r} is {value}. Pass another "
                f"storage, or another study_name."
            )
        self._checked.add(trial._trial_id)

    @contextlib.contextmanager
    def without_retries(self) -> Iterator[None]:
        """Try each storage call only once, for calls that may be skipped."""
        with contextlib.ExitStack() as stack:
            if isinstance(self.storage, RetryingStorage):
                stack.enter_context(self.storage.without_retries())
            yield

    def claim(
        self,
        propose: Callable[[int, list[Row]], Values | None],
        is_enough: Callable[[list[Row]], bool],
        choose: Callable[[list[Row]], Row | None] = lambda rows: None,
    ) -> RunningCandidate | None:
        """Take over an interrupted candidate, try a failed one again, or begin a new one.

        If there is nothing to begin, a stopped candidate may be continued.

        Parameters
        ----------
        propose : callable
            Takes the number of a new candidate and all rows, and returns its values;
            None if there are none left.
        is_enough : callable
            Takes all rows, and returns whether the search needs no further candidate.
        choose : callable, optional
            Takes all rows, and returns a stopped candidate to continue, or None.

        Returns
        -------
        candidate : RunningCandidate or None
            None if there is nothing to do.
        """
        while True:
            rows = self.rows()
            left = next((row for row in rows if self._is_abandoned(row)), None)
            number, values = self._next_number(), None
            if left is None and not is_enough(rows):
                left = next((row for row in rows if self._may_try_again(row)), None)
                values = propose(number, rows) if left is None else None
            if left is None and values is None:
                left = choose(rows)
            if left is not None:
                candidate = self._resume_row(left)
            elif values is not None:
                candidate = self._begin(RunningCandidate(number, values), {})
            else:
                return None
            if candidate is not None:
                return candidate

    def _next_number(self) -> int:
        return self.all_known_rows[-1].candidate + 1 if self.all_known_rows else 0

    def _is_abandoned(self, row: Row) -> bool:
        return row.state == TrialState.WAITING or (
            row.state == TrialState.RUNNING and not self._is_alive(row.trial)
        )

    def _may_try_again(self, row: Row) -> bool:
        """Return whether a candidate failed only in other calls, and not by crashes."""
        failed = row.state == TrialState.FAIL and row.results.outcome != Outcome.CRASHED
        return failed and self.call not in row.failed_in

    def _is_alive(self, trial: FrozenTrial) -> bool:
        attrs = trial.user_attrs
        return self.owner.is_alive(attrs["owner"], attrs.get("beat"), trial._trial_id)

    def _resume_row(self, row: Row) -> RunningCandidate | None:
        """Resume a candidate; None if there is nothing to do, or another worker was faster."""
        trial, (here, calls) = row.trial, count_crashes(row, self.call)
        if row.state == TrialState.RUNNING:
            if row.results.outcome is None and is_at_fault(here):
                self._give_up(row, len(here))
                return None
            self._close_trial(trial)
            if row.results.outcome is not None:
                return None
            warn_of_crashes(row, calls)
        candidate = RunningCandidate(row.candidate, row.values, results=row.results.resumed())
        attrs = {"after": trial.number, "results": candidate.results.to_json()}
        attrs |= {"n_before": len(candidate.results.folds), "deaths": [here, calls]}
        return self._begin(candidate, attrs)

    def _give_up(self, row: Row, deaths: int) -> None:
        candidate = RunningCandidate(
            row.candidate, row.values, row.trial._trial_id, state_of(row.trial)
        )
        reason = f"ended its process {deaths} times, perhaps for lack of memory"
        candidate.results.end(Outcome.CRASHED, reason=reason)
        with contextlib.suppress(LostCandidate):
            self.finish(candidate)

    def _close_trial(self, trial: FrozenTrial) -> None:
        """Set the state of a trial without an owner, unless another worker has done so."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._set_state(trial._trial_id, state_of(trial))

    def _begin(
        self, candidate: RunningCandidate, attrs: Mapping[str, Any]
    ) -> RunningCandidate | None:
        """Create a trial; None if another worker created one for this candidate first."""
        key = uuid.uuid4().hex
        attrs = {"candidate": candidate.number, "owner": self.owner.token, "attempt": key, **attrs}
        template = self._template(candidate, attrs)
        candidate.trial_id = self.storage.create_new_trial(self.study._study_id, template)
        if not self.is_shared:
            self._read()
            return candidate
        attempts = self._read()[candidate.number]
        latest = latest_attempt(attempts)
        for trial in attempts:
            if trial.user_attrs.get("attempt") == key and trial is not latest:
                self._close_trial(trial)
        candidate.trial_id = latest._trial_id
        return candidate if latest.user_attrs.get("attempt") == key else None

    def _template(self, candidate: RunningCandidate, attrs: Mapping[str, Any]) -> FrozenTrial:
        """Return a new trial, with names that the study accepts."""
        values, distributions = candidate.values, self.space.distributions(candidate.values)
        names = compatible_names(distributions, [row.trial for row in self.all_known_rows])
        return running_trial(
            {names[name]: value for name, value in values.items()},
            {names[name]: distribution for name, distribution in distributions.items()},
            {**attrs, SETTINGS: self._settings_reader.record(values)},
        )

    def save(self, candidate: RunningCandidate) -> None:
        """Save the results of a candidate so far.

        Raises
        ------
        LostCandidate
            If another worker took it over.
        """
        try:
            self.storage.set_trial_user_attr(
                candidate.trial_id, "results", candidate.results.to_json()
            )
        except UpdateFinishedTrialError as error:
            raise LostCandidate from error

    def report(self, candidate: RunningCandidate, step: int, value: float) -> None:
        """Add a score to the learning curve that Optuna's dashboard shows.

        Raises
        ------
        LostCandidate
            If another worker took over the candidate.
        """
        try:
            self.storage.set_trial_intermediate_value(candidate.trial_id, step, value)
        except UpdateFinishedTrialError as error:
            raise LostCandidate from error

    def finish(self, candidate: RunningCandidate) -> None:
        """Save the outcome of a candidate.

        Raises
        ------
        LostCandidate
            If another worker took it over.
        StorageError
            If it cannot be saved; :meth:`rows` includes it once ``is_lost`` is set.
        """
        try:
            self._end(candidate)
        except StorageError:
            self._keep_in_memory(candidate)
            raise

    def release(self, candidate: RunningCandidate) -> None:
        """Leave a candidate to the next worker, unless another one already has it."""
        candidate.results.outcome = candidate.results.value = None
        with contextlib.suppress(LostCandidate):
            self._end(candidate)

    def _end(self, candidate: RunningCandidate) -> None:
        self.save(candidate)
        try:
            self._set_state(candidate.trial_id, candidate.results)
        except UpdateFinishedTrialError as error:
            # The state may have been set by a call that failed and was retried.
            if self.storage.get_trial(candidate.trial_id).state != candidate.results.trial_state:
                raise LostCandidate from error

    def _set_state(self, trial_id: int, results: CandidateState) -> None:
        """Set the final state of a trial."""
        values = None if results.value is None else [results.value]
        self.storage.set_trial_state_values(trial_id, results.trial_state, values)

    def _keep_in_memory(self, candidate: RunningCandidate) -> None:
        """Keep a candidate in memory if it cannot be stored."""
        attrs = {"candidate": candidate.number, "owner": self.owner.token}
        attrs["results"] = candidate.results.to_json()
        trial = self._template(candidate, attrs)
        trial.state, trial.value = candidate.results.trial_state, candidate.results.value
        others = [row for row in self.all_known_rows if row.candidate != candidate.number]
        failed = frozenset({self.call} if trial.state == TrialState.FAIL else ())
        settings = self._settings_reader.read(trial, {})
        rows = [*others, Row(candidate.number, trial, failed, settings)]
        self.all_known_rows = sorted(rows, key=lambda row: row.candidate)

    def release_all(self) -> None:
        """Release all candidates of this owner, and end invalid trials of dead owners.

        An interrupt may come at any moment, even before a worker knows its trial.
        """
        for attempts in self._attempts().values():
            latest = latest_attempt(attempts)
            for trial in attempts:
                if trial.state != TrialState.RUNNING:
                    continue
                mine = trial.user_attrs["owner"]["search"] == self.owner.token["search"]
                if mine or (trial is not latest and not self._is_alive(trial)):
                    self._close_trial(trial)

    def heartbeat(self, candidate: RunningCandidate) -> Heartbeat:
        """Return a context that writes heartbeats while a candidate is being evaluated."""

        def beat(count: int) -> None:
            with self.without_retries():
                self.storage.set_trial_user_attr(candidate.trial_id, "beat", count)

        return Heartbeat(beat)


def create_study(storage: BaseStorage, study_name: str) -> optuna.Study:
    """Load a study, or create it; several processes may do so at once."""
    with contextlib.suppress(KeyError):  # the storage of a finished search may be read-only
        return optuna.load_study(storage=storage, study_name=study_name)
    return optuna.create_study(
        storage=storage, study_name=study_name, direction="maximize", load_if_exists=True
    )
