from __future__ import annotations

import pickle
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from optuna.pruners import MedianPruner
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.tuning import LossSearchDisplay

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def search() -> LossSearchCV:
    X, y, _ = load_nuclei(tile=128, border=False)
    model = UNetSegmenter(width=2, depth=2, max_epochs=2)
    search = LossSearchCV(
        model,
        ["dice", "focal", "hinge"],
        n_trials=5,
        cv=2,
        random_state=0,
        pruner=MedianPruner(n_startup_trials=1),
    )
    search.fit(X[:8], y[:8])
    return search


@pytest.mark.slow
def test_scores_are_those_of_the_table(search: LossSearchCV) -> None:
    display = LossSearchDisplay.from_search(search)
    results = search.cv_results_
    done = results["trial_state"] == "COMPLETE"
    np.testing.assert_array_equal(display.loss, results["loss"])
    np.testing.assert_allclose(display.score[done], results["mean_test_score"][done])
    np.testing.assert_allclose(display.error[done], results["std_test_score"][done])
    np.testing.assert_allclose(display.score[~done], results["last_report"][~done])
    assert np.isnan(display.error[~done]).all()


@pytest.mark.slow
def test_the_best_loss_is_at_the_top_and_its_settings_come_first(search: LossSearchCV) -> None:
    display = LossSearchDisplay.from_search(search)
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert sorted(labels) == ["dice", "focal", "hinge"]
    assert labels[-1] == search.best_loss_ == next(iter(display.settings))
    assert display.axes_[2].texts[0].get_text().startswith(f"{search.best_loss_}: ")


@pytest.mark.slow
def test_stopped_candidates_are_hollow(search: LossSearchCV) -> None:
    stopped = search.cv_results_["trial_state"] != "COMPLETE"
    assert stopped.any()
    drawn = LossSearchDisplay.from_search(search).axes_[0].collections
    n_points = {True: 0, False: 0}
    for points in drawn:
        if isinstance(points, PathCollection):
            is_hollow = len(np.asarray(points.get_facecolor())) == 0
            n_points[is_hollow] += len(np.asarray(points.get_offsets()))
    assert n_points == {True: stopped.sum(), False: (~stopped).sum()}


def test_the_history_ends_with_the_best_score(search: LossSearchCV) -> None:
    steps = LossSearchDisplay.from_search(search).axes_[1].lines[0]
    assert steps.get_ydata()[-1] == pytest.approx(search.best_score_)  # type: ignore[index]
    assert steps.get_xdata()[-1] == search.cv_results_["n_epochs"].sum()  # type: ignore[index]


def test_a_pickled_search_can_be_drawn(search: LossSearchCV) -> None:
    display = LossSearchDisplay.from_search(pickle.loads(pickle.dumps(search)))
    np.testing.assert_array_equal(display.loss, search.cv_results_["loss"])


def test_one_of_several_metrics_is_drawn() -> None:
    X, y = load_iris(return_X_y=True)
    search = LossSearchCV(
        LogisticRegression(max_iter=500),
        param_distributions=[{"C": [0.1, 1.0]}, {"fit_intercept": [False]}],
        scoring=["accuracy", "f1_macro"],
        refit="f1_macro",
        cv=2,
    ).fit(X, y)
    for metric in ("f1_macro", "accuracy"):
        drawn = LossSearchDisplay.from_search(search, metric=metric)
        done = drawn.complete
        means = search.cv_results_[f"mean_test_{metric}"]
        np.testing.assert_allclose(drawn.score[done], means[done])
    assert LossSearchDisplay.from_search(search).metric == "f1_macro"
    with pytest.raises(ValueError, match="metric='auc' was not scored. Expected one of"):
        LossSearchDisplay.from_search(search, metric="auc")


def test_axes_of_the_user_are_drawn_on(search: LossSearchCV) -> None:
    _, axes = plt.subplots(1, 3)
    assert LossSearchDisplay.from_search(search, ax=list(axes)).axes_ == list(axes)
    with pytest.raises(ValueError, match="ax holds 2 axes, expected three"):
        LossSearchDisplay.from_search(search, ax=list(axes[:2]))
