"""Decisions between losses on fresh folds."""

from __future__ import annotations

import numpy as np
import pytest

from sklearnloss.tuning._comparison.statistics import corrected_t_test
from sklearnloss.tuning._race.decision import decide, default_repeats, plan_looks
from sklearnloss.tuning._race.verdict import MOST_REPEATS, Candidate, SearchVerdict, judge

RATIO = 0.25


def undecided() -> SearchVerdict:
    return judge(
        {
            0: Candidate("dice", [0.90, 0.84, 0.88, 0.93, 0.85]),
            1: Candidate("bce", [0.87, 0.83, 0.84, 0.91, 0.84]),
            2: Candidate("focal", [0.5]),
        },
        RATIO,
    )


def scores(lead: float, sd: float = 0.01, n: int = 15) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"dice": 0.9 + sd * rng.normal(size=n), "bce": 0.9 - lead + sd * rng.normal(size=n)}


@pytest.mark.parametrize(
    ("lead", "sd", "status", "words"),
    [
        (0.05, 0.01, "worse", "dice is better than bce by"),
        (-0.05, 0.01, "better", "bce is better than dice by"),
        (0.0, 0.001, "as good", "bce is as good as dice within ±.01"),
        (0.01, 0.03, "undecided", "dice and bce are still undecided"),
    ],
)
def test_what_fresh_folds_show(lead: float, sd: float, status: str, words: str) -> None:
    verdict = decide(undecided(), scores(lead, sd), RATIO, n_repeats=3, n_rivals=1)
    (row,) = [row for row in verdict.table if row["loss"] == "bce"]
    assert row["status"] == status
    assert row["is_fresh"]
    assert f"On fresh folds, 3 repeats: {words}" in str(verdict)
    assert "resume" not in str(verdict)
    assert verdict.losses("stopped early") == ["focal"]


def test_looks_and_losses_share_the_error_probability() -> None:
    known = scores(0.02)
    differences = known["dice"] - known["bce"]
    p = float(corrected_t_test(differences, RATIO).p)
    assert 0.05 / 30 < p < 0.05 / 3
    for n_rivals, status in ((1, "worse"), (10, "undecided")):
        verdict = decide(undecided(), known, RATIO, n_repeats=3, n_rivals=n_rivals)
        row = verdict.table[1]
        assert row["status"] == status
        assert row["p"] == pytest.approx(min(1.0, p * 3 * n_rivals))


def test_looks_end_with_the_last_repeat() -> None:
    assert plan_looks(20) == [5, 10, 20]
    assert plan_looks(1) == [1]
    assert all(len(plan_looks(n)) <= 3 and plan_looks(n)[-1] == n for n in range(1, 21))


def test_without_an_estimate_the_largest_number_of_repeats_is_planned() -> None:
    unknown = judge({0: Candidate("dice", [0.9]), 1: Candidate("bce", [0.8])}, RATIO)
    assert unknown.to_decide == ["bce"]
    assert default_repeats(unknown) == MOST_REPEATS
    assert default_repeats(undecided()) == undecided().repeats_needed == 3
