from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.attempts import Row, RunningCandidate
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.store import CandidateStore, LostCandidate, create_study
from sklearnloss.tuning._workers.liveness import Owner
from sklearnloss.tuning._workers.pool import MAX_DEATHS
from sklearnloss.tuning._workers.retries import StorageError
from sklearnloss.tuning._workers.storage import open_storage, opened_storage, quiet_optuna

from ..processes import store_of

FOLD = {"scores": 0.5, "fit_time": 1.0, "score_time": 1.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with storages that have an empty study."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("s.journal", "s.db"):
        with quiet_optuna(), opened_storage(folder / name) as storage:
            create_study(storage, "sklearnloss")
    return folder


@pytest.fixture(params=["s.journal", "s.db"])
def storage(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield the path of a storage of each kind, where they may differ."""
    with quiet_optuna():
        yield Path(shutil.copy(made / request.param, tmp_path))


@pytest.fixture
def journal(made: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield the path of a journal, for what is the same in any storage."""
    with quiet_optuna():
        yield Path(shutil.copy(made / "s.journal", tmp_path))


def _propose(number: int, rows: list[Row]) -> dict[str, Any]:
    return {"mode": "fine", "b": 0.5 / (1 + number)}


def _claim(store: CandidateStore, n_trials: int = 100) -> RunningCandidate | None:
    return store.claim(_propose, lambda rows: len(rows) >= n_trials)


def _finish(
    store: CandidateStore, candidate: RunningCandidate, outcome: Outcome, value: float | None = None
) -> None:
    candidate.results.end(outcome, value, "some reason")
    store.finish(candidate)


def _abandon(storage: Path, call: str | None = None, **results: Any) -> RunningCandidate:
    """Claim a candidate, and be gone."""
    with Owner(call) as owner:
        store = store_of(storage, owner=owner)
        candidate = _claim(store)
        assert candidate is not None
        if results:
            candidate.results = CandidateState(**results)
            store.save(candidate)
    return candidate


def test_a_claim_is_there_at_once_with_all_that_others_must_know(storage: Path) -> None:
    with Owner() as owner:
        candidate = _claim(store_of(storage, owner=owner))
        (row,) = store_of(storage).rows()
        assert candidate == RunningCandidate(0, {"mode": "fine", "b": 0.5}, row.trial._trial_id)
        assert row.state == TrialState.RUNNING
        assert row.values == candidate.values
        assert row.trial.user_attrs["owner"] == owner.token
        assert _claim(store_of(storage), n_trials=1) is None


def test_the_budget_ends_claims(journal: Path) -> None:
    with Owner() as owner:
        store = store_of(journal, owner=owner)
        claimed = [_claim(store, n_trials=3) for _ in range(5)]
        assert [candidate and candidate.number for candidate in claimed] == [0, 1, 2, None, None]
        assert store.claim(lambda number, rows: None, lambda rows: False) is None


def test_two_that_begin_the_same_candidate_get_different_ones(storage: Path) -> None:
    with Owner() as first, Owner() as second:
        one, two = store_of(storage, owner=first), store_of(storage, owner=second)
        claimed: list[RunningCandidate | None] = []

        def propose(number: int, rows: list[Row]) -> dict[str, Any]:
            if not claimed:  # the other one is faster
                claimed.append(_claim(one))
            return _propose(number, rows)

        claimed.append(two.claim(propose, lambda rows: False))
        assert [candidate and candidate.number for candidate in claimed] == [0, 1]
        assert [row.candidate for row in one.rows()] == [0, 1]
        assert [row.trial.user_attrs["owner"]["search"] for row in one.rows()] == [
            first.token["search"],
            second.token["search"],
        ]


def test_the_last_candidate_of_a_budget_is_begun_once(storage: Path) -> None:
    with Owner() as first, Owner() as second:
        one, two = store_of(storage, owner=first), store_of(storage, owner=second)
        claimed: list[RunningCandidate | None] = []

        def propose(number: int, rows: list[Row]) -> dict[str, Any]:
            claimed.append(_claim(one, n_trials=1))
            return _propose(number, rows)

        assert two.claim(propose, lambda rows: len(rows) >= 1) is None
        assert len(one.rows()) == 1


def test_an_abandoned_candidate_goes_on_with_its_folds(storage: Path) -> None:
    left = _abandon(storage, folds=[FOLD], reports=[[1, 0.5]], epochs=7, rungs={"rung": 0.5})
    candidate = _claim(store_of(storage))
    assert candidate is not None
    assert candidate.trial_id != left.trial_id
    assert (candidate.number, candidate.values) == (left.number, left.values)
    assert candidate.results == left.results


def test_two_that_take_over_the_same_candidate_do_it_once(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _abandon(storage, folds=[FOLD])
    with Owner() as first, Owner() as second:
        one, two = store_of(storage, owner=first), store_of(storage, owner=second)
        settle = two._close_trial
        claimed: list[RunningCandidate | None] = []

        def slow(trial: Any) -> None:  # the other one does it all in between
            if not claimed:
                claimed.append(_claim(one))
            settle(trial)

        monkeypatch.setattr(two, "_close_trial", slow)
        claimed.append(_claim(two))
        assert [candidate and candidate.number for candidate in claimed] == [0, 1]
        assert [len(row.results.folds) for row in one.rows()] == [1, 0]


def test_who_came_second_and_died_changes_nothing(storage: Path) -> None:
    # It had no time to take back its own trial with the same number.
    _abandon(storage, folds=[FOLD])
    with Owner() as owner:
        store = store_of(storage, owner=owner)
        trial_id = store.storage.create_new_trial(
            store.study._study_id,
            store.study.get_trials()[0],
        )
    candidate = _claim(store_of(storage))
    assert candidate is not None
    assert candidate.results.folds == [FOLD]
    assert trial_id not in (candidate.trial_id, store.rows()[0].trial._trial_id)
    store.release_all()
    running = [t for t in store.study.get_trials() if t.state == TrialState.RUNNING]
    assert [trial._trial_id for trial in running] == [candidate.trial_id]


def test_a_candidate_is_lost_to_who_took_it_over(storage: Path) -> None:
    with Owner() as owner:
        store = store_of(storage, owner=owner)
        candidate = _claim(store)
        assert candidate is not None
    other = _claim(store_of(storage))  # believes the first one dead
    assert other is not None
    for do in (
        lambda: store.save(candidate),
        lambda: store.report(candidate, 1, 0.5),
        lambda: _finish(store, candidate, Outcome.COMPLETE, 1.0),
    ):
        with pytest.raises(LostCandidate):
            do()
    store.release(candidate)
    assert store.rows()[0].trial._trial_id == other.trial_id


@pytest.mark.parametrize(
    ("outcome", "value"),
    [(Outcome.COMPLETE, 0.5), (Outcome.DIVERGED, None), (Outcome.ERROR, None)],
)
def test_an_outcome_counts_though_its_writer_was_killed_before_the_state_was_set(
    outcome: Outcome, value: float | None, journal: Path
) -> None:
    _abandon(journal, folds=[FOLD], reason="some", outcome=outcome, value=value)
    store = store_of(journal)
    assert _claim(store, n_trials=1) is None
    (row,) = store.rows()
    assert row.is_finished
    assert (row.state, row.trial.state, row.trial.value) == (outcome.state, outcome.state, value)


def test_a_released_candidate_waits_for_the_next_one(journal: Path) -> None:
    with Owner() as owner:
        store = store_of(journal, owner=owner)
        candidate = _claim(store)
        assert candidate is not None
        candidate.results.folds.append(FOLD)
        store.release(candidate)
        (row,) = store.rows()
        assert (row.state, row.trial.state) == (TrialState.WAITING, TrialState.FAIL)
        again = _claim(store)
        assert again is not None
        assert again.results == candidate.results


def test_whoever_leaves_lets_all_go(journal: Path) -> None:
    with Owner() as owner, Owner() as other:
        store = store_of(journal, owner=owner)
        for who in (store, store_of(journal, owner=other), store):
            _claim(who)
        store.release_all()
        states = [row.state for row in store.rows()]
    assert states == [TrialState.WAITING, TrialState.RUNNING, TrialState.WAITING]


def test_a_candidate_that_ends_its_processes_is_given_up_within_a_call(journal: Path) -> None:
    for _ in range(MAX_DEATHS):
        assert _abandon(journal, "this call", folds=[FOLD]).number == 0
    with Owner("this call") as owner:
        store = store_of(journal, owner=owner)
        candidate = _claim(store)
        assert candidate is not None
        assert candidate.number == 1
        row = store.rows()[0]
    assert row.state == TrialState.FAIL
    assert row.results.reason.startswith(f"ended its process {MAX_DEATHS} times")
    assert row.results.folds == [FOLD]
    other = _claim(store_of(journal))  # the process of another call would end, too
    assert other is not None
    assert other.number == 1


def test_a_candidate_is_resumed_as_often_as_it_is_killed_if_folds_get_finished(
    journal: Path,
) -> None:
    for n_folds in range(1, 4):
        for _ in range(MAX_DEATHS - 1):
            assert _abandon(journal, "this call", folds=[FOLD] * n_folds).number == 0
    assert len(store_of(journal).rows()) == 1


def test_a_candidate_whose_workers_crash_at_random_points_is_never_given_up(journal: Path) -> None:
    for beat in (3, 40, 17, 80, 28, 60):  # machines were taken away
        candidate = _abandon(journal, "this call", folds=[FOLD])
        assert candidate.number == 0
        store_of(journal).storage.set_trial_user_attr(candidate.trial_id, "beat", beat)
    assert _abandon(journal, "this call").number == 0


@pytest.mark.filterwarnings("ignore:Candidate 0 .* was being trained")
def test_a_candidate_is_resumed_however_often_the_whole_search_is_killed(journal: Path) -> None:
    for _ in range(4 * MAX_DEATHS):
        assert _abandon(journal).number == 0
    (row,) = store_of(journal).rows()
    assert not row.is_finished


def test_a_candidate_in_which_many_calls_ended_is_warned_of(journal: Path) -> None:
    for _ in range(3):
        _abandon(journal)
    with pytest.warns(RuntimeWarning, match=r"Candidate 0 \(mode='fine', b=0.5\).*3 times so far"):
        _abandon(journal)


def _fail(store: CandidateStore) -> int:
    candidate = _claim(store)
    assert candidate is not None
    candidate.results = CandidateState([{**FOLD, "epochs": 3}], [[3, 0.5]], epochs=5)
    _finish(store, candidate, Outcome.ERROR)
    return candidate.number


def test_what_failed_is_tried_once_more_by_another_call_from_its_folds(journal: Path) -> None:
    with Owner("first") as first, Owner("second") as second, Owner("second") as worker:
        assert [_fail(store_of(journal, owner=first)) for _ in range(2)] == [0, 1]
        store = store_of(journal, owner=second)
        candidate = _claim(store)
        assert candidate is not None
        assert candidate.number == 0
        assert candidate.results == CandidateState([{**FOLD, "epochs": 3}], [[3, 0.5]], epochs=3)
        assert [row.state.name for row in store.rows()] == ["RUNNING", "FAIL"]
        assert _fail(store_of(journal, owner=worker)) == 1
        _finish(store, candidate, Outcome.COMPLETE, 0.5)
        assert [row.state.name for row in store.rows()] == ["COMPLETE", "FAIL"]
        assert store.rows()[1].failed_in == {"first", "second"}
        # Neither of two calls at once goes on with what failed in both.
        assert [_fail(store_of(journal, owner=who)) for who in (first, second)] == [2, 2]
        assert _fail(store) == 3


def test_nothing_that_failed_is_tried_again_where_there_is_enough(journal: Path) -> None:
    with Owner() as first, Owner() as second:
        _fail(store_of(journal, owner=first))
        assert _claim(store_of(journal, owner=second), n_trials=1) is None


#: Each is done twice in the test below, or its first answer is lost.
CALLS = [
    "create_new_trial",
    "get_all_trials",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_state_values",
]


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_an_unavailable_storage_is_retried_at_any_call(
    name: str, done: bool, storage: Path, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Owner() as owner:
        store = store_of(storage, owner=owner)
        inner: Any = store.storage
        _lose_answers(inner.storage, name, done, monkeypatch)
        for number, (outcome, value) in enumerate(
            [(Outcome.COMPLETE, 0.25), (Outcome.ERROR, None)]
        ):
            candidate = _claim(store)
            assert candidate is not None
            assert candidate.number == number
            candidate.results.folds.append(FOLD)
            store.report(candidate, 1, 0.5)
            store.save(candidate)
            _finish(store, candidate, outcome, value)
            row = store.rows()[number]
            assert row.trial.intermediate_values == {1: 0.5}
            assert (row.state, row.trial.value) == (outcome.state, value)
            assert row.results.folds == [FOLD]
    assert naps
    trials = store_of(storage).study.get_trials()
    assert all(trial.state.is_finished() for trial in trials)


def _lose_answers(storage: Any, name: str, done: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every other call fail, before or after it is done."""
    action, count = getattr(storage, name), itertools.count()

    def failing(*args: Any, **kwargs: Any) -> Any:
        if next(count) % 2:
            return action(*args, **kwargs)
        if done:
            action(*args, **kwargs)
        raise StorageInternalError("the server is away")

    monkeypatch.setattr(storage, name, failing)


@pytest.mark.usefixtures("naps")
@pytest.mark.parametrize(("outcome", "value"), [(Outcome.COMPLETE, 0.25), (Outcome.PRUNED, None)])
def test_a_result_that_a_lost_storage_did_not_take_stays_in_memory(
    outcome: Outcome, value: float | None, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Owner() as owner:
        store = store_of(journal, owner=owner)
        first, candidate = _claim(store), _claim(store)
        assert first is not None
        assert candidate is not None
        _finish(store, first, Outcome.COMPLETE, 0.5)
        store.rows()
        candidate.results.folds.append(FOLD)
        inner: Any = store.storage
        for name in CALLS:
            monkeypatch.setattr(inner.storage, name, _always_away)
        with pytest.raises(StorageError, match="could not be used for 60 s: the server is away"):
            _finish(store, candidate, outcome, value)
        store.is_lost = True
        assert [row.candidate for row in store.rows()] == [0, 1]
        assert [row.state for row in store.rows()] == [TrialState.COMPLETE, outcome.state]
        assert store.rows()[1].trial.value == value
        assert store.rows()[1].results.folds == [FOLD]


def _always_away(*args: Any, **kwargs: Any) -> None:
    raise StorageInternalError("the server is away")


def test_a_trial_of_somebody_else_is_named(journal: Path) -> None:
    study = create_study(open_storage(journal), "sklearnloss")
    study.enqueue_trial({}, user_attrs={"candidate": 0, "owner": "me"})
    with pytest.raises(
        ValueError, match=r"Trial 0 of the study 'sklearnloss' .*its attribute 'owner' is 'me'"
    ):
        store_of(journal).rows()


def test_a_study_that_is_there_is_loaded_without_writing(storage: Path) -> None:
    before = storage.read_bytes()
    study = create_study(open_storage(storage), "sklearnloss")
    assert study.study_name == "sklearnloss"
    assert storage.read_bytes() == before
