from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.estimators._inference.probability_counts import (
    THRESHOLDS,
    Block,
    ProbabilityCounts,
    best_position,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_are_those_of_every_threshold(dtype: type) -> None:
    rng = np.random.default_rng(0)
    # Many probabilities are thresholds: they are not above them.
    p: Any = rng.choice(np.concatenate([THRESHOLDS, rng.random(500)]), 4000).astype(dtype)
    codes = rng.choice([0, 1, 255], 4000).astype(np.uint8)
    weight = rng.integers(1, 4, 4000)
    counts = ProbabilityCounts(1)
    for part in (slice(0, 1500), slice(1500, None)):
        values = np.stack([1 - p[part], p[part]])
        counts.add(Block(codes[part], values, weight[part]), multilabel=False)
    confusion = counts.confusion()
    for k in range(0, len(THRESHOLDS), 25):
        above = p > dtype(THRESHOLDS[k])
        expected = [
            weight[(codes == code) & where].sum()
            for code, where in [(1, above), (0, above), (1, ~above), (0, ~above)]
        ]
        assert [float(each[k, 0]) for each in confusion] == expected


def test_thresholds_are_fine_near_0_and_1() -> None:
    assert (np.diff(THRESHOLDS) > 0).all()
    assert (np.diff(THRESHOLDS.astype(np.float32)) > 0).all()
    assert THRESHOLDS[0] == 1e-6
    assert np.isin(np.arange(1, 100) / 100, THRESHOLDS).all()


def test_of_equal_scores_the_one_next_to_a_half_is_chosen() -> None:
    thresholds = np.array([0.1, 0.4, 0.7, 0.9])
    assert best_position(np.array([1.0, 1.0, 1.0, 0.0]), thresholds) == 1
    assert best_position(np.array([np.nan, 0.2, 0.3, 0.3]), thresholds) == 2
