"""The verdict of a search, from the scores of its folds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sklearnloss.tuning._race.leads import estimate_noise, measure_lead
from sklearnloss.tuning._race.verdict import Candidate, SearchVerdict, judge

RATIO = 0.25


def verdict_of(*candidates: tuple[str, list[float]], **options: Any) -> SearchVerdict:
    known = {k: Candidate(loss, folds) for k, (loss, folds) in enumerate(candidates)}
    return judge(known, RATIO, **options)


def statuses(verdict: SearchVerdict) -> dict[str, str]:
    return {row["loss"]: row["status"] for row in verdict.table}


def noisy(mean: float, n: int, seed: int, sd: float = 0.01) -> list[float]:
    return [float(x) for x in mean + sd * np.random.default_rng(seed).normal(size=n)]


def test_a_clear_lead_over_several_folds_is_called_better() -> None:
    verdict = verdict_of(("dice", noisy(0.9, 5, 0)), ("bce", noisy(0.8, 5, 1)))
    assert statuses(verdict) == {"dice": "best", "bce": "worse"}
    assert "dice is the best of 2 losses so far" in str(verdict)
    assert "It is better than bce" in str(verdict)
    assert verdict.to_decide == []


def test_the_best_settings_of_each_loss_are_compared() -> None:
    verdict = verdict_of(
        ("dice", noisy(0.7, 5, 0)),
        ("bce", noisy(0.5, 5, 1)),
        ("dice", noisy(0.9, 5, 2)),
        ("bce", noisy(0.8, 5, 3)),
        ("bce", [0.99]),  # a single fold is no reason to prefer it
    )
    assert verdict.best == "dice"
    best, other = verdict.table
    assert (best["n_candidates"], other["n_candidates"]) == (2, 3)
    assert other["difference"] == pytest.approx(
        np.mean(noisy(0.9, 5, 2)) - np.mean(noisy(0.8, 5, 3))
    )


def test_equal_losses_are_as_good_if_the_noise_is_small() -> None:
    verdict = verdict_of(("dice", noisy(0.9, 5, 0, 1e-3)), ("bce", noisy(0.9, 5, 1, 1e-3)))
    assert set(statuses(verdict).values()) == {"best", "as good"}
    assert "as good within ±.01" in str(verdict)
    verdict = verdict_of(
        ("dice", noisy(0.9, 5, 0, 1e-3)), ("bce", noisy(0.9, 5, 1, 1e-3)), rope=1e-4
    )
    assert "undecided" in statuses(verdict).values()


def test_one_fold_never_proves_anything() -> None:
    verdict = verdict_of(("dice", [0.9]), ("bce", [0.1]))
    assert statuses(verdict) == {"dice": "best", "bce": "stopped early"}
    assert "one fold tells nothing about the spread" in str(verdict)
    verdict = verdict_of(("dice", noisy(0.9, 5, 0)), ("bce", noisy(0.8, 5, 1)), ("focal", [0.1]))
    assert statuses(verdict)["focal"] == "stopped early"
    assert math.isnan(verdict.table[-1]["p_better"])
    assert "which does not prove it worse, was focal" in str(verdict)


def test_a_single_candidate_has_nothing_to_be_compared_with() -> None:
    verdict = verdict_of(("dice", [0.9, 0.8]))
    assert "only 1 candidate and no other loss" in str(verdict)
    assert verdict.to_decide == []
    assert verdict.repeats_needed is None


@pytest.mark.parametrize("folds", [[], [math.nan, 0.5]])
def test_losses_that_failed_are_named(folds: list[float]) -> None:
    bce = Candidate("bce", folds, failed=not folds)
    verdict = judge({0: Candidate("dice", [0.9, 0.8, 0.9]), 1: bce}, RATIO)
    assert statuses(verdict) == {"dice": "best", "bce": "failed"}
    assert "Every candidate of bce failed." in str(verdict)
    alone = judge({0: bce}, RATIO)
    assert str(alone).startswith("None of the candidates has a score")
    assert alone.best is None


def test_a_loss_that_was_stopped_within_the_first_fold_has_not_failed() -> None:
    dice, stopped = Candidate("dice", [0.9, 0.8, 0.9]), Candidate("bce", [])
    verdict = judge({0: dice, 1: stopped}, RATIO)
    assert statuses(verdict) == {"dice": "best", "bce": "stopped early"}
    assert "was bce (within it)" in str(verdict)
    assert "failed" not in str(verdict)
    some = {0: dice, 1: stopped, 2: Candidate("bce", [], failed=True)}
    assert statuses(judge(some, RATIO))["bce"] == "stopped early"


def test_scores_without_any_spread_decide_nothing() -> None:
    verdict = verdict_of(("dice", [0.5] * 5), ("bce", [0.5] * 5), ("focal", [0.4] * 5))
    assert statuses(verdict) == {"dice": "best", "bce": "undecided", "focal": "undecided"}
    assert "bce (the same score)" in str(verdict)
    assert verdict.repeats_needed is None


def test_no_candidates_give_no_verdict() -> None:
    assert str(judge({}, RATIO)).startswith("None of the candidates has a score")


def test_a_loss_that_is_ahead_on_the_folds_that_both_finished_is_said_to_be_ahead() -> None:
    verdict = verdict_of(
        ("dice", [0.80, 0.81, 0.95, 0.97]), ("bce", [0.83, 0.82]), ("mcc", [0.8, 0.83])
    )
    assert verdict.best == "dice"
    assert "bce (ahead by .020 in 2 folds" in str(verdict)


def test_the_cost_and_the_call_that_decides_are_named() -> None:
    verdict = verdict_of(
        ("dice", [0.90, 0.84, 0.88, 0.93, 0.85]),
        ("bce", [0.87, 0.83, 0.84, 0.91, 0.84]),
        ("focal", [0.75, 0.70, 0.74, 0.80, 0.71]),
        cost=0.312,
    )
    assert "31 % of the epochs" in str(verdict)
    assert verdict.to_decide == ["bce"]
    assert verdict.repeats_needed == 2
    assert "About 2 repeats of dice and bce on fresh folds would decide" in str(verdict)
    assert "search.resume(X, y, decide=True)" in str(verdict)


def test_the_noise_is_that_of_a_two_way_analysis_of_variance() -> None:
    table = np.random.default_rng(0).normal(size=(4, 5))
    noise = estimate_noise(dict(enumerate(table.tolist())), RATIO)
    rest = table - table.mean(0) - table.mean(1)[:, None] + table.mean()
    assert noise.dof == 3 * 4
    assert noise.variance == pytest.approx((rest**2).sum() / 12)


def test_a_fold_that_only_the_leader_finished_adds_nothing_to_the_noise() -> None:
    short = estimate_noise({0: [0.9, 0.8], 1: [0.7, 0.9]}, RATIO)
    long = estimate_noise({0: [0.9, 0.8, 0.1], 1: [0.7, 0.9], 2: [0.3]}, RATIO)
    assert (short.dof, long.dof) == (1, 1)
    assert long.variance == pytest.approx(short.variance)


def test_with_two_candidates_p_is_that_of_the_corrected_t_test() -> None:
    one, two = noisy(0.9, 5, 0), noisy(0.88, 5, 1)
    noise = estimate_noise({0: one, 1: two}, RATIO)
    lead = measure_lead(one, two, noise, RATIO, rope=0.01)
    differences = np.subtract(one, two)
    t = differences.mean() / math.sqrt(differences.var(ddof=1) * (1 / 5 + RATIO))
    assert lead.p == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-3)
    assert lead.p_worse + lead.p_equal + lead.p_better == pytest.approx(1)
    assert lead.low < lead.difference < lead.high


def test_more_candidates_make_the_same_lead_less_certain() -> None:
    folds = {k: noisy(0.88, 5, k) for k in range(12)}
    folds[0] = noisy(0.9, 5, 0)
    few = estimate_noise({k: folds[k] for k in range(12)}, RATIO)
    p = [
        measure_lead(
            folds[0], folds[1], few.__class__(few.variance, 40, few.between, n), RATIO, 0.01
        ).p
        for n in (2, 12)
    ]
    assert p[0] < p[1]


def test_a_lead_is_drawn_towards_zero_where_candidates_hardly_differ() -> None:
    rng = np.random.default_rng(0)
    equal = {k: (0.9 + 0.01 * rng.normal(size=5)).tolist() for k in range(20)}
    spread = {k: [each + 0.02 * k for each in folds] for k, folds in equal.items()}
    for folds, least, most in ((equal, 0.0, 0.7), (spread, 0.9, 1.0)):
        noise = estimate_noise(folds, RATIO)
        best = max(folds, key=lambda k: np.mean(folds[k]))
        worst = min(folds, key=lambda k: np.mean(folds[k]))
        lead = measure_lead(folds[best], folds[worst], noise, RATIO, 0.01)
        assert least <= lead.shrunk / lead.difference <= most


def test_the_best_of_equal_candidates_is_rarely_called_better() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(20):
        shared = rng.normal(size=(10, 1)) * math.sqrt(RATIO)
        table = rng.normal(size=(10, 5)) + shared
        verdict = verdict_of(*((str(k), row.tolist()) for k, row in enumerate(table)))
        wrong += "worse" in statuses(verdict).values()
    assert wrong <= 4  # 1 is expected; without regard to the choice of the best about 10


def test_a_candidate_with_wilder_scores_is_judged_by_its_own_spread() -> None:
    calm = {k: noisy(0.9, 5, k, 0.002) for k in range(6)}
    noise = estimate_noise(calm, RATIO)
    wild = [0.95, 0.75, 0.96, 0.78, 0.94]
    lead = measure_lead(calm[0], wild, noise, RATIO, 0.01)
    assert lead.sd > math.sqrt(2 * noise.variance) * 3
    assert lead.low < 0 < lead.high
