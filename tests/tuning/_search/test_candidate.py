from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.candidate import CandidateState, find_invalid_attribute

from ..processes import X, make_search, store_of, y

FOLD = {"scores": 0.5, "fit_time": 1.0, "score_time": 1.0}
RIGHT: dict[str, Any] = {
    "candidate": 0,
    "owner": {"host": "h", "search": "s", "call": "c"},
    "results": {"folds": [FOLD], "reports": [[1, 0.5]], "epochs": 3, "outcome": "pruned"},
    "deaths": [[0], 1],
    "n_before": 0,
    "beat": 7,
}


def test_attributes_of_a_search_are_valid(tmp_path: Path) -> None:
    assert find_invalid_attribute(RIGHT) is None
    assert find_invalid_attribute({name: RIGHT[name] for name in ("candidate", "owner")}) is None
    make_search(sound=True, n_trials=2, storage=tmp_path / "s.journal").fit(X, y)
    for trial in store_of(tmp_path / "s.journal").study.trials:
        assert find_invalid_attribute(trial.user_attrs) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("candidate", "0"),
        ("candidate", None),
        ("owner", "me"),
        ("owner", {"host": "h", "search": 3, "call": "c"}),
        ("results", [1]),
        ("results", {"folds": [], "epochs": 3}),
        ("results", {**RIGHT["results"], "folds": ["f"]}),
        ("results", {**RIGHT["results"], "folds": [{"scores": 1.0}]}),
        ("results", {**RIGHT["results"], "reports": [1.0]}),
        ("results", {**RIGHT["results"], "outcome": 3}),
        ("results", {**RIGHT["results"], "outcome": "best"}),
        ("results", {**RIGHT["results"], "rungs": [1]}),
        ("results", {**RIGHT["results"], "outcome": ["BEST", 1.0]}),
        ("deaths", 3),
        ("deaths", [1, 2]),
        ("n_before", "x"),
        ("beat", {"a": 1}),
    ],
)
def test_an_invalid_attribute_is_named(name: str, value: Any) -> None:
    assert find_invalid_attribute({**RIGHT, name: value}) == name


STATE = CandidateState([FOLD], [[1, 0.25], [2, 0.5]], 5, {"completed_rung_0": 0.25})


@pytest.mark.parametrize("outcome", Outcome)
def test_a_state_is_read_as_it_was_written(outcome: Outcome) -> None:
    state = replace(STATE, outcome=outcome, value=0.5, reason="some", traceback="where")
    saved = json.loads(json.dumps(state.to_json()))
    assert find_invalid_attribute({**RIGHT, "results": saved}) is None
    assert CandidateState.from_json(saved) == state
    assert type(CandidateState.from_json(saved).outcome) is Outcome
    assert CandidateState.from_json(CandidateState().to_json()) == CandidateState()


@pytest.mark.parametrize(
    ("outcome", "more", "expected"),
    [
        (["COMPLETE", 0.5], {}, Outcome.COMPLETE),
        (["PRUNED", 0.5], {"reason": "stopped after fold 1"}, Outcome.PRUNED),
        (["PRUNED", 0.5], {"reason": "the score is nan", "diverged": True}, Outcome.DIVERGED),
        (["FAIL", None], {"reason": "ValueError in fold 1: a bug"}, Outcome.ERROR),
        (["FAIL", None], {"reason": "ended its process 3 times", "deaths": 3}, Outcome.CRASHED),
    ],
)
def test_a_storage_of_before_outcomes_had_names_is_read(
    outcome: list[Any], more: dict[str, Any], expected: Outcome
) -> None:
    saved = {"folds": [FOLD], "reports": [], "epochs": 3, "outcome": outcome, **more}
    assert find_invalid_attribute({**RIGHT, "results": saved}) is None
    state = CandidateState.from_json(saved)
    assert (state.outcome, state.value) == (expected, outcome[1])
    assert state.trial_state.name == outcome[0]
    assert state.folds == [FOLD]


def test_another_attempt_begins_with_what_is_finished() -> None:
    assert STATE.resumed() == STATE  # it was interrupted
    failed = replace(STATE, folds=[{**FOLD, "epochs": 3}], outcome=Outcome.ERROR, reason="some")
    assert failed.resumed() == replace(STATE, folds=failed.folds, epochs=3)
