from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearnloss.tuning import critical_difference
from sklearnloss.tuning._comparison.critical_difference import friedman

from ..comparisons import made_up
from .test_results import SCORES

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def table(values: Any, labels: str = "abcdefghij") -> dict[str, dict[str, float]]:
    """Return scores by data set and loss."""
    return {
        f"data {k}": {label: float(value) for label, value in zip(labels, row, strict=False)}
        for k, row in enumerate(np.asarray(values, dtype=float))
    }


@pytest.mark.parametrize(
    ("k", "q"),
    # Demsar 2006, table 5a: critical values of the two-tailed Nemenyi test, q.05.
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031),
     (9, 3.102), (10, 3.164)],
)  # fmt: skip
def test_the_critical_difference_is_nemenyi_s(k: int, q: float) -> None:
    n = 12
    found = critical_difference(table(np.random.default_rng(0).random((n, k))))
    expected = q * np.sqrt(k * (k + 1) / (6 * n))
    assert found.critical_difference_ == pytest.approx(expected, rel=5e-4)


def test_another_level_has_another_critical_difference() -> None:
    found = critical_difference(table(np.random.default_rng(0).random((12, 5))), alpha=0.10)
    assert found.critical_difference_ == pytest.approx(2.459 * np.sqrt(30 / 72), rel=5e-4)


@pytest.mark.parametrize("decimals", [8, 1])
def test_friedman_s_test_is_scipy_s_with_ties_or_without(decimals: int) -> None:
    scores = np.random.default_rng(0).random((9, 4)).round(decimals)
    expected = stats.friedmanchisquare(*scores.T)
    found = critical_difference(table(scores))
    assert found.statistic_ == pytest.approx(expected.statistic)
    assert found.p_value_ == pytest.approx(expected.pvalue)


def test_losses_that_rank_alike_are_not_told_apart() -> None:
    assert friedman(np.full((5, 3), 2.0)) == (0.0, 1.0)


def test_high_scores_rank_first_and_ties_share() -> None:
    found = critical_difference(table([[0.9, 0.5, 0.5], [0.8, 0.6, 0.7]]))
    assert found.ranks_ == {"a": 1.0, "c": 2.25, "b": 2.75}
    assert list(found.ranks_) == ["a", "c", "b"]


def test_scores_that_differ_by_rounding_are_ties() -> None:
    found = critical_difference(
        table([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]]) | {"x": {"a": 0, "b": 0}}
    )
    assert found.ranks_ == {"a": 1.5, "b": 1.5}


@pytest.mark.parametrize("score", [np.inf, -np.inf, "91 %", (0.1, 0.2), [0.1], 1j])
def test_scores_that_are_no_finite_numbers_are_refused(score: Any) -> None:
    with pytest.raises(
        ValueError, match=r"results\['one'\] has the score .* for 'a'. Expected one"
    ):
        critical_difference({"one": {"a": score, "b": 1}, "two": {"a": 1, "b": 1}})


@pytest.mark.parametrize("score", [None, np.nan, pd.NA])
def test_scores_that_are_missing_are_refused(score: Any) -> None:
    with pytest.raises(ValueError, match=r"results\['one'\] has no score for a"):
        critical_difference({"one": {"a": score, "b": 1}, "two": {"a": 1, "b": 1}})


def test_groups_are_the_largest_that_are_not_told_apart() -> None:
    # Mean ranks 1, 2, 3, 4, 5 over 20 data sets: critical difference 1.36.
    found = critical_difference(table([[5, 4, 3, 2, 1]] * 20))
    assert found.critical_difference_ == pytest.approx(1.364, abs=1e-3)
    assert found.groups_ == [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]
    wide = critical_difference(table([[5, 4, 3, 2, 1]] * 4))  # 3.05
    assert wide.groups_ == [["a", "b", "c", "d"], ["b", "c", "d", "e"]]


def test_comparisons_are_ranked_by_their_means() -> None:
    comparisons = {f"data {k}": made_up(SCORES) for k in range(3)}
    found = critical_difference(comparisons)
    expected = {row["loss"]: rank for rank, row in enumerate(made_up(SCORES).table_, 1)}
    assert found.ranks_ == expected


