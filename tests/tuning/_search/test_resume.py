from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning

from sklearnloss import LossSearchCV, UNetSegmenter

from ..processes import (
    GRACE,
    Broken,
    Fits,
    Stub,
    X,
    images,
    interrupt_third,
    leave_running,
    let_time_fly,
    make_race,
    make_search,
    new_study,
    outcome,
    run,
    save_every_fold,
    start,
    states,
    store_of,
    table,
    wait_until,
    y,
)

STORAGES = ["search.journal", "search.db"]

pytestmark = [
    pytest.mark.slow,  # starts processes
    pytest.mark.filterwarnings("ignore:.*candidates failed.*"),
]


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fits:
    made = Fits(tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """Return the outcome of a search that nothing interrupts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcome(make_search().fit(X, y))


@pytest.fixture
def every_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    save_every_fold(monkeypatch)


@pytest.mark.parametrize("name", STORAGES)
def test_the_same_call_finds_all_done_and_only_refits(
    name: str, tmp_path: Path, fits: Fits, whole: dict[str, Any]
) -> None:
    assert outcome(make_search(storage=tmp_path / name).fit(X, y)) == whole
    n_fits = len(fits.done())
    assert outcome(make_search(storage=tmp_path / name).fit(X, y)) == whole
    assert len(fits.done()) == n_fits + 1


def test_the_budget_counts_what_is_there(tmp_path: Path) -> None:
    for n_trials, n_rows in [(5, 5), (5, 5), (8, 8), (3, 8)]:
        search = make_search(n_trials=n_trials, storage=tmp_path / "s.journal", sound=True).fit(
            X, y
        )
        assert len(search.cv_results_["params"]) == n_rows
    whole = make_search(n_trials=8, sound=True).fit(X, y)
    assert table(search) == table(whole)


#: Steps at which a search is killed: fits, and the moments before and after each write.
KILLS = [1, 2, 3, 4, 12, 5, 9, 6, 10, 7, 11, 8, 13, 4, 5]


@pytest.mark.slow
@pytest.mark.parametrize("name", STORAGES)
def test_killed_many_times_it_ends_as_if_nothing_had_happened(
    name: str, tmp_path: Path, whole: dict[str, Any]
) -> None:
    fits = Fits(tmp_path)
    options = {"storage": str(tmp_path / name), "kill_at": KILLS}
    assert run(options, tmp_path, fits.env) == whole
    assert TrialState.RUNNING not in states(tmp_path / name)
    # Only a fold may be done twice in which the kill came between its end and its being saved.
    done = fits.done()[:-1]
    assert len(done) - len(set(done)) <= len(KILLS) // 2


@pytest.mark.parametrize("n_kills", [4, 9])
def test_killed_many_times_in_one_fold_it_ends_as_if_nothing_had_happened(
    n_kills: int, tmp_path: Path, whole: dict[str, Any]
) -> None:
    # Two steps each end the attempt before and begin the next one, the fifth is its first fit.
    options = {"storage": str(tmp_path / "s.journal"), "kill_at": [30, *[5] * n_kills]}
    assert run(options, tmp_path) == whole
    attempts = [t.user_attrs["candidate"] for t in store_of(tmp_path / "s.journal").study.trials]
    assert max(map(attempts.count, attempts)) > n_kills


@pytest.mark.usefixtures("every_fold")
@pytest.mark.parametrize("name", STORAGES)
def test_finished_folds_are_kept(
    name: str, tmp_path: Path, fits: Fits, whole: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _interrupt_at_fit(patch, 6)  # of which one is an error
        with pytest.raises(KeyboardInterrupt):
            make_search(storage=tmp_path / name, refit=False).fit(X, y)
    n_before = len(fits.done())
    search = make_search(storage=tmp_path / name, refit=False).fit(X, y)
    assert n_before == 3
    assert len(fits.done()) == len(set(fits.done()))
    assert table(search) == whole["table"]


def _interrupt_at_fit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    fit, count = Stub.fit, iter(range(1, 1000))

    def interrupted(self: Stub, X: Any, y: Any) -> Stub:
        if next(count) == number:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(Stub, "fit", interrupted)


def test_an_interrupt_leaves_a_usable_search_and_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupt_at_fit(monkeypatch, 6)
    search = make_search(storage=tmp_path / "s.journal")
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert len(search.cv_results_["params"]) >= 1
    assert search.predict(X).shape == y.shape
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")


@pytest.mark.parametrize("moment", ["create_new_trial", "set_trial_state_values", "evaluation"])
def test_an_interrupt_between_two_steps_leaves_nothing_running(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]
) -> None:
    # The process lives on, in a notebook for example, so others could not take it over.
    with monkeypatch.context() as patch:
        interrupt_third(patch, moment)
        with pytest.raises(KeyboardInterrupt):
            make_search(storage=tmp_path / "s.journal").fit(X, y)
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")
    assert outcome(make_search(storage=tmp_path / "s.journal").fit(X, y)) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_process_and_the_next_one_goes_on(
    number: signal.Signals, tmp_path: Path, whole: dict[str, Any]
) -> None:
    fits, storage = Fits(tmp_path), tmp_path / "s.journal"
    fits.hold(4)
    process = start({"storage": str(storage)}, tmp_path, fits.env)
    wait_until(lambda: len(fits.begun()) == 5)
    process.send_signal(number)
    fits.release()  # what was found so far is trained on all data
    name = "KeyboardInterrupt" if number == signal.SIGINT else "Terminated"
    assert name in process.finish(fails=True)
    assert TrialState.RUNNING not in states(storage)
    assert outcome(make_search(storage=storage).fit(X, y)) == whole


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the outcome of a search that first had four candidates, whose race was ended."""
    path = tmp_path_factory.mktemp("extended") / "s.journal"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_search(n_trials=4, storage=path).fit(X, y)
        return outcome(make_search(storage=path).fit(X, y))


@pytest.mark.parametrize("damage", ["half a line", "zeros", "cut"])
def test_a_torn_journal_is_repaired(damage: str, tmp_path: Path, extended: dict[str, Any]) -> None:
    path = tmp_path / "s.journal"
    make_search(n_trials=4, storage=path).fit(X, y)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-15])
    else:
        path.write_bytes(content + (b'{"op_code":8,"worker' if damage != "zeros" else bytes(4096)))
    assert outcome(make_search(storage=path).fit(X, y)) == extended
    assert b"\0" not in path.read_bytes()


