from __future__ import annotations

from typing import Any

import pytest
from optuna.pruners import HyperbandPruner, MedianPruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial
from sklearn.svm import SVC

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.attempts import Row
from sklearnloss.tuning._search.cached_study import CachedStudy, as_study, as_trial, stoppable
from sklearnloss.tuning._search.candidate import CandidateState
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


def states(cache: CachedStudy) -> list[tuple[str, float]]:
    """Return state and parameter of all trials."""
    return [(trial.state.name, trial.params["C"]) for trial in cache.study.trials]


def test_candidates_of_others_are_copied_while_they_run_and_when_they_end() -> None:
    cache = CachedStudy("study", SPACE)
    cache.update([row(0, None, rungs={"completed_rung_0": 0.5})])
    assert states(cache) == [("RUNNING", 1.0)]
    assert cache.rungs(0) == {"completed_rung_0": 0.5}
    for _ in range(2):  # the second time there is nothing new
        cache.update([row(0, "complete", value=0.5, reports=[[1, 0.5]])])
        (trial,) = cache.study.trials
        assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
        assert trial.intermediate_values == {1: 0.5}


def test_a_number_that_another_worker_was_first_with_is_given_up() -> None:
    cache = CachedStudy("study", SPACE)
    cache.open(0, {"C": 7.0})
    cache.update([row(0, None, 2.0)])
    assert states(cache) == [("RUNNING", 2.0)]


def test_workers_give_candidates_the_same_numbers() -> None:
    rows = [row(k, None, 1.0 + k) for k in range(3)]
    for mine in range(3):
        cache = CachedStudy("study", SPACE)
        cache.update(rows)
        cache.open(mine, {"C": 1.0 + mine})
        assert cache.trial(mine).number == mine
        cache.report(mine, 1, 0.5)
        cache.update(rows)
        assert [trial.params["C"] for trial in cache.study.trials] == [1.0, 2.0, 3.0]
        assert cache.trial(mine).intermediate_values == {1: 0.5}


@pytest.mark.parametrize("values", [{"C": 7.0}, {"C": 2.0}])
def test_a_candidate_that_is_opened_anew_has_no_reports(values: dict[str, float]) -> None:
    cache = CachedStudy("study", SPACE)
    cache.open(0, {"C": 7.0})
    cache.report(0, 2, 0.5)
    cache.open(0, values)
    cache.report(0, 1, 0.25)
    assert states(cache) == [("RUNNING", values["C"])]
    assert cache.trial(0).intermediate_values == {1: 0.25}


def test_a_candidate_that_failed_is_updated_when_it_is_tried_again() -> None:
    cache = CachedStudy("study", SPACE)
    cache.update([ROWS[3]])
    assert states(cache) == [("FAIL", 4.0)]
    again = row(3, "complete", 4.0, value=0.5)
    again.trial._trial_id = ROWS[3].trial._trial_id + 1
    for _ in range(2):
        cache.update([again])
        assert states(cache) == [("COMPLETE", 4.0)]


def test_a_sampler_hears_of_what_it_proposed_and_its_stop_is_ignored() -> None:
    heard: list[Any] = []

    class Stopping(RandomSampler):
        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            heard.append((trial.number, state, values))
            study.stop()

    cache = CachedStudy("study", SPACE)
    cache.study.sampler = Stopping(seed=0)
    cache.update(ROWS[:1])
    cache.ask(1, {"C": 2.0}).suggest_float("C", 0.1, 10.0)
    cache.update([*ROWS[:1], row(1, "complete", 2.0, value=0.25)])
    assert heard == [(1, TrialState.COMPLETE, [0.25])]
    assert states(cache) == [("COMPLETE", 1.0), ("COMPLETE", 2.0)]


def test_what_a_candidate_reports_is_compared_with_those_before() -> None:
    cache = CachedStudy("study", SPACE, MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    cache.update(ROWS[:1])
    for candidate, value, stop in ((1, 0.3, True), (2, 0.45, False)):
        cache.open(candidate, {"C": 5.0})
        cache.report(candidate, 1, value)
        assert cache.should_prune(candidate) is stop


def test_a_sampler_sees_the_trials_of_all_brackets() -> None:
    seen: list[int] = []

    class Counting(RandomSampler):
        def before_trial(self, study: Any, trial: Any) -> None:
            seen.append(len(study.get_trials(deepcopy=False)))

    cache = CachedStudy("study", SPACE, HyperbandPruner(max_resource=27))
    cache.study.sampler = Counting()
    cache.update(ROWS)
    cache.open(4, {"C": 5.0})
    cache.report(4, 1, 0.5)
    cache.should_prune(4)  # decides on the brackets
    for candidate in (5, 6, 7):
        cache.ask(candidate)
    assert seen == [6, 7, 8]


def test_a_study_may_be_stopped_only_where_that_is_heard() -> None:
    study = CachedStudy("study", SPACE).study
    with pytest.raises(RuntimeError, match="supposed to be invoked inside"):
        study.stop()
    with stoppable(study):
        study.stop()
    assert study._stop_flag
    with pytest.raises(RuntimeError, match="supposed to be invoked inside"):
        study.stop()
