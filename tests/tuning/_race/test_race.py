"""The rules of the race, on scores that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from sklearnloss.tuning._race.race import Race
from sklearnloss.tuning._race.scores import Status

Array = np.ndarray


def race_of(folds: dict[int, list[float]], n_folds: int = 5, **options: int) -> Race:
    """Return a race of candidates with these finished folds."""
    race = Race(n_folds, 1, **options)
    for number, scores in folds.items():
        status = Status.COMPLETE if len(scores) == n_folds else Status.OPEN
        race.scores.set(number, scores, [], status)
    return race


def run(scores: Array, **options: int) -> tuple[int | None, Array]:
    """Run a race of scores (candidates, folds, epochs); return who leads, and all epochs."""
    n, n_folds, n_epochs = scores.shape
    race, trained = Race(n_folds, n_epochs, **options), np.zeros(n, dtype=int)

    def train(candidate: int) -> None:
        known = race.scores.candidates.get(candidate)
        done = [] if known is None else known.folds
        fold, before = len(done), sum(done)
        status = Status.COMPLETE if fold + 1 == n_folds else Status.OPEN
        for epoch, score in enumerate(scores[candidate, fold], 1):
            trained[candidate] += 1
            race.scores.report(candidate, fold * n_epochs + epoch, (before + score) / (fold + 1))
            if epoch < n_epochs and race.should_stop(candidate, epoch):
                status = Status.OUT
                break
        race.scores.candidates[candidate].status = status
        race.scores.version += 1

    for candidate in range(n):
        train(candidate)
    while (chosen := race.next()) is not None:
        train(chosen)
    return race.leader(), trained


def noisy(
    quality: Array, noise: float, n_folds: int = 5, n_epochs: int = 6, seed: int = 0
) -> Array:
    """Return curves that rise to a quality, with noise per fold, on folds that differ."""
    rng = np.random.default_rng(seed)
    ends = quality[:, None] + rng.normal(0, noise, (len(quality), n_folds))
    ends = ends + rng.normal(0, 0.1, n_folds)
    rise = 1 - np.linspace(1, 0, n_epochs) ** 2
    return ends[..., None] * (0.3 + 0.7 * rise) + rng.normal(0, noise / 10, (*ends.shape, n_epochs))


def test_the_leader_has_most_folds_and_the_best_mean() -> None:
    race = race_of({0: [0.9], 1: [0.5, 0.6], 2: [0.6, 0.4]})
    assert race.leader() == 1
    assert race_of({0: [0.5], 1: [0.5]}).leader() == 0  # of two equals, the first
    assert race_of({}).leader() is None
    assert race_of({}).next() is None


def test_the_leader_goes_first_and_others_catch_up() -> None:
    folds = {0: [0.80], 1: [0.801], 2: [0.799], 3: [0.77], 4: [0.76]}
    assert race_of(folds).next() == 1
    folds[1].append(0.70)
    assert race_of(folds).next() == 0  # the one with the larger expected gain
    folds[0].append(0.71)
    assert race_of(folds).next() == 2


def test_it_ends_when_no_other_can_win() -> None:
    folds = {0: [0.80] * 5, 1: [0.72, 0.70], 2: [0.60], 3: [0.71, 0.70], 4: [0.59]}
    race = race_of(folds)
    assert all(race.gain(k) < race.smallest_gain for k in (1, 2, 3, 4))
    assert race.next() is None


def test_the_second_of_two_is_not_stopped_before_their_spread_is_known() -> None:
    for gap in (0.001, 0.1):  # on one fold, a small gap and a large one look the same
        _, trained = run(noisy(np.array([0.8, 0.8 - gap]), 0.01))
        assert (trained >= 3 * 6).all()


def test_one_candidate_is_trained_on_all_folds() -> None:
    leader, trained = run(noisy(np.array([0.8]), 0.01))
    assert leader == 0
    assert trained.tolist() == [30]


def test_a_hopeless_candidate_is_stopped_within_the_first_fold() -> None:
    quality = np.array([0.8, 0.8, 0.79, 0.8, 0.78, 0.1, 0.2])
    leader, trained = run(noisy(quality, 0.005))
    assert leader not in (5, 6)
    assert (trained[5:] < 6).all()


def test_nothing_is_stopped_before_the_curves_of_others_are_known() -> None:
    _, trained = run(noisy(np.array([0.8, 0.3, 0.1, 0.7]), 0.005))
    assert (trained >= 6).all()


def test_the_best_is_found_at_a_fraction_of_the_cost() -> None:
    rng, shares, right = np.random.default_rng(0), [], []
    for seed in range(40):
        quality = 0.8 - np.abs(rng.normal(0, 0.05, 40))
        scores = noisy(quality, 0.005, seed=seed)
        leader, trained = run(scores)
        shares.append(trained.sum() / scores.size)
        means = scores[..., -1].mean(1)
        right.append(means.max() - means[leader] <= 0.005)
    assert np.mean(shares) < 0.22
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize("n_folds", [1, 2, 5])
def test_equal_candidates_do_not_go_on_forever(n_folds: int) -> None:
    leader, trained = run(np.full((6, n_folds, 3), 0.5))
    assert leader == 0
    assert trained[0] == 3 * n_folds
    assert trained.sum() <= 6 * n_folds * 3


def test_several_candidates_can_be_asked_for() -> None:
    scores = noisy(np.array([0.8, 0.7, 0.6, 0.5, 0.4]), 0.001)
    _, trained = run(scores, n_complete=3)
    assert sorted(np.argsort(-trained, kind="stable")[:3].tolist()) == [0, 1, 2]
    assert (np.sort(trained)[-3:] == 30).all()


def test_candidates_that_others_train_are_not_chosen() -> None:
    race = race_of({0: [0.80], 1: [0.801], 2: [0.799], 3: [0.7], 4: [0.6]})
    race.scores.candidates[1].status = Status.RUNNING  # the leader
    assert race.next() in (0, 2)
    assert race.next({0}) == 2
    assert race.next({0, 2, 3, 4}) is None
