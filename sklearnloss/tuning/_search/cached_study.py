"""A search's candidates as an Optuna study in memory, for samplers, pruners and users."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from .._space.search_space import Space, Values
from .attempts import Row, running_trial

_DIVERGED = "constraints:diverged"
_STOPPED = "constraints:stopped"


def as_trial(row: Row, space: Space, goals: Sequence[str] = ()) -> FrozenTrial:
    """Return a finished candidate as a separate trial.

    Parameters
    ----------
    row : Row
        The candidate.
    space : Space
        The space that its values come from.
    goals : sequence of str, default=()
        The metrics, if several are optimized together: then they are the values of the
        trial if it is complete.
    """
    results, state = row.results, row.state
    intermediate = {int(step): float(value) for step, value in results.reports}
    value = row.trial.value if state == TrialState.COMPLETE else None
    if state == TrialState.PRUNED and intermediate:
        value = intermediate[max(intermediate)]  # as Optuna itself does
    values = None if value is None else [value]
    system: dict[str, Any] = dict(results.rungs)
    if goals:
        values = results.means(goals) if state == TrialState.COMPLETE else None
        if state == TrialState.PRUNED:  # Optuna's samplers compare these by a single value
            system[_STOPPED] = 1.0
    if results.is_infeasible:
        system[_DIVERGED] = 1.0
    attrs = {"candidate": row.candidate, "label": space.loss(row.values)}
    if results.reason:
        attrs["reason"] = results.reason
    trial = create_trial(
        state=state,
        values=values,
        params=dict(row.values),
        distributions=space.distributions(row.values),
        user_attrs=attrs,
        system_attrs=system,
        intermediate_values=intermediate,
    )
    trial.datetime_start = row.trial.datetime_start
    # A storage that was lost did not record the end of a candidate.
    trial.datetime_complete = row.trial.datetime_complete or trial.datetime_complete
    return trial


def as_study(
    rows: Sequence[Row], space: Space, study_name: str, goals: Sequence[str] = ()
) -> optuna.Study:
    """Return the finished candidates as a study in memory, with several goals if there are."""
    study = _new_study(study_name, goals)
    add_trials(study, rows, space, goals)
    return study


def _new_study(study_name: str, goals: Sequence[str], **options: Any) -> optuna.Study:
    directions = [StudyDirection.MAXIMIZE] * max(1, len(goals))
    study = optuna.create_study(study_name=study_name, directions=directions, **options)
    if goals:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(goals))
    return study


def add_trials(
    study: optuna.Study, rows: Sequence[Row], space: Space, goals: Sequence[str] = ()
) -> None:
    """Add the finished candidates to a study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.add_trials([as_trial(row, space, goals) for row in rows if row.is_finished])


@contextlib.contextmanager
def stoppable(study: optuna.Study) -> Iterator[None]:
    """Allow ``study.stop()``, as while Optuna itself runs a study."""
    study._thread_local.in_optimize_loop = True
    try:
        yield
    finally:
        study._thread_local.in_optimize_loop = False


