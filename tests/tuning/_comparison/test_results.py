from __future__ import annotations

import builtins
import math
import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from sklearnloss.tuning._comparison.fits import FitTable
from sklearnloss.tuning._comparison.image_summary import add_image_columns, mean_image_scores
from sklearnloss.tuning._comparison.splits import folds_per_repeat
from sklearnloss.tuning._comparison.statistics import (
    corrected_t_test,
    correlated_t_probabilities,
    holm,
)

from ..comparisons import made_up
from .test_statistics import N_DATA_SETS, simulate

mpl.use("agg")
from matplotlib import pyplot as plt

Array = np.ndarray[Any, Any]
NOISE = np.random.default_rng(0).normal(0, 0.01, size=15)
JITTER = np.random.default_rng(1).normal(0, 0.002, size=(3, 15))
# "fine" is better than "poor" by .05, and practically the same as "same".
SCORES = {
    "poor": 0.75 + NOISE + JITTER[0],
    "fine": 0.80 + NOISE + JITTER[1],
    "same": 0.7999 + NOISE + JITTER[2],
}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_the_table_has_means_and_spreads_the_best_first() -> None:
    scores = {"a": [[0.5, 0.7], [0.6, 0.6]], "b": [[0.9, 0.7], [0.8, 1.0]]}
    first, second = made_up(scores, other={"a": [0.1, 0.2], "b": [0.3, 0.3]}).table_
    assert (first["loss"], second["loss"]) == ("b", "a")
    assert first["mean"] == pytest.approx(0.85)
    # Each split's score is the mean over its seeds: .8 and .9.
    assert first["sd_folds"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert first["sd_seeds"] == pytest.approx(np.std([0.9, 0.7], ddof=1))
    assert second["sd_seeds"] == pytest.approx(np.sqrt((0.2**2 / 2 + 0) / 2))
    assert first["fits"] == 4
    assert first["fit_seconds"] == 2
    assert second["mean_other"] == pytest.approx(0.15)
    assert second["sd_folds_other"] == pytest.approx(np.std([0.1, 0.2], ddof=1))
    assert first["p_best"] + second["p_best"] == pytest.approx(1)


def test_pairs_have_the_corrected_test_of_means_over_seeds() -> None:
    rng = np.random.default_rng(0)
    scores = {label: rng.normal(0.7, 0.05, size=(15, 3)) for label in "abc"}
    found = made_up(scores)
    means = {label: each.mean(1) for label, each in scores.items()}
    differences = [means[pair["a"]] - means[pair["b"]] for pair in found.pairs_]
    test = corrected_t_test(differences, ratio=10 / 40)
    for name in ("low", "high", "p"):
        np.testing.assert_allclose([pair[name] for pair in found.pairs_], getattr(test, name))
    np.testing.assert_allclose([pair["p_holm"] for pair in found.pairs_], holm(test.p))
    names = ("p_worse", "p_equivalent", "p_better")
    np.testing.assert_allclose(
        [[pair[name] for name in names] for pair in found.pairs_],
        correlated_t_probabilities(differences, 0.25, 0.01),
    )
    assert all(pair["difference"] >= 0 for pair in found.pairs_)


def test_verdicts_say_what_is_known() -> None:
    found = made_up(SCORES)
    verdicts = {(pair["a"], pair["b"]): pair for pair in found.pairs_}
    beats = verdicts["fine", "poor"]
    assert beats["outcome"] == "better"
    assert re.fullmatch(
        r"fine beats poor by \.0\d\d \[\.0\d\d, \.0\d\d\], P\(better\) > \.999", beats["verdict"]
    )
    (equal,) = [pair for pair in found.pairs_ if {pair["a"], pair["b"]} == {"fine", "same"}]
    assert equal["outcome"] == "equivalent"
    assert "are equivalent within ±.01 (P > .999)" in equal["verdict"]


def test_what_is_sure_but_small_is_equivalent() -> None:
    scores = {"a": 0.8 + NOISE + JITTER[0] / 20, "b": 0.797 + NOISE}
    (pair,) = made_up(scores).pairs_
    assert pair["p_holm"] < 0.05
    assert pair["outcome"] == "equivalent"
    assert re.search(r"though a is ahead by \.003\d? \[\.00", pair["verdict"])


def test_what_is_sure_but_likely_no_larger_than_matters_is_not_said_to_beat() -> None:
    noise = np.random.default_rng(0).normal(size=15)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    (pair,) = made_up({"a": 0.5 + 0.0095 + 0.004 * noise, "b": np.full(15, 0.5)}).pairs_
    assert pair["outcome"] == "better"
    assert pair["p_better"] < 0.5
    assert re.fullmatch(
        r"a is ahead of b by \.0095 \[\.0\d+, \.0\d+\]: a real difference, but likely no larger "
        r"than what matters, \.01 \(P\(better\) = \.\d\d\)",
        pair["verdict"],
    )


def test_an_open_question_says_how_many_repeats_are_missing() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=5)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    (pair,) = made_up({"a": 0.8 + 0.03 * noise, "b": np.full(5, 0.765)}).pairs_
    assert pair["outcome"] == "undecided"
    match = re.fullmatch(
        r"no evidence yet that a beats b: \.035 \[-\.0\d+, \.0\d+\], adjusted p = \.\d+; "
        r"about (\d+) more repeats of the 5 folds needed",
        pair["verdict"],
    )
    assert match is not None
    n = 5 * (1 + int(match.group(1)))
    enough = np.resize(noise, n)
    enough = 0.035 + 0.03 * (enough - enough.mean()) / enough.std(ddof=1)
    assert corrected_t_test(enough, 0.25).p < 0.05


