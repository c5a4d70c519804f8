from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.model_selection import RepeatedKFold

from sklearnloss.tuning._comparison.statistics import (
    best_probabilities,
    corrected_t_test,
    correlated_t_probabilities,
    hierarchical_bootstrap,
    holm,
    repeats_needed,
)

Array = np.ndarray[Any, Any]


@pytest.fixture
def differences() -> Array:
    return np.random.default_rng(0).normal(0.02, 0.03, size=(4, 15))


def test_without_correction_it_is_the_paired_t_test(differences: Array) -> None:
    test = corrected_t_test(differences, ratio=0.0)
    expected = stats.ttest_1samp(differences, 0, axis=1)
    np.testing.assert_allclose(test.p, expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    np.testing.assert_allclose([test.low, test.high], [low, high])


def test_the_corrected_test_by_hand() -> None:
    # mean .02, s = .01; the variance is (1 / 5 + 1 / 4) s^2 instead of s^2 / 5.
    values = np.array([0.02 + shift for shift in (-0.01, -0.01, 0, 0.01, 0.01)])
    scale = np.sqrt((1 / 5 + 1 / 4) * 0.01**2)
    test = corrected_t_test(values, ratio=0.25)
    assert test.mean == pytest.approx(0.02)
    assert test.p == pytest.approx(2 * stats.t(4).sf(0.02 / scale))
    assert test.high - test.low == pytest.approx(2 * 2.7764451 * scale)


def test_the_interval_and_p_agree(differences: Array) -> None:
    test = corrected_t_test(differences, ratio=0.25)
    np.testing.assert_array_equal(test.p < 0.05, (test.low > 0) | (test.high < 0))


def test_one_split_proves_nothing() -> None:
    test = corrected_t_test([[0.3]], ratio=0.25)
    assert test.mean == pytest.approx(0.3)
    assert np.isnan([test.low[0], test.high[0], test.p[0]]).all()
    assert np.isnan(correlated_t_probabilities([0.3], 0.25, 0.01)).all()
    assert np.isnan(best_probabilities([[0.3], [0.4]], 0.25)).all()


@pytest.mark.parametrize("difference", [0.0, 0.125, 0.9 - 0.8])
def test_a_difference_without_spread_has_no_interval_and_no_probability(difference: float) -> None:
    constant = np.full(10, difference)
    constant[1] = np.nextafter(difference, 1)  # rounding is no spread either
    mean, *others = corrected_t_test(constant, 0.25)
    assert mean == pytest.approx(difference)
    assert np.isnan(others).all()
    assert np.isnan(correlated_t_probabilities(constant, 0.25, 0.01)).all()


def test_scores_in_single_precision_have_no_spread_by_rounding_alone() -> None:
    ahead, behind = np.array([[0.9, 0.8, 0.5], [0.8, 0.7, 0.4]], dtype=np.float32)
    assert np.isnan(corrected_t_test(ahead - behind, 0.25).p)
    assert np.isnan(best_probabilities([ahead, behind], 0.25)).all()


def test_a_lead_without_spread_has_no_probability_of_being_best() -> None:
    scores = np.array([[0.9, 0.7, 0.8], [0.8, 0.6, 0.7], [0.5, 0.6, 0.4]])
    assert np.isnan(best_probabilities(scores, 0.25)).all()
    equal = scores[[0, 0, 2]]  # the same answers share
    np.testing.assert_allclose(best_probabilities(equal, 0.25)[:2], 0.5, atol=0.05)


def test_probabilities_integrate_the_posterior(differences: Array) -> None:
    row, rope, ratio = differences[0], 0.01, 0.25
    n = len(row)
    mean, scale = row.mean(), np.sqrt((1 / n + ratio) * row.var(ddof=1))

    def density(x: float) -> float:
        # Student's t written out, with n - 1 degrees of freedom.
        return float((1 + ((x - mean) / scale) ** 2 / (n - 1)) ** (-n / 2))

    edges = [-np.inf, -rope, rope, np.inf]
    parts = np.array([integrate.quad(density, a, b)[0] for a, b in pairwise(edges)])
    np.testing.assert_allclose(
        correlated_t_probabilities(row, ratio, rope), parts / parts.sum(), atol=1e-8
    )


def test_probabilities_mirror_when_losses_change_places(differences: Array) -> None:
    there = correlated_t_probabilities(differences, 0.25, 0.01)
    back = correlated_t_probabilities(-differences, 0.25, 0.01)
    np.testing.assert_allclose(there, back[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(there.sum(1), 1)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 are .04 .06 .06 .04; never falling again.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])


def test_holm_leaves_out_tests_that_could_not_be_made() -> None:
    np.testing.assert_allclose(holm([0.03, np.nan, 0.01]), [0.03, np.nan, 0.02])
    assert holm([]).shape == (0,)


def test_two_losses_have_the_probabilities_of_their_difference(differences: Array) -> None:
    scores = np.stack([differences[0] + 0.5, np.full(15, 0.5)])
    first, second = best_probabilities(scores, 0.25, n_draws=200_000)
    worse, _, better = correlated_t_probabilities(differences[0], 0.25, rope=0.0)
    assert first == pytest.approx(better, abs=0.004)
    assert second == pytest.approx(worse, abs=0.004)


def test_probabilities_of_being_best_add_up_and_ties_share() -> None:
    scores = np.random.default_rng(1).normal(size=(1, 10)).repeat(4, axis=0)
    np.testing.assert_allclose(best_probabilities(scores, 0.25), 0.25)
    np.testing.assert_allclose(best_probabilities(scores[:1], 0.25), 1)


@pytest.mark.parametrize(("mean", "sd"), [(0.03, 0.02), (0.0005, 0.008)])
def test_so_many_repeats_are_enough_and_fewer_are_not(mean: float, sd: float) -> None:
    level, rope, ratio = 0.05 / 3, 0.01, 0.25
    more = repeats_needed(mean, sd, ratio, 5, 1, level=level, rope=rope, certainty=0.95, at_most=30)
    assert more is not None
    assert more > 1

    def settled(repeats: int) -> bool:
        # Differences with exactly this mean and spread.
        n = 5 * repeats
        values = np.linspace(-1, 1, n)
        values = mean + sd * values / values.std(ddof=1)
        within = correlated_t_probabilities(values, ratio, rope)[1]
        return bool(corrected_t_test(values, ratio).p < level or within >= 0.95)

    assert settled(1 + more)
    assert not settled(more)


def test_more_repeats_of_the_same_images_may_not_help() -> None:
    # |mean| / (sd sqrt(ratio)) is .6: below any critical value, however many the repeats.
    settings = {"level": 0.05, "rope": 0.0, "certainty": 0.95, "at_most": 1000}
    assert repeats_needed(0.03, 0.1, 0.25, 5, 1, **settings) is None  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_bootstrap_over_fits_and_images_has_the_variance_of_both() -> None:
    rng = np.random.default_rng(0)
    n_fits, n_images, between, within = 12, 40, 0.05, 0.2
    fits = [rng.normal(rng.normal(0.7, between), within, size=(n_images, 1)) for _ in range(n_fits)]
    draws = hierarchical_bootstrap(fits, n_draws=20_000)
    means = np.array([fit.mean() for fit in fits])
    of_images = np.mean([fit.var() for fit in fits]) / n_images
    assert draws.mean() == pytest.approx(means.mean(), abs=0.001)
    assert draws.var() == pytest.approx((means.var() + of_images) / n_fits, rel=0.05)
    # Images alone, as if they were independent, would promise too much.
    assert draws.std() > 1.3 * np.concatenate(fits).std() / np.sqrt(n_fits * n_images)


@pytest.mark.slow
def test_many_images_are_drawn_as_few_are() -> None:
    rng = np.random.default_rng(0)
    covariance = [[0.04, 0.03], [0.03, 0.05]]
    fits = [rng.multivariate_normal([0.7, 0.6], covariance, size=300) for _ in range(3)]
    few = [fit[:200] for fit in fits]  # beyond 200 the mean is drawn from a normal distribution
    many, exact = (hierarchical_bootstrap(part, n_draws=20_000) for part in (fits, few))
    within = [np.cov(fit.T, bias=True) / len(fit) for fit in fits]
    between = np.cov(np.array([fit.mean(0) for fit in fits]).T, bias=True)
    np.testing.assert_allclose(
        np.cov(many.T), (np.mean(within, 0) + between) / 3, rtol=0.1, atol=1e-6
    )
    assert exact.shape == many.shape == (20_000, 2)


# Two learners that are equally good: each sees half of the inputs.
N_DATA_SETS, N_IMAGES, N_INPUTS = 400, 100, 10


def simulate(n_repeats: int, gap: float = 0.0) -> Array:
    """Return differences (n_data_sets, n_splits) of the R^2 of two ridge regressions.

    With a gap the first learner's inputs have larger weights.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_DATA_SETS, N_IMAGES, N_INPUTS))
    weights = np.repeat([1 + gap, 1], N_INPUTS // 2)
    y = X @ weights + rng.normal(size=(N_DATA_SETS, N_IMAGES)) * 2
    splits = RepeatedKFold(n_splits=5, n_repeats=n_repeats, random_state=0).split(X[0])
    halves = np.split(np.arange(N_INPUTS), 2)
    return np.stack(
        [
            np.subtract(*(held_out_score(X[..., half], y, *split) for half in halves))
            for split in splits
        ],
        axis=1,
    )


def held_out_score(X: Array, y: Array, train: Array, test: Array) -> Array:
    """Fit a ridge regression per data set by the normal equations; return R^2 on the test part."""
    A, b = X[:, train], y[:, train]
    gram = A.swapaxes(1, 2) @ A + np.eye(X.shape[-1])
    weights = np.linalg.solve(gram, A.swapaxes(1, 2) @ b[..., None])
    error = (y[:, test] - (X[:, test] @ weights)[..., 0]) ** 2
    return np.asarray(1 - error.mean(1) / y[:, test].var(1))


@pytest.mark.parametrize("n_repeats", [1, 3, 10])
def test_equally_good_learners_are_rarely_told_apart(n_repeats: int) -> None:
    rejected = corrected_t_test(simulate(n_repeats), ratio=0.25).p < 0.05
    # The nominal level and two standard errors.
    assert rejected.mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / N_DATA_SETS)


def test_a_paired_t_test_over_repeats_finds_what_is_not_there() -> None:
    assert (corrected_t_test(simulate(10), ratio=0.0).p < 0.05).mean() > 0.4


def test_the_posterior_is_rarely_sure_of_equally_good_learners() -> None:
    probabilities = correlated_t_probabilities(simulate(10), 0.25, rope=0.0)
    assert (probabilities[:, [0, 2]].max(1) > 0.975).mean() <= 0.07


def test_a_real_gap_is_found() -> None:
    test = corrected_t_test(simulate(10, gap=1.0), ratio=0.25)
    assert (test.p < 0.05).mean() > 0.8
    assert (test.low > 0).mean() > 0.8
