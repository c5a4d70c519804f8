from __future__ import annotations

from typing import Any

import pytest
from optuna.pruners import MedianPruner
from optuna.trial import TrialState, create_trial
from sklearn.svm import SVC

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.shadow_study import Mirror, as_study, as_trial, stoppable
from sklearnloss.tuning._search.store import Row
from sklearnloss.tuning._space.parse import read_space

SPACE = read_space(SVC(), None, {"C": (0.1, 10.0)})


def row(candidate: int, outcome: str | None, c: float = 1.0, **results: Any) -> Row:
    """Return a candidate, one that is running without an outcome."""
    kept = CandidateState(outcome=None if outcome is None else Outcome(outcome), **results)
    trial = create_trial(
        state=TrialState.RUNNING if outcome is None else kept.trial_state,
        value=kept.value,
        params={"C": c},
        distributions=SPACE.distributions({"C": c}),
        user_attrs={"candidate": candidate, "results": kept.to_json()},
    )
    return Row(candidate, trial)


ROWS = [
    row(0, "complete", 1.0, value=0.5, reports=[[1, 0.4], [2, 0.5]]),
    row(1, "pruned", 2.0, reports=[[1, 0.3]], reason="stopped after fold 1"),
    row(2, "diverged", 3.0, reason="diverged in fold 1: nan"),
    row(3, "invalid", 4.0, reason="ValueError in fold 1: a bug"),
]


def test_trials_have_state_value_reports_and_reason() -> None:
    complete, pruned, diverged, failed = (as_trial(r, SPACE) for r in ROWS)
    assert (complete.value, complete.intermediate_values) == (0.5, {1: 0.4, 2: 0.5})
    assert (pruned.state, pruned.value) == (TrialState.PRUNED, 0.3)
    assert (diverged.state, diverged.value) == (TrialState.PRUNED, None)
    assert list(diverged.constraints.values()) == [1.0]
    assert not pruned.constraints
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs == {
        "candidate": 3,
        "label": "",
        "reason": "ValueError in fold 1: a bug",
    }


def test_a_study_holds_all_finished_candidates() -> None:
    study = as_study([*ROWS, row(4, None)], SPACE, "mine")
    assert study.study_name == "mine"
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]
    assert study.best_trial.params == {"C": 1.0}


@pytest.mark.parametrize("running", [True, False])
def test_candidates_of_others_are_followed_until_they_end(running: bool) -> None:
    mirror = Mirror("study", SPACE)
    mirror.update([row(0, None)], running=running)
    assert len(mirror.study.trials) == running
    for _ in range(2):  # the second time there is nothing new
        mirror.update([row(0, "complete", value=0.5, reports=[[1, 0.5]])], running=running)
        (trial,) = mirror.study.trials
        assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
        assert trial.intermediate_values == {1: 0.5}


def test_a_number_that_another_worker_was_first_with_is_given_up() -> None:
    mirror = Mirror("study", SPACE)
    mirror.open(0, {"C": 7.0})
    mirror.update([row(0, None, 2.0)], running=True)
    states = [(trial.state.name, trial.params["C"]) for trial in mirror.study.trials]
    assert states == [("FAIL", 7.0), ("RUNNING", 2.0)]


def test_workers_give_candidates_the_same_numbers() -> None:
    rows = [row(k, None, 1.0 + k) for k in range(3)]
    for mine in range(3):
        mirror = Mirror("study", SPACE)
        mirror.update(rows, running=True)
        trial = mirror.open(mine, {"C": 1.0 + mine})
        assert trial.number == mine
        trial.report(0.5, 1)
        mirror.update(rows, running=True)
        assert [trial.params["C"] for trial in mirror.study.trials] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("values", [{"C": 7.0}, {"C": 2.0}])
def test_a_candidate_that_is_opened_anew_has_no_reports(values: dict[str, float]) -> None:
    mirror = Mirror("study", SPACE)
    mirror.open(0, {"C": 7.0}).report(0.5, 1)
    mirror.open(0, values).report(0.25, 1)
    trials = mirror.study.trials
    assert [trial.state.name for trial in trials] == ["FAIL", "RUNNING"]
    assert (trials[1].params, trials[1].intermediate_values) == (values, {1: 0.25})


def test_a_candidate_that_failed_is_followed_when_it_is_tried_again() -> None:
    mirror = Mirror("study", SPACE)
    mirror.update([ROWS[3]])
    again = row(3, "complete", 4.0, value=0.5)
    again.trial._trial_id = ROWS[3].trial._trial_id + 1
    for _ in range(2):
        mirror.update([again])
        assert [trial.state.name for trial in mirror.study.trials] == ["FAIL", "COMPLETE"]


def test_what_a_candidate_reports_is_compared_with_those_before() -> None:
    mirror = Mirror("study", SPACE, pruner=MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    mirror.update(ROWS[:1])
    trial = mirror.open(1, {"C": 5.0})
    trial.report(0.3, 1)
    assert trial.should_prune()
    trial = mirror.open(2, {"C": 6.0})
    trial.report(0.45, 1)
    assert not trial.should_prune()


def test_a_study_may_be_stopped_only_where_that_is_heard() -> None:
    study = Mirror("study", SPACE).study
    with pytest.raises(RuntimeError, match="supposed to be invoked inside"):
        study.stop()
    with stoppable(study):
        study.stop()
    assert study._stop_flag
    with pytest.raises(RuntimeError, match="supposed to be invoked inside"):
        study.stop()