@pytest.mark.parametrize("repeatable", [True, False])
def test_an_open_question_that_repeats_cannot_settle_says_so(repeatable: bool) -> None:
    spread = 0.2 if repeatable else 0.03
    noise = np.random.default_rng(3).normal(0, spread, size=5)
    noise -= noise.mean()
    (pair,) = made_up({"a": 0.53 + noise, "b": np.full(5, 0.5)}, repeatable=repeatable).pairs_
    assert pair["verdict"].endswith("; more repeats would hardly help, more images might")


@pytest.mark.parametrize(
    ("difference", "words"),
    [(0.1, "a is ahead of b by .100 in every split"), (0.0, "have the same score in every split")],
)
def test_equal_differences_in_all_splits_decide_nothing(difference: float, words: str) -> None:
    other = np.array([0.3, 0.6, 0.8, 0.5, 0.7])
    found = made_up({"a": other + difference, "b": other})
    (pair,) = found.pairs_
    assert pair["outcome"] == "undecided"
    assert words in pair["verdict"]
    assert np.isnan([pair["p"], pair["p_holm"], pair["low"], pair["p_better"]]).all()
    best = [row["p_best"] for row in found.table_]
    assert np.isnan(best).all() if difference else best == pytest.approx([0.5, 0.5])


def test_verdicts_follow_the_p_that_is_adjusted_for_the_number_of_pairs() -> None:
    noise = np.linspace(-1, 1, 15)
    rng = np.random.default_rng(0)
    scores = {
        name: 0.5 + gain + 0.02 * rng.permutation(noise)
        for name, gain in [("a", 0.0195), ("b", 0.0), ("c", -0.0005), ("d", -0.001)]
    }
    found = made_up(scores, rope=0.0)
    between = [pair for pair in found.pairs_ if pair["p"] < 0.05 <= pair["p_holm"]]
    assert between  # otherwise this test shows nothing
    assert {pair["outcome"] for pair in between} == {"undecided"}
    sure = [pair for pair in found.pairs_ if pair["p_holm"] < 0.05]
    assert {pair["outcome"] for pair in sure} <= {"better"}


def test_the_baseline_stands_below_the_table_and_in_the_picture() -> None:
    found = made_up(SCORES, baseline=0.2)
    assert found.learned_ is True
    assert "most frequent label everywhere, scores .200" in found.summary()
    axes = found.plot()[0]
    assert any(np.allclose(line.get_xdata(), 0.2) for line in axes.lines)
    assert made_up(SCORES).learned_ is None
    assert made_up(SCORES, baseline=0.99).learned_ is False


