from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sklearnloss.tuning._comparison import effects
from sklearnloss.tuning._comparison.effects import effect_rows
from sklearnloss.tuning._comparison.statistics import corrected_t_test

Array = np.ndarray[Any, Any]
NAMES = ["loss", "network", "loss x network", "rest (splits, seeds)"]

NETWORK = np.array([0.02, -0.03, 0.01])
LOSS = np.array([0.04, 0.0, -0.01, -0.03])
BOTH = 0.02 * np.outer([1.0, -1.0, 0.0], [1.0, -1.0, 1.0, -1.0]) / 2
NOISE = 0.02


def table(
    rng: np.random.Generator,
    network: Any = NETWORK,
    loss: Any = LOSS,
    both: Any = BOTH,
    *,
    n_splits: int = 10,
    n_seeds: int = 1,
    noise: float = NOISE,
    luck: float = 0.0,
) -> Array:
    """Return scores of independent splits, whose difficulty all cells share."""
    means = np.add.outer(network, loss) + both
    hard = rng.normal(0.8, 0.1, n_splits)
    of_split = rng.normal(0, noise, (*means.shape, n_splits))
    of_seed = rng.normal(0, luck, (*means.shape, n_splits, n_seeds))
    scores: Array = (means[..., None] + hard + of_split)[..., None] + of_seed
    return scores


def truth(noise: float = NOISE) -> Array:
    return np.array([np.mean(LOSS**2), np.mean(NETWORK**2), np.mean(BOTH**2), noise**2])


def values(rows: list[dict[str, Any]], key: str) -> Array:
    return np.array([row[key] for row in rows])


def test_without_noise_the_variances_are_those_of_the_effects() -> None:
    rows = effect_rows(table(np.random.default_rng(0), noise=1e-5), 0.25)
    assert [row["effect"] for row in rows] == NAMES
    np.testing.assert_allclose(values(rows, "variance")[:3], truth()[:3], rtol=0.01)
    shares = truth(1e-5) / truth(1e-5).sum()
    np.testing.assert_allclose(values(rows, "share"), shares, atol=1e-3)
    assert values(rows, "share").sum() == pytest.approx(1)


def test_the_variances_by_hand() -> None:
    # Sums of squares of a two-way analysis with the split as a block, in float64.
    scores = table(np.random.default_rng(1), n_splits=6)
    cells = scores[..., 0]
    n_networks, n_losses, n_splits = cells.shape
    grand = cells.mean()
    expected = []
    for axes, keep in (((0, 2), 1), ((1, 2), 0)):
        effect = cells.mean(axes) - grand
        # The interaction of this effect with the split is its noise.
        by_split = cells.mean(axes[0])  # (n_levels, n_splits)
        noise = by_split - by_split.mean(1, keepdims=True)
        noise = noise - noise.mean(0)
        mean_noise = (noise**2).sum() / (n_splits - 1) / cells.shape[keep]
        expected.append(np.mean(effect**2) - (1 / n_splits + 0.2) * mean_noise)
    rows = effect_rows(scores, 0.2)
    found = values(rows, "variance")
    np.testing.assert_allclose(found[:2], expected, rtol=1e-9)
    residuals = cells - cells.mean(2, keepdims=True) - cells.mean((0, 1)) + grand
    dof = (n_networks * n_losses - 1) * (n_splits - 1)
    assert found[3] == pytest.approx((residuals**2).sum() / dof)


def test_known_components_are_recovered_and_covered() -> None:
    rng = np.random.default_rng(2)
    runs = [effect_rows(table(rng), 0.0, seed=k) for k in range(60)]
    mean = np.mean([values(rows, "variance") for rows in runs], axis=0)
    np.testing.assert_allclose(mean, truth(), rtol=0.06)
    covered = [
        (values(rows, "low") <= truth()) & (truth() <= values(rows, "high")) for rows in runs
    ]
    shares = truth() / truth().sum()
    held = [
        (values(rows, "share_low") <= shares) & (shares <= values(rows, "share_high"))
        for rows in runs
    ]
    # Of 60 intervals at 95 %, 52 or more hold the truth with a probability of .98.
    assert (np.sum(covered, axis=0) >= 52).all(), np.sum(covered, axis=0)
    assert (np.sum(held, axis=0) >= 52).all(), np.sum(held, axis=0)
    # and they are not so wide that they would always do
    assert (np.mean([row[0]["share_high"] - row[0]["share_low"] for row in runs])) < 0.25


