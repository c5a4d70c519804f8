"""The expected gain, compared with conditioning of the joint normal distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from sklearnloss.tuning._race.gain import expected_gain


def by_conditioning(
    known: list[float], errors: list[float], n_folds: int, variance: float
) -> tuple[float, float]:
    """Return mean and deviation of the mean of n_folds differences, given observations."""
    prior = variance * np.eye(n_folds) + 10.0  # a flat prior of the mean
    observed = np.eye(n_folds)[: len(known)]
    noise = observed @ prior @ observed.T + np.diag(errors)
    gain = prior @ observed.T @ np.linalg.inv(noise)
    mean, covariance = gain @ known, prior - gain @ observed @ prior
    weights = np.full(n_folds, 1 / n_folds)
    return float(weights @ mean), math.sqrt(max(float(weights @ covariance @ weights), 0.0))


@pytest.mark.parametrize(
    ("differences", "current", "change"),
    [
        ([-0.01], None, 0.0),
        ([0.01, -0.03], None, 0.0),
        ([-0.02, -0.01, 0.005, -0.01], None, 0.0),
        ([-0.01], 0.02, 0.0004),
        ([], -0.05, 0.0009),
        ([0.01, -0.02], -0.06, 0.01),
    ],
)
def test_it_is_the_improvement_given_all_that_is_known(
    differences: list[float], current: float | None, change: float
) -> None:
    known = [*differences, *([] if current is None else [current])]
    errors = [0.0] * len(differences) + ([] if current is None else [change])
    mean, deviation = by_conditioning(known, errors, 5, 0.0004)
    density = stats.norm(mean, deviation).pdf
    end = max(mean, 0.0) + 12 * deviation
    expected = integrate.quad(lambda x: x * density(x), 0, end, points=[max(mean, 0.0)])[0]
    found = expected_gain(differences, 5, 0.0004, current, change)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_after_all_folds_it_is_what_was_gained() -> None:
    assert expected_gain([0.01, 0.03], 2, 0.01) == pytest.approx(0.02)
    assert expected_gain([-0.01, -0.03], 2, 0.01) == 0.0


def test_without_any_score_it_is_unlimited() -> None:
    assert expected_gain([], 5, 0.01) == math.inf
    assert expected_gain([], 5, 0.01, current=-0.9, change=math.inf) == math.inf


def test_an_epoch_that_says_nothing_changes_nothing() -> None:
    assert expected_gain([-0.02], 4, 0.01, -0.9, math.inf) == expected_gain([-0.02], 4, 0.01)


def test_a_larger_gap_leaves_less() -> None:
    gains = [expected_gain([-gap], 5, 0.0001) for gap in (0.0, 0.01, 0.02, 0.05)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] < 1e-5 < gains[0]
