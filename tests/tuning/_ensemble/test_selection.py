from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sklearnloss.tuning._ensemble.selection import (
    Counts,
    best_single,
    cross_validated,
    select,
    simplest,
)

rng = np.random.default_rng(0)
TARGETS = rng.random((6, 5))  # of the folds
ITEMS = rng.random((4, 6, 5))


def fold_score(counts: Counts, fold: int) -> float:
    """Return the negative distance of the average from a fold's target."""
    average = np.average(ITEMS, axis=0, weights=counts)
    return -float(np.abs(average[fold] - TARGETS[fold]).sum())


def score(counts: Counts) -> float:
    return float(np.mean([fold_score(counts, fold) for fold in range(6)]))


def greedy(n_rounds: int, folds: list[int]) -> list[int]:
    """Do the same as ``select``, with nothing left out."""
    chosen: list[int] = []
    found = []
    for _ in range(n_rounds):
        values = []
        for k in range(len(ITEMS)):
            average = ITEMS[[*chosen, k]].mean(0)
            values.append(-np.abs(average - TARGETS)[folds].sum(1).mean())
        chosen = [*chosen, int(np.argmax(values))]
        found.append((max(values), chosen))
    best = max(value for value, _ in found)
    return next(items for value, items in found if value > best - 1e-9)


@pytest.mark.parametrize("n_rounds", [1, 2, 5, 20])
def test_the_selection_is_that_of_averages_that_are_all_computed_anew(n_rounds: int) -> None:
    items = greedy(n_rounds, list(range(6)))
    expected = simplest(tuple(items.count(k) for k in range(len(ITEMS))))
    assert select(score, len(ITEMS), max_rounds=n_rounds, patience=n_rounds) == expected


def test_the_first_two_rounds_find_the_best_pair_that_holds_the_best_item() -> None:
    counts = select(score, len(ITEMS), max_rounds=2)
    best = best_single(score, len(ITEMS)).index(1)
    pairs = [
        tuple((k == best) + (k == other) for k in range(len(ITEMS))) for other in range(len(ITEMS))
    ]
    assert score(counts) == pytest.approx(max(score(pair) for pair in pairs))


def test_a_selection_is_never_worse_than_the_best_item() -> None:
    singles = [score(tuple(np.eye(4, dtype=int)[k].tolist())) for k in range(4)]
    assert score(select(score, 4)) > max(singles)
    assert best_single(score, 4).index(1) == int(np.argmax(singles))


def test_rounds_without_a_gain_may_be_followed_by_one_with() -> None:
    values: dict[Counts, float] = {
        (1, 0): 0.0,
        (0, 1): -9.0,
        (2, 0): -1.0,
        (1, 1): -1.0,
        (2, 1): 1.0,
        (3, 0): -1.0,
    }

    def told(counts: Counts) -> float:
        return values.get(counts, -9.0)

    assert select(told, 2) == (2, 1)
    assert select(told, 2, patience=1) == (1, 0)


def test_items_of_an_undefined_score_are_not_chosen() -> None:
    assert select(lambda counts: -math.inf if counts[0] else 1.0, 2) == (0, 1)


def test_of_equal_items_the_first_is_chosen_alone() -> None:
    assert select(lambda counts: 0.5, 3) == (1, 0, 0)


def test_the_same_average_is_named_by_the_smallest_counts() -> None:
    assert simplest((4, 0, 2)) == (2, 0, 1)
    assert simplest((0, 3)) == (0, 1)


def test_each_fold_is_scored_with_what_was_selected_on_the_others() -> None:
    expected = []
    for left_out in range(6):
        items = greedy(20, [fold for fold in range(6) if fold != left_out])
        average = ITEMS[items].mean(0)
        expected.append(-np.abs(average - TARGETS)[left_out].sum())
    found = cross_validated(fold_score, 4, 6, lambda s, n: select(s, n, patience=20))
    assert found == pytest.approx(np.mean(expected))


def test_an_estimate_needs_two_folds() -> None:
    assert math.isnan(cross_validated(fold_score, 4, 1))


def test_no_selection_is_better_than_the_best_of_all() -> None:
    few = max((c for c in itertools.product(range(4), repeat=4) if 0 < sum(c) <= 3), key=score)
    assert score(select(score, 4, max_rounds=3)) <= score(few) + 1e-12