def test_pure_noise_has_no_share_and_intervals_from_zero() -> None:
    rng = np.random.default_rng(3)
    runs = [effect_rows(table(rng, 0 * NETWORK, 0 * LOSS, 0 * BOTH), 0.0) for _ in range(40)]
    shares = np.array([values(rows, "share") for rows in runs])
    assert (shares[:, :3].mean(0) < 0.02).all()
    lows = np.array([[values(rows, "low")[:3], values(rows, "share_low")[:3]] for rows in runs])
    assert (lows == 0).mean() > 0.93
    assert np.median(shares[:, 3]) > 0.95


def test_overlapping_splits_make_effects_smaller_and_less_certain() -> None:
    scores = table(np.random.default_rng(4))
    alone, overlapping = effect_rows(scores, 0.0), effect_rows(scores, 0.25)
    for one, other in zip(alone[:3], overlapping[:3], strict=True):
        assert other["variance"] < one["variance"]
        assert other["low"] < one["low"]
        assert other["high"] > one["high"]
    assert alone[3]["variance"] == overlapping[3]["variance"]


def test_with_two_losses_the_interval_is_that_of_the_corrected_t_test() -> None:
    rng = np.random.default_rng(5)
    scores = table(rng, [0.02, -0.02], [0.03, -0.03], np.zeros((2, 2)))
    row, *_ = effect_rows(scores, 0.25)
    differences = scores[:, 0].mean((0, 2)) - scores[:, 1].mean((0, 2))
    test = corrected_t_test(differences, 0.25)
    # A loss's effect is half the difference.
    ends = np.sqrt([row["low"], row["high"]])
    np.testing.assert_allclose(ends, [test.low / 2, test.high / 2], rtol=0.03)


def test_the_interval_begins_above_zero_where_the_test_finds_a_difference() -> None:
    for shift in (0.004, 0.008, 0.012, 0.016, 0.02):
        rng = np.random.default_rng(6)
        scores = table(rng, [0, 0], [shift, -shift], np.zeros((2, 2)), n_splits=6)
        row, *_ = effect_rows(scores, 0.25)
        differences = scores[:, 0].mean((0, 2)) - scores[:, 1].mean((0, 2))
        mean = differences.mean()
        scale = np.sqrt((1 / 6 + 0.25) * differences.var(ddof=1))
        p = 2 * stats.t.sf(abs(mean) / scale, 5)
        if not 0.02 < p < 0.03:  # two of 2.5 %, and draws are not that exact
            assert (row["low"] > 0) == (p < 0.025), (shift, p)


@pytest.mark.parametrize("n_seeds", [2, 4])
def test_the_rest_is_the_variance_of_a_single_fit(n_seeds: int) -> None:
    rng = np.random.default_rng(7)
    found = [
        effect_rows(table(rng, n_seeds=n_seeds, noise=0.01, luck=0.03), 0.0)[3]["variance"]
        for _ in range(30)
    ]
    assert np.mean(found) == pytest.approx(0.01**2 + 0.03**2, rel=0.08)


def test_what_cannot_be_estimated_is_nan() -> None:
    keys = ("variance", "low", "high", "share", "share_low", "share_high")
    scores = table(np.random.default_rng(8))
    for unknown in (scores[:, :, :1], np.repeat(scores[:, :, :1], 5, axis=2), scores[:1, :1]):
        rows = effect_rows(unknown, 0.25)
        assert [row["effect"] for row in rows] == NAMES
        assert np.isnan([[row[key] for key in keys] for row in rows]).all()
    loss, network, both, rest = effect_rows(scores[:1], 0.25)
    assert np.isfinite([loss["share_low"], rest["share_high"]]).all()
    assert np.isnan([network["share"], both["variance"]]).all()
    assert loss["share"] + rest["share"] == pytest.approx(1)


def test_an_effect_without_spread_has_no_interval() -> None:
    scores = table(np.random.default_rng(9), both=0 * BOTH)
    scores = np.repeat(scores[:1], 2, axis=0) + np.array([0.1, 0.0])[:, None, None, None]
    loss, network, both, _ = effect_rows(scores, 0.25)
    assert np.isfinite(loss["low"])
    assert network["variance"] == pytest.approx(0.05**2)
    assert np.isnan([network["low"], network["share_high"]]).all()
    assert both["variance"] == pytest.approx(0, abs=1e-12)


def test_intervals_hold_the_estimate_and_shares_fit_together() -> None:
    rng = np.random.default_rng(10)
    for _ in range(20):
        rows = effect_rows(table(rng, n_splits=4), 0.33)
        for row in rows:
            assert 0 <= row["low"] <= row["variance"] <= row["high"]
            assert 0 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1
        assert rows[3]["share_high"] + max(row["share_low"] for row in rows[:3]) <= 1 + 1e-9


def test_the_same_scores_give_the_same_rows() -> None:
    scores = table(np.random.default_rng(11))
    assert effect_rows(scores, 0.25) == effect_rows(scores, 0.25)


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "_N_DRAWS", 4000)
