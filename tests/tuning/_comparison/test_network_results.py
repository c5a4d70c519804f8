from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from scipy import integrate, stats

from sklearnloss.tuning import LossComparison, NetworkComparison
from sklearnloss.tuning._comparison.network_tables import best_everywhere
from sklearnloss.tuning._comparison.statistics import best_probabilities, corrected_t_test

from ..comparisons import made_up

mpl.use("agg")
from matplotlib import pyplot as plt

Array = np.ndarray[Any, Any]
NAN = math.nan
rng = np.random.default_rng(0)
HARD = rng.normal(0, 0.05, 15)


def scores(noise: float = 0.004, **means: float) -> dict[str, Array]:
    """Return scores of 15 splits by loss, around their means."""
    return {label: mean + HARD + rng.normal(0, noise, 15) for label, mean in means.items()}


def compared(by_network: Mapping[str, Mapping[str, Any]], **options: Any) -> NetworkComparison:
    return NetworkComparison({name: made_up(each, **options) for name, each in by_network.items()})


#: dice is the best one with each network; with "large" focal falls behind.
SAME = {
    "small": scores(dice=0.80, bce=0.75, focal=0.74),
    "large": scores(dice=0.90, bce=0.85, focal=0.70),
}
#: Which one is best depends on the network.
OTHER = {
    "small": scores(dice=0.80, bce=0.70),
    "large": scores(dice=0.80, bce=0.90),
    "odd": scores(dice=0.81, bce=0.70),
}


STATE = rng.bit_generator.state


@pytest.fixture(autouse=True)
def _alike_in_any_order() -> Iterator[None]:
    rng.bit_generator.state = STATE
    yield
    plt.close("all")


def test_scores_are_those_of_the_comparisons() -> None:
    found = compared(SAME)
    assert found.networks_ == ["small", "large"]
    assert found.labels_ == ["dice", "bce", "focal"]
    assert found.scores_.shape == (2, 3, 15, 1)
    for k, name in enumerate(found.networks_):
        each = found.comparisons_[name]
        assert isinstance(each, LossComparison)
        np.testing.assert_array_equal(found.scores_[k], each.scores_)
    assert repr(found) == (
        "<NetworkComparison of dice, bce, focal with small, large on 15 splits x 1 seeds>"
    )


def test_effects_say_what_the_spread_is_due_to() -> None:
    found = compared(SAME)
    share = {row["effect"]: row["share"] for row in found.effects_}
    means = np.array([[0.80, 0.75, 0.74], [0.90, 0.85, 0.70]])
    loss = means.mean(0) - means.mean()
    network = means.mean(1) - means.mean()
    both = means - means.mean() - loss - network[:, None]
    expected = np.array([np.mean(loss**2), np.mean(network**2), np.mean(both**2), 0.004**2])
    np.testing.assert_allclose(list(share.values()), expected / expected.sum(), atol=0.05)


def test_one_best_loss_for_all_networks_is_named_with_its_probability() -> None:
    found = compared(SAME)
    assert [row["loss"] for row in found.best_losses_] == ["dice", "dice"]
    assert found.best_losses_[0]["beats"] == ["bce", "focal"]
    assert found.same_best_loss_ > 0.99
    assert found.ranks_[0]["loss"] == "dice"
    assert found.ranks_[0]["mean_rank"] == 1
    assert found.verdict_ == ("dice (P > .999) is best or as good (within .01) for both networks")


def test_best_losses_that_differ_are_named_by_network() -> None:
    found = compared(OTHER)
    assert [row["loss"] for row in found.best_losses_] == ["dice", "bce", "dice"]
    assert found.same_best_loss_ < 0.01
    assert found.verdict_.startswith(
        "the best loss differs: none is best or as good (within .01) for all 3 networks (P > .999)"
    )
    assert "dice scores highest with small (P(best) > .999) and odd" in found.verdict_
    assert found.verdict_.endswith("bce with large (P(best) > .999)")


def test_too_little_evidence_is_called_undecided() -> None:
    noisy = {
        "small": scores(0.06, dice=0.80, bce=0.79),
        "large": scores(0.06, dice=0.80, bce=0.81),
    }
    found = compared(noisy)
    assert 0.05 < found.same_best_loss_ < 0.95
    assert found.verdict_.startswith("undecided: ")
    assert "that one loss is best or as good (within .01) for both networks has P = ." in (
        found.verdict_
    )


def test_losses_that_do_not_differ_are_all_as_good() -> None:
    close = {name: scores(0.002, dice=0.8, bce=0.8) for name in ("small", "large")}
    found = compared(close)
    assert "dice (P " in found.verdict_
    assert "bce (P " in found.verdict_
    assert "are each best or as good (within .01) for both networks" in found.verdict_


