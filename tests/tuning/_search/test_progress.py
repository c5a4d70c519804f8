from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.pruners import NopPruner
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalStorage
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold
from skorch.callbacks import EpochScoring
from torch import Tensor

from sklearnloss import LossSearchCV
from sklearnloss.losses import BCEWithLogitsLoss

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401
from ..searches import GRID, Told, X, search, told, y

FOLDS = (np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([0, 1, 0, 1]))


def test_nothing_is_shown_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    search(callbacks=[lambda study, trial: None]).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize("level", [optuna.logging.INFO, optuna.logging.ERROR])
def test_optunas_log_is_silent_and_then_as_it_was(
    level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(level)
        search().fit(X, y)
        assert optuna.logging.get_verbosity() == level
    finally:
        optuna.logging.set_verbosity(before)
    assert capsys.readouterr().err == ""


def test_a_bar_shows_the_best_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    found = search(verbose=1, pruner=NopPruner()).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err
    assert f"best {found.best_score_:.4f}" in shown.err


def test_a_full_bar_says_that_the_best_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    told([0.25, 0.5], n_trials=2, verbose=1).fit(*FOLDS)
    states = capsys.readouterr().err.replace("\n", "\r").split("\r")
    full = [state for state in states if "2/2" in state]
    assert any("further folds of the best" in state for state in full)
    assert not any("further folds" in state for state in states if "1/2" in state)
    assert "further folds" not in full[-1]  # it has ended


def test_what_failed_before_is_told_when_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(callback: Any) -> LossSearchCV:
        options = {"storage": tmp_path / "s.journal", "callbacks": [callback]}
        return told([0.25, 0.5], **options).fit(*FOLDS)  # type: ignore[no-any-return]

    found: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(Told, "score", lambda self, X, y: self.no_such_attribute)
        with pytest.raises(ValueError, match="None of the 2 candidates succeeded"):
            fit(lambda study, trial: found.append(trial.state.name))
    fit(lambda study, trial: found.append(trial.value))
    assert found[:2] == ["FAIL", "FAIL"]
    assert sorted(found[2:4]) == [0.25, 0.5]
    assert sorted(found[4:]) == [0.25, 0.5]  # both are continued after their first fold


def test_failures_do_not_move_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(FitFailedWarning, match="1 of 3"):
        told([0.25, ValueError("a bug"), 0.5], n_trials=2, verbose=1).fit(*FOLDS)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "3/2" not in shown


def test_a_line_per_candidate_says_what_became_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    values = [0.25, FloatingPointError("the loss is nan"), ValueError("a bug")]
    with pytest.warns(FitFailedWarning, match="1 of 3"):
        told(values, verbose=2, pruner=NopPruner()).fit(*FOLDS)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert shown.err == ""
    assert len(lines) == 3
    assert sum(" 0.2500  value=" in line for line in lines) == 1
    assert sum("diverged in fold 1: the loss is nan" in line for line in lines) == 1
    assert sum("ValueError in fold 1: a bug" in line for line in lines) == 1
    assert all(line.startswith(f"[{k}]") for k, line in enumerate(lines))


def test_callbacks_get_the_study_and_the_trial() -> None:
    seen: list[Any] = []

    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        seen.append((len(study.trials), study.best_value, trial))

    found = search(callbacks=[callback], pruner=NopPruner()).fit(X, y)
    means = found.cv_results_["mean_test_score"]
    assert [n for n, _, _ in seen] == [1, 2, 3, 4]
    assert [trial.value for *_, trial in seen] == means.tolist()
    assert [best for _, best, _ in seen] == np.maximum.accumulate(means).tolist()
    assert [trial.params for *_, trial in seen] == found.cv_results_["params"]


def test_a_callback_ends_the_search() -> None:
    def enough(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(study.trials) == 2:
            study.stop()

    found = search(n_trials=None, callbacks=[enough]).fit(X, y)
    assert len(found.cv_results_["params"]) == 2
    assert found.predict(X).shape == (150,)


def test_callbacks_are_told_of_divergence_and_failures() -> None:
    states: list[str] = []
    values = [0.5, FloatingPointError("the loss is nan"), ValueError("a bug")]
    found = told(values, callbacks=[lambda study, trial: states.append(trial.state.name)])
    with pytest.warns(FitFailedWarning, match="1 of 3"):
        found.fit(*FOLDS)
    assert states == ["PRUNED", "PRUNED", "FAIL", "COMPLETE"]
    assert found.cv_results_["trial_state"].tolist() == ["COMPLETE", "PRUNED", "FAIL"]


def test_optunas_own_callbacks_work() -> None:
    callback = optuna.study.MaxTrialsCallback(3, states=None)
    found = search(n_trials=None, callbacks=[callback]).fit(X, y)
    assert len(found.cv_results_["params"]) == 3


def test_callbacks_of_a_search_that_goes_on_know_what_was_before(tmp_path: Path) -> None:
    seen: list[int] = []

    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        seen.append(len(study.trials))

    path = tmp_path / "search.journal"
    search(storage=path, n_trials=3).fit(X, y)
    search(storage=path, n_trials=5, callbacks=[callback]).fit(X, y)
    assert seen[:2] == [4, 5]
    assert set(seen) == {4, 5}  # a candidate that is continued keeps its trial


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (None, "callbacks holds None, which cannot be called. Expected functions .study, trial"),
        (EpochScoring("accuracy"), "cannot be called.* Callbacks of training belong to the estim"),
        (lambda study: None, r"does not take \(study, trial\): too many positional arguments"),
        (optuna.study.MaxTrialsCallback, "the class MaxTrialsCallback. Pass an instance"),
    ],
)
def test_callbacks_that_cannot_be_called_are_refused_before_training(
    callback: Any, message: str
) -> None:
    trained: list[Any] = []

    def score(model: Any, X: Any, y: Any) -> float:
        trained.append(model)
        return 1.0

    found = search(scoring=score, callbacks=[callback])
    with pytest.raises(TypeError, match=message):
        found.fit(X, y)
    assert not trained