class CachedStudy:
    """All candidates of a store as a study in memory, from which sampler and pruner learn.

    Each candidate has one trial, even if it is proposed, resumed or tried several times.
    The trial has the number of the candidate, from which Hyperband computes the bracket,
    so all workers agree.

    Parameters
    ----------
    study_name : str
        As in the store, since Hyperband uses it to compute the bracket.
    space : Space
        The space that values come from.
    pruner : optuna.pruners.BasePruner, default=None
        None stops nothing.
    goals : sequence of str, default=()
        The metrics, if several are optimized together. Optuna has no pruners for these.
    """

    def __init__(
        self,
        study_name: str,
        space: Space,
        pruner: BasePruner | None = None,
        goals: Sequence[str] = (),
    ) -> None:
        self.space = space
        self.goals = goals
        self.pruner = NopPruner() if pruner is None else pruner
        # The pruner is not set on the study: with Hyperband, Optuna would show samplers
        # only the trials of one bracket.
        self.study = _new_study(study_name, goals, sampler=RandomSampler(), pruner=NopPruner())
        self._storage: Any = self.study._storage
        self._trial_ids: dict[int, int] = {}  # by candidate
        self._finished: dict[int, int] = {}  # the trial of the store by candidate

    def update(self, rows: Sequence[Row]) -> None:
        """Copy the progress of all candidates since the last call."""
        for row in rows:
            if self._finished.get(row.candidate) == row.trial._trial_id:
                continue  # a different trial means that it failed and is tried again
            if row.is_finished:
                self._finish(row)
            else:
                self._start(row.candidate, row.values)
                self._copy_attrs(row.candidate, row.results.rungs)

    def ask(self, candidate: int, fixed: Values | None = None) -> Trial:
        """Begin the trial of a candidate whose other values the sampler chooses.

        Parameters
        ----------
        candidate : int
            Its number. An earlier proposal for it is discarded.
        fixed : dict, default=None
            The values that are fixed.
        """
        attrs = {"fixed_params": fixed} if fixed else {}
        self._replace(candidate, create_trial(state=TrialState.RUNNING, system_attrs=attrs))
        self.study._thread_local.cached_all_trials = None  # as ``Study.ask`` does
        return Trial(self.study, self._trial_ids[candidate])

    def open(self, candidate: int, values: Values) -> None:
        """Begin the trial of a candidate that will report its scores."""
        self._start(candidate, values)
        if self.trial(candidate).intermediate_values:  # from an interrupted attempt
            self._replace(candidate, self._running(values))

    def trial(self, candidate: int) -> FrozenTrial:
        """Return the trial of a candidate."""
        trial: FrozenTrial = self._storage.get_trial(self._trial_ids[candidate])
        return trial

    def report(self, candidate: int, step: int, value: float) -> None:
        """Add a score to the trial of a candidate."""
        self._storage.set_trial_intermediate_value(self._trial_ids[candidate], step, value)

    def should_prune(self, candidate: int) -> bool:
        """Return whether the pruner stops a candidate."""
        return bool(self.pruner.prune(self.study, self.trial(candidate)))

    def rungs(self, candidate: int) -> dict[str, Any]:
        """Return the rungs that a pruner recorded in the trial of a candidate."""
        attrs = self.trial(candidate).system_attrs
        return {key: value for key, value in attrs.items() if key.startswith("completed_rung_")}

    def set_rungs(self, candidate: int, rungs: Mapping[str, Any]) -> None:
        """Set the rungs that a pruner recorded in an earlier attempt at a candidate."""
        for key, value in rungs.items():
            self._storage.set_trial_system_attr(self._trial_ids[candidate], key, value)

    def _start(self, candidate: int, values: Values) -> None:
        """Begin a trial, unless the candidate already has one that runs with these values."""
        known = self.trial(candidate) if candidate in self._trial_ids else None
        # Another worker may have used this number first.
        if known is None or known.params != values or known.state != TrialState.RUNNING:
            self._replace(candidate, self._running(values))

    def _running(self, values: Values) -> FrozenTrial:
        return running_trial(values, self.space.distributions(values))

    def _replace(self, candidate: int, trial: FrozenTrial) -> None:
        """Set the trial of a candidate, and keep the number of its previous trial."""
        trial_id = self._trial_ids.get(candidate)
        if trial_id is None:
            trial_id = self._storage.create_new_trial(self.study._study_id, trial)
            self._trial_ids[candidate] = trial_id
        else:
            trial.number, trial._trial_id = self.trial(candidate).number, trial_id
            self._storage._set_trial(trial_id, trial)

    def _copy_attrs(self, candidate: int, rungs: Mapping[str, Any]) -> None:
        known = self.trial(candidate).system_attrs
        self.set_rungs(candidate, {k: v for k, v in rungs.items() if k not in known})

    def _finish(self, row: Row) -> None:
        self._finished[row.candidate] = row.trial._trial_id
        finished = as_trial(row, self.space, self.goals)
        if row.candidate not in self._trial_ids:
            self._replace(row.candidate, finished)
            return
        self._start(row.candidate, row.values)
        known, trial_id = self.trial(row.candidate), self._trial_ids[row.candidate]
        for step, value in finished.intermediate_values.items():
            if step not in known.intermediate_values:
                self.report(row.candidate, step, value)
        for key, attr in finished.system_attrs.items():
            self._storage.set_trial_system_attr(trial_id, key, attr)
        for key, attr in finished.user_attrs.items():
            self._storage.set_trial_user_attr(trial_id, key, attr)
        means = finished.values if row.state == TrialState.COMPLETE else None
        with stoppable(self.study):  # a sampler that calls ``study.stop()`` is ignored
            self.study.tell(known.number, means, row.state)