def test_one_loss_is_best_but_which_one_is_open() -> None:
    shift = rng.normal(0, 0.03, 15)
    # Both networks agree in each split on which loss is better.
    together = {
        name: {"dice": 0.8 + shift, "bce": 0.8 - shift + rng.normal(0, 1e-3, 15)}
        for name in ("small", "large")
    }
    found = compared(together)
    assert found.same_best_loss_ >= 0.95
    assert max(row["p_best_for_all"] for row in found.ranks_) < 0.95
    assert "but which one is open: " in found.verdict_
    assert " or " in found.verdict_


def test_without_a_rope_the_best_has_to_be_the_best() -> None:
    assert compared(SAME, rope=0.0).verdict_ == "dice (P > .999) is best for both networks"
    assert compared(SAME, rope=0.2).same_best_loss_ == 1


def test_for_one_network_it_is_the_probability_of_the_best() -> None:
    by_split = np.array([[*each.values()] for each in [scores(0.03, a=0.8, b=0.81, c=0.79)]])
    each, any_ = best_everywhere(by_split, 0.25, 0.0)
    np.testing.assert_allclose(each, best_probabilities(by_split[0], 0.25), atol=1e-12)
    assert any_ == pytest.approx(1)


def test_probabilities_for_all_networks_by_integration() -> None:
    # Two independent differences with the same scale share one chi-square.
    one, two = rng.normal(0.01, 0.03, (2, 15))
    one, two = one - one.mean(), two - two.mean()
    two -= one * (one @ two) / (one @ one)  # uncorrelated over the splits
    one, two = one + 0.01, two + 0.005
    by_split = np.array([[one, 0 * one], [two, 0 * two]]) + 0.5
    each, _ = best_everywhere(by_split, 0.25, 0.0)
    scale = [np.sqrt((1 / 15 + 0.25) * d.var(ddof=1)) for d in (one, two)]

    def both(chi: float) -> float:
        spread = np.sqrt(14 / chi)
        parts = [
            stats.norm.cdf(d.mean() / (s * spread)) for d, s in zip((one, two), scale, strict=True)
        ]
        return float(np.prod(parts) * stats.chi2.pdf(chi, 14))

    expected, _ = integrate.quad(both, 1e-9, 100)
    assert each[0] == pytest.approx(expected, abs=0.01)


def test_ranks_are_means_over_networks() -> None:
    found = compared(
        {
            "a": scores(1e-4, dice=0.9, bce=0.8, focal=0.7),
            "b": scores(1e-4, dice=0.9, bce=0.7, focal=0.8),
        }
    )
    ranks = {row["loss"]: row["mean_rank"] for row in found.ranks_}
    assert ranks == {"dice": 1.0, "bce": 2.5, "focal": 2.5}
    assert found.ranks_[1]["ranks"] in ({"a": 2.0, "b": 3.0}, {"a": 3.0, "b": 2.0})


def test_a_loss_that_failed_with_one_network_is_left_out_and_named() -> None:
    small = made_up(SAME["small"], diverged={"focal": [1, 2]})
    found = NetworkComparison({"small": small, "large": made_up(SAME["large"])})
    assert found.notes_ == ["left out: focal (diverged in 2 of 15 fits with small)"]
    assert [row["loss"] for row in found.ranks_] == ["dice", "bce"]
    assert np.isfinite([row["share"] for row in found.effects_]).all()
    assert found.notes_[0] in found.summary()
    assert "small, focal: the <loss> became nan" in found.summary()
    assert np.isnan(found.scores_[0, 2]).any()


def test_a_network_with_which_nothing_finished_is_left_out_and_named() -> None:
    small = made_up(SAME["small"], diverged={label: [k] for k, label in enumerate(SAME["small"])})
    found = NetworkComparison({"small": small, "large": made_up(SAME["large"])})
    assert found.notes_ == ["left out: small (no loss finished all its fits)"]
    assert found.best_losses_[0]["loss"] is None
    assert found.verdict_ == (
        "no verdict: 3 losses and 1 network with all scores, expected two of each"
    )
    assert found.summary()
    found.plot()
    nothing = NetworkComparison({"small": small, "large": small})
    assert nothing.verdict_.startswith("no verdict: 0 losses and 0 networks")
    assert np.isnan(nothing.same_best_loss_)
    assert nothing.ranks_ == []
    assert nothing.summary()
    nothing.plot()