def test_one_split_gives_no_verdict() -> None:
    (pair,) = made_up({"a": [0.9], "b": [0.1]}).pairs_
    assert pair["outcome"] == "unknown"
    assert pair["verdict"] == "one split cannot show which of a and b is better: use several"


def test_splits_that_are_no_folds_are_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=6)
    noise = 0.03 * (noise - noise.mean()) / noise.std(ddof=1)
    (pair,) = made_up({"a": 0.535 + noise, "b": np.full(6, 0.5)}).pairs_  # one fold and a bit
    assert re.search(r"about \d+ more splits? needed$", pair["verdict"])


@pytest.mark.parametrize(
    ("tests", "n_folds"),
    [
        ([[0, 1], [2, 3], [3, 1], [0, 2]], 2),
        ([[0, 1], [2, 3], [3, 1]], 1),
        ([[0, 1], [1, 2], [0, 3]], 1),
        ([[0], [1]], 1),
        ([[0, 1, 2, 3]], 1),
    ],
)
def test_folds_are_recognised(tests: list[list[int]], n_folds: int) -> None:
    assert folds_per_repeat([np.array(test) for test in tests], 4) == n_folds


def test_a_loss_with_failures_has_no_score_however_good_the_rest() -> None:
    good = {**SCORES, "lucky": SCORES["fine"] + 0.1}
    found = made_up(good, diverged={"lucky": [3]})
    last = found.table_[-1]
    assert last["loss"] == "lucky"
    assert math.isnan(last["mean"])
    assert last["mean_finished"] == pytest.approx(np.delete(good["lucky"], 3).mean())
    assert found.best_ in ("fine", "same")
    pairs = [pair for pair in found.pairs_ if pair["b"] == "lucky"]
    assert len(pairs) == 3
    assert {pair["outcome"] for pair in pairs} == {"failed"}
    assert all("lucky diverged in 1 of 15 fits" in pair["verdict"] for pair in pairs)
    # The others are as if it were not there, their p-values too.
    rest = [pair for pair in found.pairs_ if "lucky" not in (pair["a"], pair["b"])]
    assert rest == made_up(SCORES).pairs_


def test_a_number_for_failures_lowers_the_mean() -> None:
    found = made_up(SCORES, diverged={"fine": [3, 4]}, error_score=0.0)
    k = found.labels_.index("fine")
    np.testing.assert_array_equal(found.scores_[k, [3, 4], 0], 0)
    row = next(row for row in found.table_ if row["loss"] == "fine")
    assert row["mean"] == pytest.approx(np.delete(SCORES["fine"], [3, 4]).sum() / 15)
    verdicts = [pair["verdict"] for pair in found.pairs_ if "fine" in (pair["a"], pair["b"])]
    assert all("fine diverged in 2 of 15 fits" in verdict for verdict in verdicts)


def test_a_number_that_would_help_is_replaced_by_the_worst_score() -> None:
    negative = {label: each - 1 for label, each in SCORES.items()}
    found = made_up(negative, diverged={"fine": [3]}, error_score=0.0)
    k = found.labels_.index("fine")
    assert found.scores_[k, 3, 0] == np.nanmin(found.fits_.scores["score"])


def test_nothing_is_best_if_all_failed_somewhere() -> None:
    found = made_up(SCORES, diverged={"fine": [0], "poor": [1], "same": [2]})
    assert found.best_ is None
    assert [row["loss"] for row in found.table_][-1] == "poor"
    assert {pair["outcome"] for pair in found.pairs_} == {"failed"}


@pytest.mark.slow
def test_equally_good_losses_are_rarely_declared_unlike() -> None:
    # Three losses, the third as good: one false verdict in a family is one too many.
    pair, other = simulate(3), simulate(3)[::-1]
    n = 200
    wrong = 0
    for k in range(n):
        scores = {"a": pair[k], "b": np.zeros(15), "c": other[k]}
        found = made_up(scores, rope=0.0)
        wrong += any(row["outcome"] == "better" for row in found.pairs_)
    assert n <= N_DATA_SETS
    assert wrong / n <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n)


