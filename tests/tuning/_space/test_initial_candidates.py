from __future__ import annotations

from typing import Any

import pytest
from scipy import stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.losses import FocalLoss
from sklearnloss.tuning._space.initial_candidates import with_initial_candidates
from sklearnloss.tuning._space.parse import read_space

from ..searches import X, search, y

FOCAL = FocalLoss(gamma=3)


def first(given: Any, losses: Any, space: Any = None, estimator: Any = None) -> list[Any]:
    """Return the estimator's parameters of the initial candidates."""
    estimator = UNetSegmenter() if estimator is None else estimator
    found = with_initial_candidates(read_space(estimator, losses, space), estimator, given)
    return [found.params(values) for values, _ in found.initial]


def test_what_is_not_given_has_its_default() -> None:
    given = [{"loss": "tversky", "loss__alpha": 0.25}, {"loss": "focal"}]
    assert first(given, ["focal", "tversky"]) == [
        {"loss": "tversky", "loss__alpha": 0.25, "loss__beta": 0.5},
        {"loss": "focal", "loss__gamma": 2.0},
    ]


def test_a_loss_is_given_by_its_label_or_as_it_is() -> None:
    losses = {"mine": FOCAL, "dice": "dice"}
    for loss in ("mine", FOCAL):
        assert first([{"loss": loss}], losses) == [{"loss": FOCAL}]
    assert first([{}], [FOCAL]) == [{"loss": FOCAL}]  # the only one


def test_short_names_in_a_pipeline() -> None:
    model = make_pipeline(StandardScaler(), UNetSegmenter())
    given = [{"loss": "focal", "loss__gamma": 1.0, "unetsegmenter__lr": 0.005}]
    assert first(given, ["focal", "dice"], {"lr": (1e-3, 1e-2)}, model) == [
        {
            "unetsegmenter__loss": "focal",
            "unetsegmenter__loss__gamma": 1.0,
            "unetsegmenter__lr": 0.005,
        }
    ]


def test_the_range_that_fits_is_found_among_several() -> None:
    grids = [{"C": (0.1, 1.0)}, {"C": (5.0, 9.0), "kernel": ["linear"]}]

    found = first([{"C": 6.0, "kernel": "linear"}, {"C": 0.5}], None, grids, SVC())
    assert found == [{"C": 6.0, "kernel": "linear"}, {"C": 0.5}]


def test_values_of_a_scipy_distribution() -> None:
    (found,) = first([{"C": 2.5}], None, {"C": stats.lognorm(1.0)}, SVC())
    assert found["C"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"loss": "tversky", "loss__alpha": 3.0}], r"\[0\] has loss__alpha=3.0, which is outside"),
        ([{"loss": "dice"}, {"loss": "bce"}], r"\[1\] has the loss 'bce', which is not among"),
        ([{"loss": "dise"}], "Did you mean 'dice'"),
        ([{"loss": FocalLoss()}], "has the loss FocalLoss.*not among those to search"),
        ([{"loss__alpha": 0.5}], r"has no 'loss'. Expected one of \['dice', 'tversky'\]"),
        ([{"loss": "tversky", "lr": 0.01}], "has 'lr', which is not searched. Those that are"),
        (["tversky"], r"\[0\]='tversky'. Expected a dict"),
        ([{1: 2}], "has the key 1. Expected a str"),
    ],
)
def test_what_is_not_in_the_space_is_refused(given: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        first(given, ["dice", "tversky"])


def test_the_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"of the range \(0.1, 10, 'log'\). Pass a value inside"):
        first([{"C": 100.0}], None, {"C": (0.1, 10.0, "log")}, SVC())


def test_a_search_refuses_them_before_it_reads_data() -> None:
    found = LossSearchCV(UNetSegmenter(), ["dice"], initial_candidates=[{"loss": "bce"}])
    with pytest.raises(ValueError, match="not among those to search"):
        found.fit(None, None)


def test_they_are_tried_first_and_once() -> None:
    given = [{"C": 3.0}, {"C": 1.0}, {"C": 3.0}]
    found = search(initial_candidates=given, refit=False).fit(X, y)
    chosen = [params["C"] for params in found.cv_results_["params"]]
    assert chosen[:2] == [3.0, 1.0]  # the second is the default
    assert len(set(chosen)) == 4
    whole = search(initial_candidates=given, refit=False, n_trials=1).fit(X, y)
    assert [params["C"] for params in whole.cv_results_["params"]] == [3.0]


def test_they_may_be_added_to_a_search_in_a_storage(tmp_path: Any) -> None:
    for n, given in ((2, None), (4, [{"C": 3.0}, {"C": 1.0}])):
        options: dict[str, Any] = {"storage": tmp_path / "s.journal", "refit": False}
        found = search(initial_candidates=given, n_trials=n, **options).fit(X, y)
    assert [params["C"] for params in found.cv_results_["params"]][2] == 3.0