def interrupt_after(n: int) -> Any:
    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(study.trials) == n:
            raise KeyboardInterrupt

    return callback


def test_an_interruption_leaves_a_search_that_can_be_used() -> None:
    found = search(space=GRID, n_trials=None, callbacks=[interrupt_after(3)])
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, y)
    assert len(found.cv_results_["params"]) == 3
    assert found.best_params_ in found.cv_results_["params"]
    assert found.predict(X).shape == (150,)
    assert len(found.study_.trials) == 3
    assert found.score(X, y) > 0.5


def test_an_interruption_within_a_fit_stops_the_search_and_not_the_fold(
    binary_scenes: Data,  # noqa: F811
) -> None:
    calls = []

    class Impatient(BCEWithLogitsLoss):
        def forward(self, logits: Tensor, target: Tensor, sample_weight: Any = None) -> Tensor:
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return super().forward(logits, target, sample_weight)

    found = LossSearchCV(segmenter(width=2), ["dice", Impatient()], n_trials=5, cv=KFold(2))
    with pytest.raises(KeyboardInterrupt):
        found.fit(*binary_scenes)
    assert len(calls) == 2
    assert found.cv_results_["loss"].tolist() == ["dice"]
    assert found.best_loss_ == "dice"
    assert found.predict(binary_scenes[0]).shape == binary_scenes[1].shape


@pytest.mark.parametrize("first", [KeyboardInterrupt(), ValueError("a bug")])
def test_an_interruption_before_anything_succeeded_leaves_nothing_to_use(first: Any) -> None:
    found = told([0.5]).fit(*FOLDS)
    assert found.best_params_ == {"value": 0.5}
    found = found.set_params(param_distributions={"value": [first]})
    if not isinstance(first, KeyboardInterrupt):
        found.set_params(callbacks=[interrupt_after(1)])
    with pytest.raises(KeyboardInterrupt):
        found.fit(*FOLDS)
    assert not hasattr(found, "best_params_")
    assert not hasattr(found, "best_estimator_")
    assert len(found.study_.trials) == (not isinstance(first, KeyboardInterrupt))


class Unlucky(RuntimeError):
    pass


def fail_after(n: int) -> Any:
    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(study.trials) == n:
            raise Unlucky("a bug in a callback")

    return callback


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_in_a_callback_leaves_what_was_found(n_jobs: int) -> None:
    found = search(space=GRID, n_trials=None, callbacks=[fail_after(3)], n_jobs=n_jobs)
    with pytest.raises(Unlucky, match="a bug in a callback") as error:
        found.fit(X, y)
    n_rows = len(found.cv_results_["params"])
    assert n_rows == 3 or (n_jobs == 2 and n_rows > 3)
    assert f"scores of {n_rows} finished candidates are in" in error.value.__notes__[-1]
    # None is complete, so the best so far is one with the most folds.
    assert found.best_score_ in found.cv_results_["last_report"]
    assert found.best_params_ in found.cv_results_["params"]
    assert found.scorer_ is not None
    assert len(found.study_.trials) == n_rows
    assert not hasattr(found, "best_estimator_")


def test_an_error_that_is_raised_on_request_leaves_what_was_found() -> None:
    found = told([0.5, 0.25, Unlucky("a bug")], error_score="raise", pruner=NopPruner())
    with pytest.raises(Unlucky, match="a bug"):
        found.fit(*FOLDS)
    states = found.cv_results_["trial_state"].tolist()
    assert states == ["COMPLETE"] * (len(states) - 1) + ["FAIL"]
    assert found.best_score_ == 0.5  # the default, which is tried first


def test_an_error_of_which_metric_to_refit_by_leaves_the_table() -> None:
    found = search(scoring=lambda model, X, y: {"a": 1.0, "b": 0.5}, refit="c", n_trials=2)
    with pytest.raises(ValueError, match="For multi-metric scoring, the parameter refit must be"):
        found.fit(X, y)
    assert found.cv_results_["split0_test_b"].tolist() == [0.5]
    assert found.multimetric_
    assert not hasattr(found, "best_params_")


@pytest.mark.parametrize("name", ["search.journal", "search.db"])
def test_a_search_whose_storage_is_lost_leaves_what_was_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = JournalStorage if name.endswith("journal") else RDBStorage
    finished: list[str] = []

    def full(self: Any, trial_id: int, state: Any, values: Any = None) -> bool:
        finished.append(state.name)
        if len(finished) > 2:
            raise PermissionError(errno.EROFS, "Read-only file system")
        return bool(write(self, trial_id, state, values))

    def gone(self: Any, *args: Any, **options: Any) -> Any:
        if len(finished) > 2:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(self, *args, **options)

    write, read = kind.set_trial_state_values, kind.get_all_trials
    monkeypatch.setattr(kind, "set_trial_state_values", full)
    monkeypatch.setattr(kind, "get_all_trials", gone)
    found = search(space=GRID, n_trials=None, storage=tmp_path / name, pruner=NopPruner())
    with pytest.raises(OSError, match="could not be used.*Read-only") as error:
        found.fit(X, y)
    assert type(error.value).__name__ == "StorageError"
    scores = found.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(scores) == 3  # the third, of which the storage knows nothing, included
    assert found.best_score_ == scores.max()
