"""What a comparison advises to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.tuning._comparison.advice import Options, advise

from ..comparisons import made_up
from .test_results import SCORES

rng = np.random.default_rng(0)
#: Much noise: nobody can tell these apart, but more repeats would.
NOISY = {name: 0.7 + 0.005 * k + rng.normal(0, 0.02, 10) for k, name in enumerate("abc")}
COMMAND = Options(
    repeats="--repeats {}",
    epochs="--epochs {}",
    afresh=" and another --output",
    model="best_model.safetensors",
    n_repeats=2,
)


def curve(*values: float) -> dict[str, Any]:
    return {"curve": [[k + 1, value] for k, value in enumerate(values)]}


@pytest.mark.parametrize(
    ("scores", "diverged", "expected"),
    [
        (SCORES, {}, "Use {best}. {other} is as good in practice. {best} beats poor."),
        ({"a": [0.5, 0.6]}, {}, "Only a was compared"),
        ({"a": [0.5, 0.6], "b": [0.5, 0.7]}, {}, "Use b. a may be as good."),
        (
            {"a": [0.5, 0.6], "b": [0.5, 0.7], "c": [0.4, 0.75]},
            {},
            "Any of these three will do: b, c and a. None is clearly better than b, which has the "
            "highest score.",
        ),
        (SCORES, {"poor": [0], "fine": [0], "same": [0]}, "No loss finished all its fits, so"),
    ],
)
def test_the_first_sentence_says_which_loss_to_use(
    scores: dict[str, Any], diverged: dict[str, list[int]], expected: str
) -> None:
    found = made_up(scores, diverged=diverged)
    other = "same" if found.best_ == "fine" else "fine"
    text = advise(found)[0]
    assert text.startswith(expected.format(best=found.best_, other=other)), text


def test_a_loss_that_is_probably_worse_is_not_called_as_good() -> None:
    found = made_up({"a": [0.8, 0.7, 0.75, 0.7], "b": [0.6, 0.65, 0.62, 0.61]}, rope=0.01)
    assert found.pairs_[0]["outcome"] == "undecided"
    assert advise(found)[0] == "Use a. b is probably worse, but that is not certain."


def test_the_model_is_named() -> None:
    found = made_up(SCORES)
    assert advise(found, COMMAND)[0].startswith(f"Use {found.best_}: best_model.safetensors. ")
    some = {"a": [0.5, 0.6], "b": [0.5, 0.7], "c": [0.4, 0.75]}
    text = advise(made_up(some), COMMAND)[0]
    assert text.endswith("has the highest score and is the loss of best_model.safetensors.")


def test_a_single_loss_is_not_recommended_over_others() -> None:
    advice = advise(made_up({"dice": SCORES["poor"]}), COMMAND)
    assert advice[0] == (
        "Only dice was compared, so there is no choice between losses. Its model is "
        "best_model.safetensors."
    )


def test_losses_with_failed_fits_get_no_verdict() -> None:
    found = made_up(SCORES, diverged={"poor": [0]})
    assert "There is no verdict on poor: not all fits finished." in advise(found)


@pytest.mark.parametrize(
    ("options", "default_cv", "hint"),
    [
        (None, True, ": n_repeats={}."),  # two repeats of five folds are done
        (None, False, "."),
        (COMMAND, False, ": --repeats {}."),
    ],
)
def test_the_number_of_repeats_is_the_one_that_the_test_needs(
    options: Options | None, default_cv: bool, hint: str
) -> None:
    scores = {"a": NOISY["a"] + 0.03, "b": NOISY["b"]}
    found = made_up(scores, default_cv=default_cv, n_images=500)
    (pair,) = found.pairs_
    more = pair["more_repeats"]
    assert more is not None
    assert f"about {more} more repeat" in pair["verdict"]
    noun = "repeat" if more == 1 else "repeats"
    expected = f"{more} more {noun} would probably show whether a is better than b"
    assert expected + hint.format(2 + more) in advise(found, options)


def test_more_images_are_advised_where_repeats_would_hardly_help() -> None:
    found = made_up(NOISY, repeatable=False)
    expected = "More images would show which loss is better; more repeats would hardly help."
    assert expected in advise(found)
    scores = {"a": NOISY["a"] + 0.03, "b": NOISY["b"]}
    assert expected in advise(made_up(scores, n_images=500), Options(repeats=""))


def test_long_trainings_are_announced() -> None:
    scores = {"a": NOISY["a"] + 0.03, "b": NOISY["b"]}
    found = made_up(scores, n_images=500, seconds=120)
    minutes = found.pairs_[0]["more_repeats"] * 5 * 2 * 120 / 60
    text = " ".join(advise(found))
    assert f"(about {minutes:.0f} min of training)" in text or f"{minutes / 60:.0f} h of" in text


def test_nothing_learned_asks_for_more_epochs() -> None:
    kept = {"a": curve(3, 2, 1), "b": curve(3, 2, 1)}
    found = made_up({"a": [0.5, 0.5, 0.5], "b": [0.49, 0.5, 0.5]}, baseline=0.5, kept=kept)
    first, second = advise(found)
    assert first.startswith("Nothing was learned: the best loss, a, scores .500, and a constant")
    assert second.startswith("Train longer: max_epochs=9; so far 3. If that does not help, check")
    assert "Train longer: --epochs 9 and another --output; so far 3." in advise(found, COMMAND)[1]
    unknown = made_up({"a": [0.5, 0.5, 0.5], "b": [0.49, 0.5, 0.5]}, baseline=0.5)
    assert "Train longer: max_epochs=...." in advise(unknown)[1]


def test_a_single_loss_that_learned_nothing_is_named() -> None:
    found = made_up({"a": [0.9, 0.9, 0.91], "b": [0.5, 0.5, 0.5]}, baseline=0.5)
    first, *others = advise(found)
    assert first == "Use a."
    assert any(line.startswith("b scores no better than a constant answer") for line in others)


def test_a_score_that_still_rises_asks_for_more_epochs() -> None:
    kept = {name: curve(3, 2, 1, 0.9) for name in NOISY}
    found = made_up(NOISY, kept=kept)
    rising = [(1, 0.2), (2, 0.5), (3, 0.55), (4, 0.57)]
    line = advise(found, COMMAND, rising)[1]
    assert line.endswith("Train longer: --epochs 8 and another --output; so far 4.")
    assert "the score still rose by .070 in the second half" in line
    flat = [(1, 0.2), (2, 0.565), (3, 0.57), (4, 0.57)]
    assert not any("longer" in line for line in advise(found, COMMAND, flat))


def test_a_training_loss_that_fell_until_the_end_asks_for_more_epochs() -> None:
    for values, longer in (((4, 3, 2, 1), True), ((4, 1.1, 1.05, 1), False)):
        found = made_up(NOISY, kept={name: curve(*values) for name in NOISY})
        assert any("max_epochs=8; so far 4" in line for line in advise(found)) == longer


def test_text_html_and_notebook_give_the_same_advice() -> None:
    found = made_up(SCORES)
    first = found.advice()[0]
    assert found.summary().startswith(first)
    assert first in found._repr_html_()
    assert found._render_report().index(first) < found._render_report().index("<h2>")