def _assert_resumed(search: LossSearchCV) -> None:
    row = search.cv_results_["params"].index({"mode": "good", "b": 0.25})
    assert search.cv_results_["split0_test_score"][row] == 0.5
    assert search.cv_results_["trial_state"][row] in ("COMPLETE", "PRUNED")


def test_candidates_of_a_dead_process_are_resumed(tmp_path: Path, fits: Fits) -> None:
    leave_running(tmp_path / "s.journal", {"pid": 2**30, "start": "12345"})
    n_before = len(fits.done())
    search = make_search(n_trials=2, storage=tmp_path / "s.journal", refit=False).fit(X, y)
    _assert_resumed(search)
    assert len(fits.done()) - n_before <= 2
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")


def test_candidates_of_a_silent_machine_are_resumed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_running(tmp_path / "s.journal", {"host": "elsewhere", "pid": os.getpid()})
    clock = let_time_fly(monkeypatch)
    search = make_search(n_trials=2, storage=tmp_path / "s.journal").fit(X, y)
    _assert_resumed(search)
    assert next(clock) > GRACE
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")


@pytest.mark.parametrize("with_trials", [True, False])
def test_a_study_of_somebody_else_is_refused(with_trials: bool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    study = optuna.create_study(storage=url, study_name="mine", direction="minimize")
    if with_trials:
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    search = make_search(storage=tmp_path / "s.db", study_name="mine")
    with pytest.raises(ValueError, match=r"'mine' was not made by LossSearchCV"):
        search.fit(X, y)


@pytest.mark.parametrize("search", [3, "x", ["data"]])
def test_a_study_with_an_invalid_search_attribute_is_refused(search: Any, tmp_path: Path) -> None:
    study = new_study(tmp_path / "s.journal")
    study.set_user_attr("search", search)
    for name in ("sklearnloss", None):
        with pytest.raises(ValueError, match=r"'sklearnloss' was not made by LossSearchCV"):
            make_search(storage=tmp_path / "s.journal", study_name=name).fit(X, y)


def test_failures_are_kept_and_cost_no_candidate(tmp_path: Path) -> None:
    with pytest.warns(FitFailedWarning, match="LookupError in fold 1: nothing to be found"):
        make_search(storage=tmp_path / "s.journal").fit(X, y)
    with pytest.warns(FitFailedWarning, match="LookupError in fold 1: nothing to be found"):
        search = make_search(storage=tmp_path / "s.journal").fit(X, y)
    counted = [state for state in search.cv_results_["trial_state"] if state != "FAIL"]
    assert len(counted) == 10


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_a_bug_spoilt_is_tried_again_when_it_is_mended(n_jobs: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"storage": tmp_path / "s.journal", "sound": True, "n_trials": 7}
    # Its name and parameters are the same: only its code was mended.
    broken = type("Stub", (Broken,), {"__module__": Stub.__module__, "__qualname__": "Stub"})
    for _ in range(2):
        with pytest.raises(ValueError, match="None of the 5 candidates succeeded"):
            make_search(estimator=broken(), **settings).fit(X, y)
    assert run({"n_jobs": n_jobs, **settings}, tmp_path) == outcome(
        make_search(sound=True, n_trials=7).fit(X, y)
    )


def test_a_relative_path_in_a_folder_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for n_trials in (2, 3):
        search = make_search(n_trials=n_trials, storage="folder/s.journal").fit(X, y)
    assert (search.cv_results_["trial_state"] != "FAIL").sum() == 3


def test_an_unseeded_search_goes_on_with_the_seed_that_it_began_with(tmp_path: Path) -> None:
    model = RandomForestClassifier(n_estimators=3, max_depth=2)
    space = {"min_samples_leaf": (1, 20)}
    for n_trials in (2, 4):
        search = LossSearchCV(
            model, param_distributions=space, n_trials=n_trials, storage=tmp_path / "s.journal"
        ).fit(X, y)
    assert len(search.cv_results_["params"]) == 4


@pytest.mark.slow
def test_a_killed_search_for_a_loss_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    options = {"race": True, "storage": str(tmp_path / "s.journal"), "kill_at": [3, 7, 8, 4, 5]}
    data = images()
    assert run(options, tmp_path) == outcome(make_race().fit(*data), data[0])


def test_the_network_is_resumed_in_its_second_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = images()
    save_every_fold(monkeypatch)
    fit, count = UNetSegmenter.fit, iter(range(100))

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(count) == 3:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(UNetSegmenter, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_race(storage=tmp_path / "s.journal").fit(*data)
    resumed = make_race(storage=tmp_path / "s.journal").fit(*data)
    whole = make_race().fit(*data)
    assert table(resumed) == table(whole)
    np.testing.assert_array_equal(resumed.predict_proba(data[0]), whole.predict_proba(data[0]))
