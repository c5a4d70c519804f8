"""A search's candidates as an Optuna study in memory, for samplers, pruners and users."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from .._space.search_space import Space, Values
from .store import Row, running_trial

_DIVERGED = "constraints:diverged"


def as_trial(row: Row, space: Space) -> FrozenTrial:
    """Return a finished candidate as a trial of its own."""
    results, state = row.results, row.state
    intermediate = {int(step): float(value) for step, value in results.reports}
    value = row.trial.value if state == TrialState.COMPLETE else None
    if state == TrialState.PRUNED and intermediate:
        value = intermediate[max(intermediate)]  # as Optuna itself does
    system: dict[str, Any] = dict(results.rungs)
    if results.is_infeasible:
        system[_DIVERGED] = 1.0
    attrs = {"candidate": row.candidate, "label": space.loss(row.values)}
    if results.reason:
        attrs["reason"] = results.reason
    trial = create_trial(
        state=state,
        value=value,
        params=dict(row.values),
        distributions=space.distributions(row.values),
        user_attrs=attrs,
        system_attrs=system,
        intermediate_values=intermediate,
    )
    trial.datetime_start = row.trial.datetime_start
    # A storage that was lost did not note down the end of a candidate.
    trial.datetime_complete = row.trial.datetime_complete or trial.datetime_complete
    return trial


@contextlib.contextmanager
def stoppable(study: optuna.Study) -> Iterator[None]:
    """Allow ``study.stop()``, as while Optuna itself runs a study."""
    study._thread_local.in_optimize_loop = True
    try:
        yield
    finally:
        study._thread_local.in_optimize_loop = False


class Mirror:
    """A study in memory that follows the candidates of a record.

    Parameters
    ----------
    study_name : str
        As in the record: Hyperband draws by it.
    space : Space
        What values mean.
    sampler : optuna.samplers.BaseSampler, default=None
        None samples at random.
    pruner : optuna.pruners.BasePruner, default=None
        None stops nothing.
    """

    def __init__(
        self,
        study_name: str,
        space: Space,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | None = None,
    ) -> None:
        self.space = space
        self.study = optuna.create_study(
            study_name=study_name,
            direction="maximize",
            sampler=RandomSampler() if sampler is None else sampler,
            pruner=NopPruner() if pruner is None else pruner,
        )
        self._open: dict[int, FrozenTrial] = {}  # by candidate
        self._done: dict[int, int] = {}  # the trial of the record by candidate

    def update(self, rows: Sequence[Row], *, running: bool = False) -> None:
        """Take over what became of candidates since the last time.

        Parameters
        ----------
        rows : list of Row
            All candidates.
        running : bool, default=False
            Whether those that others work on are taken over too.
        """
        for row in rows:
            if self._done.get(row.candidate) == row.trial._trial_id:
                continue  # else it failed, and is tried again
            opened = self._open.get(row.candidate)
            if opened is not None and opened.params != row.values:
                self._discard(row.candidate)  # another worker was first with this number
            if row.is_finished:
                self._close(row)
            elif running:
                if row.candidate not in self._open:
                    self.open(row.candidate, row.values)
                self._follow(row)

    def open(self, candidate: int, values: Values) -> Trial:
        """Begin a candidate, or resume one that was followed without any report so far.

        Returns
        -------
        trial : optuna.trial.Trial
            To report to.
        """
        opened = self._open.get(candidate)
        if opened is not None:
            known = self.study._storage.get_trial(opened._trial_id)
            if known.params == values and not known.intermediate_values:
                return Trial(self.study, opened._trial_id)
            self._discard(candidate)
        template = running_trial(values, self.space.distributions(values), {})
        trial_id = self.study._storage.create_new_trial(self.study._study_id, template)
        trial = Trial(self.study, trial_id)
        self.adopt(candidate, trial)
        return trial

    def adopt(self, candidate: int, trial: Trial) -> None:
        """Follow a trial of this study as a candidate."""
        self._open[candidate] = self.study._storage.get_trial(trial._trial_id)

    def _follow(self, row: Row) -> None:
        """Take over what a pruner noted down on a candidate that is being worked on."""
        trial_id = self._open[row.candidate]._trial_id
        known = self.study._storage.get_trial_system_attrs(trial_id)
        for key, value in row.results.rungs.items():
            if key not in known:
                self.study._storage.set_trial_system_attr(trial_id, key, value)

    def _discard(self, candidate: int) -> None:
        self.tell(self._open.pop(candidate).number, None, TrialState.FAIL)

    def tell(self, number: int, value: float | None, state: TrialState) -> None:
        """End a trial; a sampler that calls ``study.stop()`` here is ignored."""
        with stoppable(self.study):
            self.study.tell(number, value, state)

    def _close(self, row: Row) -> None:
        self._done[row.candidate] = row.trial._trial_id
        finished = as_trial(row, self.space)
        opened = self._open.pop(row.candidate, None)
        if opened is None:
            self.study.add_trial(finished)
            return
        storage, trial_id = self.study._storage, opened._trial_id
        known = storage.get_trial(trial_id)
        for step, value in finished.intermediate_values.items():
            if step not in known.intermediate_values:
                storage.set_trial_intermediate_value(trial_id, step, value)
        for key, attr in finished.system_attrs.items():
            storage.set_trial_system_attr(trial_id, key, attr)
        for key, attr in finished.user_attrs.items():
            storage.set_trial_user_attr(trial_id, key, attr)
        complete = row.state == TrialState.COMPLETE
        self.tell(known.number, finished.value if complete else None, row.state)

    def rungs(self, trial: Trial) -> dict[str, Any]:
        """Return what a pruner noted down for itself on a trial."""
        attrs = self.study._storage.get_trial_system_attrs(trial._trial_id)
        return {key: value for key, value in attrs.items() if key.startswith("completed_rung_")}


def as_study(rows: Sequence[Row], space: Space, study_name: str) -> optuna.Study:
    """Return the finished candidates as a study without a storage of its own."""
    mirror = Mirror(study_name, space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        mirror.update(rows)
    return mirror.study
