from __future__ import annotations

import pytest
from optuna.trial import TrialState, create_trial

from sklearnloss.tuning._search.attempts import Row
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.crashes import Deaths, count_crashes, is_at_fault, warn_of_crashes


def row(
    state: str = "RUNNING",
    *,
    call: str = "mine",
    beat: int | None = None,
    deaths: Deaths | None = None,
    n_before: int = 0,
    n_folds: int = 0,
) -> Row:
    """Return a candidate as its last attempt left it."""
    results = CandidateState([{"scores": 1.0}] * n_folds).to_json()
    attrs = {"owner": {"call": call}, "n_before": n_before, "results": results}
    attrs |= {} if beat is None else {"beat": beat}
    attrs |= {} if deaths is None else {"deaths": [list(deaths[0]), deaths[1]]}
    return Row(4, create_trial(state=TrialState[state], user_attrs=attrs))


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (row(), ([0], 0)),
        (row(beat=7, deaths=([3], 0)), ([3, 7], 0)),
        (row("FAIL", deaths=([3], 2)), ([3], 2)),  # it was let go
        (row(n_folds=1, deaths=([3, 3], 2)), ([0], 0)),  # it was the next fold
        (row(n_folds=1, n_before=1, deaths=([3], 2)), ([3, 0], 2)),
        (row(call="other"), ([], 1)),
        (row(call="other", deaths=([3], 2)), ([], 3)),
        (row("FAIL", call="other", deaths=([3], 2)), ([], 2)),
    ],
)
def test_crashes_count_within_one_call_and_one_fold(left: Row, expected: Deaths) -> None:
    assert count_crashes(left, "mine") == expected


@pytest.mark.parametrize(
    ("beats", "deadly"),
    [
        ([], False),
        ([0, 0], False),
        ([0, 0, 0], True),
        ([0, 1, 0], True),
        ([40, 3, 40, 17, 41], True),
        ([1, 2, 3], False),
        ([3, 80, 41, 17, 60, 28], False),
    ],
)
def test_three_crashes_at_the_same_point_are_the_candidates_fault(
    beats: list[int], deadly: bool
) -> None:
    assert is_at_fault(beats) == deadly


def test_many_calls_that_ended_in_one_candidate_give_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    warn_of_crashes(row(), 2)
    assert not recwarn
    with pytest.warns(RuntimeWarning, match=r"Candidate 4 .* 3 times so far.*pass n_jobs=2"):
        warn_of_crashes(row(), 3)