def test_failures_with_a_score_count_and_are_named() -> None:
    small = made_up(SAME["small"], diverged={"focal": [1]}, error_score=0.0)
    found = NetworkComparison({"small": small, "large": made_up(SAME["large"])})
    assert found.notes_ == ["counted with a bad score: focal (diverged in 1 of 15 fits with small)"]
    assert len(found.ranks_) == 3


def test_one_split_decides_nothing() -> None:
    one = {name: {label: each[:1] for label, each in of.items()} for name, of in SAME.items()}
    found = compared(one, repeatable=False)
    assert found.verdict_.startswith("undecided: how much scores vary from split to split")
    assert np.isnan(found.same_best_loss_)
    assert found.summary()
    found.plot()


def test_the_summary_has_all_tables() -> None:
    found = compared(SAME, baseline=0.4)
    text = found.summary()
    assert text == str(found)
    assert text.startswith("3 losses x 2 networks, 15 splits (3 x 5 folds) x 1 seed, 50 images")
    rows = [line.split() for line in text.splitlines()]
    mean = found.scores_[:, 0].mean((1, 2))
    assert ["dice", *(f".{1000 * each:.0f}" for each in mean), "1.0", ">", ".999"] in rows
    for row in found.effects_:
        (line,) = [line for line in text.splitlines() if line.startswith(f"{row['effect']}  ")]
        assert f"{100 * row['share']:.0f} %" in line
        assert f"[{100 * row['share_low']:.0f}, {100 * row['share_high']:.0f}] %" in line
    assert found.verdict_ in text
    assert "A constant answer, the most frequent label everywhere, scores .400." in text


def test_networks_that_learned_nothing_are_named() -> None:
    found = compared(SAME, baseline=0.8)
    assert "With small, no loss scores higher: nothing was learned." in found.summary()
    assert "With large, no loss" not in found.summary()


def test_frames_hold_the_tables() -> None:
    found = compared(SAME)
    assert found.to_frame()["effect"].tolist() == [row["effect"] for row in found.effects_]
    assert found.to_frame("best")["loss"].tolist() == ["dice", "dice"]
    assert found.to_frame("ranks")["loss"].tolist()[0] == "dice"
    losses, pairs, fits = (found.to_frame(what) for what in ("losses", "pairs", "fits"))
    assert losses.columns[:3].tolist() == ["network", "loss", "mean"]
    assert len(losses) == 6
    assert len(pairs) == 6
    assert pairs.columns[:3].tolist() == ["network", "a", "b"]
    large = fits[(fits["network"] == "large") & (fits["loss"] == "focal")]["score"]
    np.testing.assert_array_equal(large, SAME["large"]["focal"])
    with pytest.raises(ValueError, match="what='all': expected 'effects', 'best', 'ranks'"):
        found.to_frame("all")  # type: ignore[arg-type]


def test_the_picture_has_a_line_per_loss_with_its_intervals() -> None:
    found = compared(SAME)
    left, right = found.plot()
    labels = [text.get_text() for text in left.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == [row["loss"] for row in found.ranks_]
    assert [text.get_text() for text in left.get_xticklabels()] == ["small", "large"]
    for container in left.containers:
        line, _, (bars,) = container.lines  # type: ignore[attr-defined]
        k = found.labels_.index(str(container.get_label()))
        np.testing.assert_allclose(line.get_ydata(), found.scores_[:, k].mean((1, 2)))
        # Against the mean of all scores of the split, by the corrected test.
        by_split = found.scores_.mean(3)
        test = corrected_t_test(
            by_split[:, k] - by_split.mean((0, 1)), found.comparisons_["small"].fits_.ratio
        )
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        half = (test.high - test.low) / 2
        np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * half)
    names = [text.get_text() for text in right.get_yticklabels()]
    assert names[0] == f"loss\n{100 * found.effects_[0]['share']:.0f} %"
    widths = [bar.get_width() for bar in right.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(widths, [100 * row["share"] for row in found.effects_])


def test_pictures_can_be_drawn_on_axes_that_are_there() -> None:
    found = compared(OTHER)
    _, axes = plt.subplots(1, 2)
    assert found.plot(axes) == list(axes)
    (alone,) = found.plot(plt.figure().gca())
    assert alone.lines
    with pytest.raises(ValueError, match="ax holds 3 axes, expected one or two"):
        found.plot(plt.figure().subplots(1, 3))


def test_lines_of_many_losses_look_different() -> None:
    many = {name: scores(**{f"loss {k}": 0.8 for k in range(12)}) for name in ("a", "b")}
    left, _ = compared(many).plot()
    looks = {
        (line.get_color(), line.get_marker(), line.get_linestyle())
        for line in (container.lines[0] for container in left.containers)  # type: ignore[attr-defined]
    }
    assert len(looks) == 12