def test_images_are_described() -> None:
    found = made_up(SCORES, images=True)
    assert found.image_scores_ is not None
    # Each image has the score of its three fits, and a thousandth of its number.
    tests = found.fits_.tests
    fits = [j for j, test in enumerate(tests) if 7 in test]
    assert len(fits) == 3
    expected = SCORES["fine"][fits].mean() + 0.007
    assert found.image_scores_[1, 7] == pytest.approx(expected)
    pair = next(pair for pair in found.pairs_ if pair["b"] == "poor")
    assert (pair["image_wins"], pair["image_losses"], pair["image_ties"]) == (50, 0, 0)
    assert pair["image_low"] < pair["image_difference"] < pair["image_high"]
    assert pair["image_difference"] == pytest.approx(pair["difference"])


def test_the_bootstrap_interval_of_images_covers_95_percent() -> None:
    # Of one fit with many images, the interval is that of a normal mean.
    rng = np.random.default_rng(0)
    n, sd = 2000, 0.1
    fits = made_up({"a": np.full(5, 0.5), "b": np.full(5, 0.5)}, n_images=n, images=True).fits_
    noise = rng.normal(0, sd, n)
    for j, test in enumerate(fits.tests):
        fits.images[0][j][0] = (0.5 + noise[test]).tolist()
        fits.images[1][j][0] = np.full(len(test), 0.5).tolist()
    pair: dict[str, Any] = {"a": "a", "b": "b"}
    means = mean_image_scores(fits)
    assert means is not None
    add_image_columns([pair], fits, means)
    # Fits drawn with replacement, then images: a share of 1/5 of the variance once more.
    of_fits = np.var([noise[test].mean() for test in fits.tests]) / 5
    expected = 2 * 1.96 * np.sqrt(sd**2 / n + of_fits)
    assert pair["image_high"] - pair["image_low"] == pytest.approx(expected, rel=0.06)


def test_the_hardest_images_come_first() -> None:
    found = made_up({"a": np.full(5, 0.5), "b": np.full(5, 0.7)}, images=True)
    assert [row["image"] for row in found.worst_images_] == list(range(10))
    worst = found.worst_images_[3]
    assert worst["mean"] == pytest.approx(0.603)
    assert worst["scores"] == pytest.approx({"a": 0.503, "b": 0.703})


def test_images_of_a_fit_that_failed_have_no_score() -> None:
    found = made_up(SCORES, images=True, diverged={"fine": [0]})
    assert found.image_scores_ is not None
    np.testing.assert_array_equal(
        np.flatnonzero(np.isnan(found.image_scores_[1])), found.fits_.tests[0]
    )
    pair = next(pair for pair in found.pairs_ if pair["b"] == "fine")
    assert math.isnan(pair["image_low"])
    other = next(pair for pair in found.pairs_ if "fine" not in (pair["a"], pair["b"]))
    assert not math.isnan(other["image_low"])


def test_images_that_are_never_held_out_have_no_score() -> None:
    found = made_up({"a": [0.5], "b": [0.6]}, images=True)
    assert found.image_scores_ is not None
    assert np.isfinite(found.image_scores_).sum() == 2 * len(found.fits_.tests[0])
    assert {row["image"] for row in found.worst_images_} <= set(found.fits_.tests[0].tolist())


def test_the_summary_shows_losses_failures_and_verdicts() -> None:
    text = made_up({**SCORES, "bad": SCORES["poor"]}, diverged={"bad": [0, 1]}).summary()
    advice, _, scores = text.partition("\n\n")
    assert advice.endswith("There is no verdict on bad: not all fits finished.")
    lines = scores.splitlines()
    assert lines[0] == "4 losses, 15 splits (3 x 5 folds) x 1 seed, 50 images, scored by mean IoU"
    assert lines[2].split("  ")[-1] == "not finished"
    assert re.match(r"(fine|same) +\.\d{3} +\.0\d\d +\.\d+ +2 +-$", lines[3])
    assert re.match(r"bad +- +- +- +2 +diverged in 2 of 15 fits$", lines[6])
    assert "bad: the <loss> became nan" in text
    assert "fine beats poor by" in text
    assert "P(better): that the true difference is above .01" in lines[-1]
    assert "adjusted p: how often equally good losses would differ" in lines[-2]
    assert len({line.index("sd folds") for line in lines if "  sd folds" in line}) == 1


