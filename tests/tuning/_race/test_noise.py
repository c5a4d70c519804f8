from __future__ import annotations

import math

import numpy as np
import pytest

from sklearnloss.tuning._race.noise import change_variance, fold_variance
from sklearnloss.tuning._race.scores import FoldScores, Status


def scores_of(*folds: list[float], n_epochs: int = 1) -> FoldScores:
    """Return candidates with these scores of finished folds."""
    found = FoldScores(5, n_epochs)
    for number, each in enumerate(folds):
        found.set(number, each, [], Status.OPEN)
    return found


def test_before_any_second_fold_it_is_the_median_gap_of_the_first() -> None:
    scores = scores_of([0.5], [0.6], [0.8], [0.9])  # gaps .1, .1, .2, .3, .3, .4
    assert fold_variance(scores) == pytest.approx(0.25**2)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_gaps_of_few_candidates_say_nothing_about_their_own_error(n: int) -> None:
    first = [[0.5], [0.6], [0.8]][:n]
    assert fold_variance(scores_of(*first)) == math.inf


def test_second_and_third_folds_of_two_candidates_tell_the_spread() -> None:
    assert fold_variance(scores_of([0.5, 0.5], [0.4, 0.3])) == math.inf
    squares = np.var([0.1, 0.2, 0.0]) * 3
    found = fold_variance(scores_of([0.5, 0.5, 0.5], [0.4, 0.3, 0.5]))
    assert found == pytest.approx((0.1**2 + squares) / (1 + 2))


def test_one_collapsed_candidate_does_not_count_much() -> None:
    sound = [[0.80], [0.81], [0.82], [0.83]]
    assert fold_variance(scores_of(*sound, [0.0])) < 0.03**2


def test_second_folds_tell_how_much_differences_vary() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0.8, 0.1, 5)  # folds differ in how hard they are, which cancels
    folds = [list(hard + rng.normal(0, 0.02, 5)) for _ in range(300)]
    assert fold_variance(scores_of(*folds)) == pytest.approx(2 * 0.02**2, rel=0.5)


def test_the_prior_counts_for_three_degrees_of_freedom() -> None:
    found = fold_variance(scores_of([0.5, 0.5, 0.5], [0.4, 0.3, 0.5], [0.4], [0.5]))
    squares = np.var([0.1, 0.2, 0.0]) * 3
    assert found == pytest.approx((3 * 0.1**2 + squares) / (3 + 2))


def test_candidates_that_are_out_do_not_count() -> None:
    scores = scores_of([0.5], [0.6], [0.6], [0.5])
    before = fold_variance(scores)
    scores.set(4, [0.0], [], Status.OUT)
    assert fold_variance(scores) == before


def with_curves(curves: list[list[float]]) -> FoldScores:
    scores = FoldScores(5, len(curves[0]))
    for number, curve in enumerate(curves):
        reports = [[step, value] for step, value in enumerate(curve, 1)]
        scores.set(number, [curve[-1]], reports, Status.OPEN)
    return scores


def test_how_much_a_gap_changes_is_learned_from_finished_folds() -> None:
    rng = np.random.default_rng(1)
    early, late = rng.normal(0.4, 0.1, 400), rng.normal(0.8, 0.01, 400)
    almost = late + rng.normal(0, 0.005, 400)
    scores = with_curves(np.stack([early, almost, late], 1).tolist())
    assert change_variance(scores, 1) == pytest.approx(2 * (0.1**2 + 0.01**2), rel=0.2)
    assert change_variance(scores, 2) == pytest.approx(2 * 0.005**2, rel=0.2)
    assert change_variance(scores, 3) == 0.0


def test_what_all_gain_alike_is_no_change_of_a_gap() -> None:
    scores = with_curves([[0.1, 0.5], [0.2, 0.6], [0.3, 0.7], [0.4, 0.8]])
    assert change_variance(scores, 1) == pytest.approx(0.0)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_curves_say_nothing(n: int) -> None:
    scores = with_curves([[0.1, 0.5]] * max(n, 1)) if n else FoldScores(5, 2)
    assert change_variance(scores, 1) == math.inf
