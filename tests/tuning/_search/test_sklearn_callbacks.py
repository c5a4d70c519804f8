from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold

from sklearnloss import LossSearchCV
from sklearnloss.metrics import iou_scorer

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401
from ..searches import InOrder, X, search, told, y

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9 has no callbacks")


class Listener:
    """Writes down which tasks begin and end."""

    max_estimator_depth: Any = None

    def __init__(self) -> None:
        self.log: list[tuple[str, str, str]] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.log.append(("setup", type(estimator).__name__, context.task_name))

    def on_fit_task_begin(self, estimator: Any, context: Any, **data: Any) -> None:
        self.log.append(("begin", type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator: Any, context: Any, **data: Any) -> bool:
        self.log.append(("end", type(estimator).__name__, context.task_name))
        return False

    def teardown(self, estimator: Any, context: Any) -> None:
        self.log.append(("teardown", type(estimator).__name__, context.task_name))

    def begun(self, name: str) -> int:
        return sum(what == "begin" and task == name for what, _, task in self.log)


def test_a_callback_is_told_of_candidates_folds_and_the_refit() -> None:
    listener = Listener()
    search(n_trials=3, pruner=NopPruner()).set_callbacks(listener).fit(X, y)
    assert listener.log[0] == ("setup", "LossSearchCV", "fit")
    assert listener.log[-1] == ("teardown", "LossSearchCV", "fit")
    assert listener.begun("candidate") == 3
    assert listener.begun("fold") == 6
    assert listener.begun("refit-with-best-params") == 1
    begun = [entry[1:] for entry in listener.log if entry[0] == "begin"]
    ended = [entry[1:] for entry in listener.log if entry[0] == "end"]
    assert sorted(begun) == sorted(ended)


def test_a_progress_bar_shows_candidates_folds_and_the_networks_epochs(
    binary_scenes: Data,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("rich")
    model = segmenter(width=2, max_epochs=2)
    found = LossSearchCV(model, ["dice", "bce"], n_trials=2, cv=KFold(2), pruner=NopPruner())
    found.set_callbacks(callback.ProgressBar()).fit(*binary_scenes)
    shown = capsys.readouterr().out
    assert shown.count("LossSearchCV - candidate #") >= 2
    assert "LossSearchCV - fold | UNetSegmenter - fit #1" in shown
    assert "LossSearchCV - refit-with-best-params | UNetSegmenter" in shown


@pytest.mark.slow
def test_scores_of_each_epoch_are_monitored_within_a_search(
    binary_scenes: Data,  # noqa: F811
) -> None:
    monitor = callback.ScoringMonitor(scoring={"iou": iou_scorer})
    model = segmenter(width=2, max_epochs=2).set_callbacks(monitor)
    found = LossSearchCV(model, ["dice"], n_trials=1, cv=KFold(2), pruner=NopPruner())
    found.fit(*binary_scenes)
    log = monitor.get_logs()
    epochs = [entry for entry in log.data if entry["task_name"] == "epoch"]
    assert log.estimator_name == "LossSearchCV"
    assert len(epochs) == 6  # two folds and the refit
    assert all(0 <= entry["iou"] <= 1 for entry in epochs)


class Keeper(Listener):
    """Keeps what it is told about the data."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Any, Any, Any]] = []

    def on_fit_task_begin(  # type: ignore[override]
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any
    ) -> None:
        self.told.append((context.task_name, X, y, metadata))

    def of(self, name: str) -> list[tuple[Any, Any, Any]]:
        return [entry[1:] for entry in self.told if entry[0] == name]


def test_callbacks_are_told_of_the_weights_and_of_a_folds_own_data_as_in_scikit_learn() -> None:
    ours, theirs = Keeper(), Keeper()
    weights = np.random.default_rng(0).uniform(1, 2, 150)
    grid = {"C": [0.5, 1.0]}
    found = search(space=grid, n_trials=None, pruner=NopPruner()).set_callbacks(ours)
    found.fit(X, y, sample_weight=weights)
    other = GridSearchCV(LogisticRegression(), grid, cv=2).set_callbacks(theirs)
    other.fit(X, y, sample_weight=weights)
    pairs = [
        ("fit", "fit"),
        ("refit-with-best-params",) * 2,
        ("fold", "candidate-split-evaluation"),
    ]
    for mine, its in pairs:
        assert len(ours.of(mine)) == len(theirs.of(its)) > 0
        for one, two in zip(ours.of(mine), theirs.of(its), strict=True):
            assert np.array_equal(one[0], two[0])
            assert np.array_equal(one[1], two[1])
            assert np.array_equal(one[2]["sample_weight"], two[2]["sample_weight"])
    assert len(ours.of("candidate")[0][2]["sample_weight"]) == 150


@pytest.mark.filterwarnings("ignore:.*candidates failed")
def test_a_candidate_beyond_what_was_announced_is_not_told() -> None:
    listener = Listener()
    values = [ValueError("a bug"), 0.25, 0.75]
    found = told(values, n_trials=2, sampler=InOrder(), pruner=NopPruner())
    found.set_callbacks(listener).fit(X, y)
    assert found.cv_results_["trial_state"].tolist() == ["FAIL", "COMPLETE", "COMPLETE"]
    assert listener.begun("candidate") == 2


def test_there_is_no_metadata_without_weights() -> None:
    keeper = Keeper()
    search(n_trials=1).set_callbacks(keeper).fit(X, y)
    assert [metadata for *_, metadata in keeper.told] == [None] * len(keeper.told)


@pytest.mark.parametrize("on", ["search", "estimator"])
def test_callbacks_that_workers_do_not_tell_anything_are_named(on: str) -> None:
    model = segmenter()
    found = LossSearchCV(model, n_jobs=2, storage=InMemoryStorage())
    (found if on == "search" else model).set_callbacks(Listener())
    with (
        pytest.warns(UserWarning, match="callbacks .Listener. are called only for the search"),
        pytest.raises(ValueError, match="processes cannot share"),
    ):
        found.fit(np.zeros((8, 8, 8)), np.zeros((8, 8, 8), int))


def test_a_search_is_torn_down_after_an_error() -> None:
    listener = Listener()
    found = search(error_score="raise").set_callbacks(listener)
    with pytest.raises(TypeError, match="color"):
        found.fit(X, y, color=np.ones(150))
    assert listener.log[-1][0] == "teardown"


def test_the_network_is_told_of_its_epochs(binary_scenes: Data) -> None:  # noqa: F811
    listener = Listener()
    model = segmenter(width=2, max_epochs=2).set_callbacks(listener)
    search = LossSearchCV(model, ["dice"], n_trials=1, cv=KFold(2), pruner=NopPruner())
    search.fit(*binary_scenes)
    assert listener.begun("epoch") == 6  # two folds and the refit