def test_reprs_are_short() -> None:
    found = made_up({"a": [0.5, 0.6], "b": [0.6, 0.65]})
    assert repr(found) == "<LossComparison of a, b on 2 splits x 1 seeds; best: b>"
    assert str(found) == found.summary()


def test_frames_hold_the_tables() -> None:
    found = made_up(SCORES, diverged={"poor": [2]})
    losses, pairs, fits = (found.to_frame(what) for what in ("losses", "pairs", "fits"))
    assert losses.index.tolist() == [row["loss"] for row in found.table_]
    assert losses.loc["fine", "mean"] == found.table_[0 if found.best_ == "fine" else 1]["mean"]
    assert pairs["verdict"].tolist() == [pair["verdict"] for pair in found.pairs_]
    assert len(fits) == 45
    mean = fits[fits["loss"] == "same"]["score"].mean()
    assert mean == pytest.approx(SCORES["same"].mean())
    assert fits["status"].value_counts()["diverged"] == 1
    with pytest.raises(ValueError, match="what='all': expected 'losses', 'pairs' or 'fits'"):
        found.to_frame("all")  # type: ignore[arg-type]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that hides a library."""
    original = builtins.__import__

    def hide(library: str) -> None:
        def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.partition(".")[0] == library:
                raise ImportError(name)
            return original(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", refuse)

    return hide


def test_a_missing_pandas_is_named(without: Any) -> None:
    found = made_up(SCORES)
    without("pandas")
    with pytest.raises(ImportError, match=r"pip install 'sklearnloss\[report\]'"):
        found.to_frame()


def test_a_missing_matplotlib_is_named(without: Any) -> None:
    found = made_up(SCORES)
    without("matplotlib")
    with pytest.raises(ImportError, match=r"LossComparison.plot needs matplotlib"):
        found.plot()


def test_the_picture_has_a_dot_per_fit_and_the_intervals() -> None:
    found = made_up({**SCORES, "bad": SCORES["poor"]}, diverged={"bad": [0, 1]})
    scores, differences = found.plot()
    labels = [text.get_text() for text in scores.get_yticklabels()]
    assert labels == [row["loss"] for row in found.table_]
    dots = [np.size(line.get_xdata()) for line in scores.lines if line.get_marker() == "o"]
    assert sum(dots) == 15 * 3 + 13
    texts = [text.get_text() for text in (*scores.texts, *differences.texts)]
    assert "diverged in 2 of 15 fits" in texts
    assert texts.count("no verdict") == 1
    assert "worse" in texts
    pair = next(pair for pair in found.pairs_ if pair["a"] == found.best_ and pair["b"] == "poor")
    ends = [np.asarray(line.get_xdata()).tolist() for line in differences.lines]
    assert [-pair["high"], -pair["low"]] in ends
    assert str(found.best_) in differences.get_title(loc="left")


def test_pictures_can_be_drawn_on_axes_that_are_there() -> None:
    found = made_up(SCORES)
    figure, axes = plt.subplots(1, 2)
    assert found.plot(axes) == list(axes)
    (alone,) = found.plot(plt.figure().gca())
    assert alone.lines
    assert len(found.plot(axes[None])) == 2  # as subplots(squeeze=False) returns them
    for wrong in ("a", figure, {"a": alone}):
        with pytest.raises(TypeError, match="expected matplotlib Axes, or two of them"):
            found.plot(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ax holds 3 axes, expected one or two"):
        found.plot(figure.subplots(1, 3))


def test_a_comparison_in_which_nothing_is_whole_can_be_drawn() -> None:
    found = made_up(SCORES, diverged={"fine": [0], "poor": [1], "same": [2]})
    scores, differences = found.plot()
    assert scores.lines
    assert not differences.axison


def test_the_ratio_is_that_of_the_splits() -> None:
    fits: FitTable = made_up(SCORES, n_images=52).fits_
    sizes = [len(test) for test in fits.tests]
    assert fits.ratio == pytest.approx(np.mean([n / (52 - n) for n in sizes]))
    assert fits.n_folds == 5
