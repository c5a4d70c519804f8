"""How long a run takes, from made-up candidates."""

from __future__ import annotations

from typing import Any

import pytest

from sklearnloss._compare_command._estimate import N_TO_THE_END, USUAL_SHARE, FitTimes, measure
from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.candidate import CandidateState


def state(
    n_folds: int, outcome: Outcome | None = None, *, fit: float = 10.0, epochs: int | None = None
) -> CandidateState:
    """Return a candidate whose fits of ten epochs take this long, and its scores a second."""
    fold: dict[str, Any] = {"scores": 0.5, "fit_time": fit, "score_time": 1.0, "epochs": 10}
    trained = 10 * n_folds if epochs is None else epochs
    return CandidateState(folds=[fold] * n_folds, epochs=trained, outcome=outcome)


def times(*candidates: tuple[str, CandidateState], n_jobs: int = 1) -> FitTimes:
    found = measure(candidates, 5, 10, n_jobs)
    assert found is not None
    return found


def test_before_the_first_fold_nothing_is_known() -> None:
    assert measure([], 5, 10, 1) is None
    assert measure([("dice", state(0)), ("bce", state(0, Outcome.ERROR))], 5, 10, 1) is None


def test_one_fold_tells_how_long_all_takes() -> None:
    found = times(("dice", state(1)))
    fold = 10 + 10 * 1  # scored after each epoch
    assert found.search(1) == 4 * fold  # the other folds
    assert found.search(2) == pytest.approx((USUAL_SHARE + 2 * 4) * fold)
    assert found.search(12) == pytest.approx((11 * USUAL_SHARE + N_TO_THE_END * 4) * fold)
    assert found.comparison(3, 5) == 3 * 5 * (10 + 2)
    assert found.final == 10 * 5 / 4


def test_the_share_of_epochs_is_that_of_the_candidates_so_far() -> None:
    stopped = [("bce", state(0, Outcome.PRUNED, epochs=5))] * 98
    found = times(
        ("dice", state(5, Outcome.COMPLETE)), ("bce", state(5, Outcome.COMPLETE)), *stopped
    )
    assert found.share == pytest.approx(0.51, abs=0.01)
    assert found.search(200) - found.search(100) == pytest.approx(100 * found.share * 20)
    assert found.search(100) == (N_TO_THE_END - 2) * 4 * 20


def test_candidates_with_an_error_do_not_count_as_they_do_not_in_a_search() -> None:
    failed = ("bce", state(0, Outcome.ERROR))
    done = ("dice", state(5, Outcome.COMPLETE))
    assert times(done, failed).search(2) == times(done).search(2)


def test_parallel_fits_share_the_time() -> None:
    one, four = times(("dice", state(1))), times(("dice", state(1)), n_jobs=4)
    assert four.search(40) == one.search(40) / 4
    assert four.comparison(2, 5) == one.comparison(2, 5) / 4
    assert four.final == one.final


def test_the_first_fit_of_a_process_may_take_longer() -> None:
    slow, rest = state(1, fit=60.0), state(2, fit=10.0)
    found = times(("dice", CandidateState(folds=slow.folds + rest.folds)))
    assert found.fit == 10


def test_losses_take_different_times() -> None:
    found = times(("dice", state(5)), ("hausdorff", state(5, fit=30.0)))
    assert (found.compared("dice"), found.compared("hausdorff")) == (12, 32)
    assert found.compared("another") == found.compared() == 22
