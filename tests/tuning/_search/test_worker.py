from __future__ import annotations

from typing import Any

import pytest
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.attempts import Row
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.evaluate import Task
from sklearnloss.tuning._search.store import CandidateStore, create_study
from sklearnloss.tuning._search.worker import Budget, Worker
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._workers.deadline import Deadline
from sklearnloss.tuning._workers.liveness import Owner

from ..searches import Told, X, y

CALL = "mine"


def rows(states: str) -> list[Row]:
    """Return candidates: c(omplete), p(runed), r(unning), f(ailed); F, R in another call."""
    outcomes = {"c": Outcome.COMPLETE, "p": Outcome.PRUNED, "f": Outcome.ERROR}
    made = []
    for k, letter in enumerate(states):
        results = CandidateState(epochs=1, outcome=outcomes.get(letter.lower()))
        state = TrialState.RUNNING if results.outcome is None else results.trial_state
        value = 0.5 if state == TrialState.COMPLETE else None
        call = CALL if letter.islower() else "other"
        attrs = {"candidate": k, "results": results.to_json(), "owner": {"call": call}}
        trial = create_trial(state=state, value=value, user_attrs=attrs)
        made.append(Row(k, trial, frozenset({call} if state == TrialState.FAIL else ())))
    return made


@pytest.mark.parametrize(
    ("n_trials", "states", "spent"),
    [
        (3, "", False),
        (3, "cp", False),
        (3, "cpc", True),
        (3, "cpr", True),
        (3, "cpf", False),
        (3, "cpffff", False),
        (3, "cpfffff", True),
        (9, "cpffffffff", False),
        (9, "cpfffffffff", True),
        (3, "ffff", False),
        (90, "fffff", True),
        (None, "c" * 20, False),
        (None, "cffffff", False),
        (None, "fffff", True),
        (3, "cpFFFFFFff", False),
        (90, "FFFFFffff", False),
        (90, "FFFFFfffff", True),
        (2, "cpF", True),
    ],
)
def test_complete_stopped_and_running_candidates_count(
    n_trials: int | None, states: str, spent: bool
) -> None:
    assert Budget(n_trials, None).is_spent(rows(states), CALL) == spent


@pytest.mark.parametrize(
    ("n_trials", "seconds", "states", "met"),
    [
        (3, None, "ccc", True),
        (3, None, "ccR", False),
        (3, None, "ccpR", True),
        (3, None, "ccpRr", False),
        (3, None, "ccfR", False),
        (3, 60, "ccR", False),
        (3, -1, "ccR", True),
        (3, -1, "ccr", False),
        (3, -1, "R", False),
        (None, None, "ccR", False),
    ],
)
def test_candidates_of_other_calls_are_waited_for_if_they_are_needed(
    n_trials: int | None, seconds: float | None, states: str, met: bool
) -> None:
    deadline = None if seconds is None else Deadline(seconds)
    assert Budget(n_trials, deadline).is_met(rows(states), CALL) == met


def test_a_worker_does_not_wait_for_more_than_it_needs() -> None:
    made = worker([0.1, 0.2, 0.3], budget=Budget(2, None))
    other = CandidateStore(made.store.storage, "mine", made.store.space, Owner())
    with other.owner, made.store.owner:
        made.run()
        assert other.claim(lambda number, rows: {"value": 0.3}, lambda rows: False) is not None
        made.wait()
    assert [row.state.name for row in made.store.rows()] == ["COMPLETE", "COMPLETE", "RUNNING"]


def test_each_loss_is_tried_before_a_search_in_which_all_fails_gives_up() -> None:
    assert not Budget(90, None, n_first=8).is_spent(rows("fffffff"), CALL)
    assert Budget(90, None, n_first=8).is_spent(rows("ffffffff"), CALL)


@pytest.mark.parametrize(("n_first", "needed"), [(1, 2), (2, 3), (8, 3)])
def test_what_fails_alike_before_any_epoch_is_tried_a_few_times_only(
    n_first: int, needed: int
) -> None:
    def failures(reasons: list[str], epochs: int = 0) -> list[Row]:
        made = rows("f" * len(reasons))
        for row, reason in zip(made, reasons, strict=True):
            row.trial.user_attrs["results"] |= {"reason": reason, "epochs": epochs}
        return made

    budget = Budget(90, None, n_first)
    assert not budget.is_spent(failures(["y holds nan"] * (needed - 1)), CALL)
    assert budget.is_spent(failures(["y holds nan"] * needed), CALL)
    assert not budget.is_spent(failures(["y holds nan"] * needed, epochs=1), CALL)
    assert not budget.is_spent(failures(["bad gamma", *["bad alpha"] * (needed - 1)]), CALL)


def test_after_the_deadline_nothing_but_a_first_candidate_is_begun() -> None:
    assert Budget(3, Deadline(-1)).is_spent(rows("c"), CALL)
    assert not Budget(3, Deadline(-1)).is_spent([], CALL)
    assert not Budget(3, Deadline(60)).is_spent(rows("c"), CALL)


def worker(values: list[Any], **options: Any) -> Worker:
    """Return a worker on a store in memory, without a budget."""
    model = Told()
    splits = list(KFold(2).split(X))
    task = Task(model, X, y, check_scoring(model), {}, {}, splits, None, 0)
    storage = InMemoryStorage()
    create_study(storage, "mine")
    store = CandidateStore(storage, "mine", read_space(model, None, {"value": values}), Owner())
    settings = {"sampler": None, "pruner": NopPruner(), "budget": Budget(None, None), **options}
    return Worker(task, store, **settings)


def test_a_worker_works_until_there_is_nothing_left() -> None:
    seen: list[int] = []
    made = worker([0.1, 0.2, 0.3], on_finish=lambda w: seen.append(len(w.store.rows())))
    with made.store.owner:
        made.run()
        assert seen == [1, 2, 3]
        assert {row.trial.value for row in made.store.rows()} == {0.1, 0.2, 0.3}
        made.wait()  # has nothing to wait for
    assert seen == [1, 2, 3]


def test_a_worker_that_is_stopped_begins_nothing() -> None:
    def stop(worker: Worker) -> None:
        worker.stopped = True

    made = worker([0.1, 0.2, 0.3], on_finish=stop)
    with made.store.owner:
        made.run()
        made.wait()
    assert len(made.store.rows()) == 1


def test_an_interrupted_candidate_is_left_to_whoever_comes_next() -> None:
    made = worker([KeyboardInterrupt()])
    with made.store.owner:
        with pytest.raises(KeyboardInterrupt):
            made.run()
        (row,) = made.store.rows()
        assert row.state == TrialState.WAITING
        assert not row.is_finished
