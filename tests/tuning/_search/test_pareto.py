from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sklearnloss.tuning._search.pareto import (
    choose_compromise,
    choose_from_front,
    describe_front,
    is_on_front,
    mark_front,
)


def dominates(a: Any, b: Any) -> bool:
    """Return whether a row is at least as good in every metric, and better in one."""
    if not all(np.isfinite(a)):
        return False
    at_least = [x >= y for x, y in zip(a, b, strict=True)]
    return all(at_least) and list(a) != list(b)


@pytest.mark.parametrize("n_metrics", [1, 2, 3, 4])
def test_the_front_is_what_comparing_all_pairs_gives(n_metrics: int) -> None:
    rng = np.random.default_rng(n_metrics)
    for n in (1, 2, 7, 40):
        scores = rng.integers(0, 5, (n, n_metrics)).astype(float)  # many ties
        scores[rng.random(scores.shape) < 0.03] = np.nan
        expected = [
            bool(np.isfinite(row).all()) and not any(dominates(other, row) for other in scores)
            for row in scores
        ]
        assert is_on_front(scores).tolist() == expected


def test_optuna_finds_the_same_front() -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(directions=["maximize"] * 3)
    scores = np.random.default_rng(0).random((30, 3)).round(1)
    for row in scores:
        study.add_trial(optuna.trial.create_trial(values=row.tolist()))
    best = [trial.number for trial in study.best_trials]
    assert np.flatnonzero(is_on_front(scores)).tolist() == sorted(best)


def test_equal_rows_are_both_on_the_front() -> None:
    assert is_on_front(np.array([[1, 2], [1, 2], [0, 2]])).tolist() == [True, True, False]


def test_no_rows_and_only_nan_have_no_front() -> None:
    assert is_on_front(np.empty((0, 2))).tolist() == []
    assert is_on_front(np.full((2, 2), np.nan)).tolist() == [False, False]


def test_infinite_scores_are_not_on_the_front_and_dominate_none() -> None:
    scores = np.array([[np.inf, 5], [1, 1], [2, -np.inf], [0, 0]])
    assert is_on_front(scores).tolist() == [False, True, False, False]


def test_the_choice_is_closest_to_the_ideal_point_in_its_worst_metric() -> None:
    rng = np.random.default_rng(0)
    for n_metrics in (2, 3):
        scores = rng.normal(size=(60, n_metrics)) * [1, 1000, 1e-3][:n_metrics]
        front = scores[is_on_front(scores)]
        ideal, worst = front.max(axis=0), front.min(axis=0)
        distance = [max((ideal - row) / (ideal - worst)) for row in front]
        assert choose_compromise(front) == np.argmin(distance)


def test_the_choice_does_not_depend_on_units_or_on_a_metric_given_twice() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(80, 2))
    front = scores[is_on_front(scores)]
    expected = choose_compromise(front)
    assert 0 < len(front) > expected
    assert choose_compromise(front * [1e6, 1e-6] + [-3, 7]) == expected
    assert choose_compromise(front[:, [0, 1, 1]]) == expected


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ([[0.5, 0.5]], 0),
        ([[1.0, 0.0], [0.0, 1.0]], 0),  # a tie: the first, which is best in the first metric
        ([[0.9, 1.0], [0.8, 1.0]], 0),  # the second metric does not count
        ([[0.7, 0.7], [0.7, 0.7]], 0),
        ([[0.7, 0.7], [0.7 + 1e-16, 0.7]], 0),
        # Worst .5 in both: the mean decides.
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5], [0.5, 0.6, 0.5]], 4),
        # Not convex: a weighted sum would never choose the middle.
        ([[1.0, 0.0], [0.4, 0.4], [0.0, 1.0]], 1),
    ],
)
def test_the_choice_in_special_cases(front: list[list[float]], expected: int) -> None:
    assert choose_compromise(np.array(front)) == expected


def test_a_range_by_rounding_errors_alone_does_not_count() -> None:
    noise = 0.1 + 0.2 - 0.3
    front = np.array([[0.3 + noise, 1.0, 3.0], [0.3, 2.0, 2.0], [0.3 + noise, 3.0, 1.0]])
    assert choose_compromise(front) == 1


def table(scores: list[list[float]], states: list[str] | None = None) -> dict[str, Any]:
    means = np.array(scores, dtype=float)
    n = len(means)
    return {
        "params": [{"C": k} for k in range(n)],
        "loss": np.array([f"loss{k}" for k in range(n)]),
        "trial_state": np.array(states or ["COMPLETE"] * n),
        **{f"mean_test_{name}": means[:, k] for k, name in enumerate("abc"[: means.shape[1]])},
        **{f"std_test_{name}": means[:, k] / 10 for k, name in enumerate("abc"[: means.shape[1]])},
    }


def test_only_complete_candidates_are_on_the_front() -> None:
    results = table([[9, 9], [1, 2], [2, 1], [1, 1]], ["PRUNED", "COMPLETE", "COMPLETE", "FAIL"])
    mark_front(results, ["a", "b"])
    assert results["is_pareto"].tolist() == [False, True, True, False]
    assert results["is_pareto"].dtype == bool


def test_the_front_lists_the_best_in_the_first_metric_first() -> None:
    results = table([[1, 3, 0], [0, 0, 0], [3, 1, 0], [2, 2, 0], [3, 1, 0]])
    mark_front(results, ["a", "b", "c"])
    front = describe_front(results, ["a", "b", "c"])
    assert [entry["index"] for entry in front] == [2, 4, 3, 0]
    assert front[0] == {
        "index": 2,
        "loss": "loss2",
        "params": {"C": 2},
        "scores": {"a": 3.0, "b": 1.0, "c": 0.0},
        "std": {"a": 0.3, "b": 0.1, "c": 0.0},
    }
    assert choose_from_front(front) == 3


def test_the_front_does_not_depend_on_the_order_of_candidates() -> None:
    scores = [[1.0, 3.0], [3.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    for order in itertools.permutations(range(4)):
        results = table([scores[k] for k in order])
        mark_front(results, ["a", "b"])
        front = describe_front(results, ["a", "b"])
        assert [entry["scores"]["a"] for entry in front] == [3.0, 2.0, 1.0]
        assert order[choose_from_front(front)] == 2