def test_a_loss_without_a_score_is_refused() -> None:
    scores = table(np.random.default_rng(0).random((4, 3)))
    scores["data 1"]["b"] = np.nan
    with pytest.raises(ValueError, match=r"results\['data 1'\] has no score for b.*leave out"):
        critical_difference(scores)


@pytest.mark.parametrize("alpha", [0, 1, 2, -0.1, np.nan, "5 %"])
def test_a_level_that_is_none_is_refused(alpha: Any) -> None:
    with pytest.raises(ValueError, match="alpha=.*between 0 and 1"):
        critical_difference(table(np.random.default_rng(0).random((4, 3))), alpha=alpha)


def test_a_data_frame_has_a_row_per_data_set() -> None:
    scores = table(np.random.default_rng(0).random((6, 3)))
    found = critical_difference(pd.DataFrame(scores).T)
    assert found.ranks_ == critical_difference(scores).ranks_


def test_the_folds_of_one_data_set_are_refused() -> None:
    with pytest.raises(TypeError, match="its splits share training images, so they cannot be rows"):
        critical_difference(made_up(SCORES))


@pytest.mark.parametrize(
    ("results", "error", "message"),
    [
        ({"one": made_up(SCORES)}, ValueError, "has 1 data set"),
        ([[1, 2]], TypeError, "results is of type list: expected a dict mapping data set"),
        (
            {"one": [1, 2], "two": [1, 2]},
            TypeError,
            "results['one'] is of type list: expected a LossComparison",
        ),
        (
            {"one": {"a": 1, "b": 2}, "two": {"a": 1}},
            ValueError,
            "the losses ['a'], the others have",
        ),
        ({"one": {"a": 1}, "two": {"a": 1}}, ValueError, "only the loss ['a']"),
    ],
)
def test_what_are_no_data_sets_is_refused(
    results: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        critical_difference(results)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (pd.DataFrame(np.eye(3), index=["a", "a", "b"]), "the data set 'a' 2 times"),
        (pd.DataFrame(np.eye(3), columns=["x", "y", "y"]), "the loss 'y' 2 times"),
        (dict(zip((1, "1"), [{"x": 0.1, "y": 0.2}] * 2, strict=True)), "results holds '1' twice"),
        ({"a": {1: 0.1, "1": 0.2}, "b": {"1": 0.1}}, r"results\['a'\] holds '1' twice"),
    ],
)
def test_names_that_are_there_twice_are_refused(results: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        critical_difference(results)


def test_the_summary_names_ranks_test_and_groups() -> None:
    found = critical_difference(table([[3, 2, 1]] * 30))
    assert found.summary() == (
        "mean ranks over 30 data sets: a 1.00, b 2.00, c 3.00\n"
        "Friedman's test: p < .001; critical difference 0.61\n"
        "not significantly different: none"
    )
    assert str(found) == found.summary()
    assert repr(found) == "<CriticalDifference of a, b, c: p < .001>"


def test_the_picture_shows_ranks_and_joins_groups() -> None:
    found = critical_difference(table(np.random.default_rng(0).random((12, 5))))
    axes = found.plot()
    texts = " ".join(text.get_text() for text in axes.texts)
    for label, rank in found.ranks_.items():
        assert f"{label} ({rank:.2f})" in texts
    assert f"critical difference {found.critical_difference_:.2f} (alpha = .05)" in texts
    bars = [line for line in axes.lines if line.get_linewidth() == 4]
    assert len(bars) == len(found.groups_)
    first, last = found.groups_[0][0], found.groups_[0][-1]
    low, high = np.asarray(bars[0].get_xdata())
    assert low <= found.ranks_[first] <= found.ranks_[last] <= high


def test_it_can_be_drawn_on_axes_that_are_there() -> None:
    axes = plt.figure().gca()
    assert critical_difference(table([[2, 1], [1, 2]])).plot(axes) is axes
