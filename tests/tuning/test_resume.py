from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.tuning import _owner, _progress, _work
from sklearnloss.tuning._storage import quiet_optuna

from .processes import (
    FIT_LOG,
    SECONDS,
    Stub,
    X,
    finish,
    make_search,
    n_lines,
    outcome,
    read_log,
    record_of,
    start,
    states,
    table,
    wait_until,
    y,
)

STORAGES = ["search.journal", "search.db"]

pytestmark = pytest.mark.filterwarnings("ignore:.*candidates failed.*")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "fits.log"
    monkeypatch.setenv(FIT_LOG, str(path))
    return path


@pytest.fixture
def every_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "_WORTH_SAVING", -1.0)


@pytest.mark.parametrize("name", STORAGES)
def test_the_same_call_finds_all_done_and_only_refits(name: str, tmp_path: Path, log: Path) -> None:
    first = outcome(make_search(storage=tmp_path / name).fit(X, y))
    n_fits = n_lines(log)
    again = outcome(make_search(storage=tmp_path / name).fit(X, y))
    assert again == first
    assert n_lines(log) == n_fits + 1


@pytest.mark.parametrize("name", STORAGES)
def test_a_storage_changes_nothing(name: str, tmp_path: Path) -> None:
    kept = make_search(storage=tmp_path / name).fit(X, y)
    assert outcome(kept) == outcome(make_search().fit(X, y))


def test_the_budget_counts_what_is_there(tmp_path: Path) -> None:
    for n_trials, n_rows in [(5, 5), (5, 5), (8, 8), (3, 8)]:
        search = make_search(n_trials=n_trials, storage=tmp_path / "s.journal", sound=True).fit(
            X, y
        )
        assert len(search.cv_results_["params"]) == n_rows
    whole = make_search(n_trials=8, sound=True).fit(X, y)
    assert table(search) == table(whole)


@pytest.mark.parametrize("name", STORAGES)
def test_killed_many_times_it_ends_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    rng = random.Random(0)
    kill_after = [rng.uniform(0.1, 0.6) for _ in range(12)]
    options = {"storage": str(tmp_path / name), "out": str(tmp_path / "out.pkl")}
    log = tmp_path / "fits.log"
    finish(start(options, {FIT_LOG: str(log), SECONDS: "0.26"}, kill_after))
    killed = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert killed == outcome(make_search().fit(X, y))
    assert TrialState.RUNNING not in states(tmp_path / name)
    # A fold takes long enough to be saved: only one in which the kill came between its end and
    # its being saved may be done twice.
    fits = read_log(log)[:-1]
    assert len(fits) - len(set(fits)) <= 2


@pytest.mark.usefixtures("every_fold")
@pytest.mark.parametrize("name", STORAGES)
def test_finished_folds_are_kept(
    name: str, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupt_at_fit(monkeypatch, 6)  # of which one is an error
    with pytest.raises(KeyboardInterrupt):
        make_search(storage=tmp_path / name, refit=False).fit(X, y)
    n_before = n_lines(log)
    monkeypatch.undo()
    monkeypatch.setenv(FIT_LOG, str(log))
    search = make_search(storage=tmp_path / name, refit=False).fit(X, y)
    fits = read_log(log)
    assert n_before == 4
    assert len(fits) == len(set(fits))
    assert table(search) == table(make_search(refit=False).fit(X, y))


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


@pytest.mark.parametrize("moment", ["create_new_trial", "set_trial_state_values", "_work_on"])
def test_an_interrupt_between_two_steps_leaves_nothing_running(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process lives on, in a notebook for example, so others could not take it over.
    owner: Any = _work.Worker if moment == "_work_on" else optuna.storages.JournalStorage
    do, count = getattr(owner, moment), iter(range(100))

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = None if moment == "_work_on" else do(self, *args, **kwargs)
        if next(count) == 2:
            raise KeyboardInterrupt
        return do(self, *args, **kwargs) if moment == "_work_on" else result

    with monkeypatch.context() as patch:
        patch.setattr(owner, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_search(storage=tmp_path / "s.journal").fit(X, y)
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")
    search = make_search(storage=tmp_path / "s.journal").fit(X, y)
    assert outcome(search) == outcome(make_search().fit(X, y))


def test_ctrl_c_ends_a_process_and_the_next_one_goes_on(tmp_path: Path) -> None:
    log, storage = tmp_path / "fits.log", tmp_path / "s.journal"
    process = start({"storage": str(storage)}, {FIT_LOG: str(log), SECONDS: "0.3"})
    wait_until(lambda: n_lines(log) >= 4)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in finish(process, -signal.SIGINT)
    assert TrialState.RUNNING not in states(storage)
    search = make_search(storage=storage).fit(X, y)
    assert outcome(search) == outcome(make_search().fit(X, y))


@pytest.mark.parametrize("damage", ["half a line", "zeros", "cut"])
def test_a_torn_journal_is_repaired(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    make_search(n_trials=4, storage=path).fit(X, y)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-15])
    else:
        path.write_bytes(content + (b'{"op_code":8,"worker' if damage != "zeros" else bytes(4096)))
    search = make_search(storage=path).fit(X, y)
    assert outcome(search) == outcome(make_search().fit(X, y))
    assert b"\0" not in path.read_bytes()


def _leave_running(storage: Path, token: dict[str, Any]) -> None:
    """Write down a candidate of a process that is not there any more."""
    owner = _owner.Owner()
    owner.token |= token
    make_search(n_trials=1, storage=storage).fit(X, y)
    record = record_of(storage, owner=owner)
    with owner:
        claim = record.claim(lambda number, rows: {"mode": "good", "b": 0.25}, lambda rows: False)
        assert claim is not None
        claim.results["folds"] = [{"scores": 0.5, "fit_time": 1.0, "score_time": 1.0}]
        claim.results["reports"] = [[1, 0.5]]
        record.save(claim)


def _assert_resumed(search: LossSearchCV) -> None:
    row = search.cv_results_["params"].index({"mode": "good", "b": 0.25})
    assert search.cv_results_["split0_test_score"][row] == 0.5
    assert search.cv_results_["trial_state"][row] in ("COMPLETE", "PRUNED")


def test_candidates_of_a_dead_process_are_resumed(tmp_path: Path, log: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    _leave_running(tmp_path / "s.journal", {"pid": dead.pid, "start": "12345"})
    n_before = n_lines(log)
    search = make_search(n_trials=2, storage=tmp_path / "s.journal", refit=False).fit(X, y)
    _assert_resumed(search)
    assert n_lines(log) - n_before <= 2
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")


def test_candidates_of_a_silent_machine_are_resumed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_running(tmp_path / "s.journal", {"host": "elsewhere", "pid": os.getpid()})
    monkeypatch.setattr(_owner, "GRACE", 0.5)
    search = make_search(n_trials=2, storage=tmp_path / "s.journal").fit(X, y)
    _assert_resumed(search)
    assert TrialState.RUNNING not in states(tmp_path / "s.journal")


@pytest.mark.parametrize("with_trials", [True, False])
def test_a_study_of_somebody_else_is_refused(with_trials: bool, tmp_path: Path) -> None:
    with quiet_optuna():
        url = f"sqlite:///{tmp_path / 's.db'}"
        study = optuna.create_study(storage=url, study_name="mine", direction="minimize")
        if with_trials:
            study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    search = make_search(storage=tmp_path / "s.db", study_name="mine")
    with pytest.raises(ValueError, match=r"'mine' was not made by LossSearchCV"):
        search.fit(X, y)


def test_failures_are_kept_and_cost_no_candidate(tmp_path: Path) -> None:
    with pytest.warns(FitFailedWarning, match="LookupError in fold 1: nothing to be found"):
        make_search(storage=tmp_path / "s.journal").fit(X, y)
    with pytest.warns(FitFailedWarning, match="LookupError in fold 1: nothing to be found"):
        search = make_search(storage=tmp_path / "s.journal").fit(X, y)
    counted = [state for state in search.cv_results_["trial_state"] if state != "FAIL"]
    assert len(counted) == 10


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_a_bug_spoilt_is_tried_again_when_it_is_mended(
    n_jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"storage": tmp_path / "s.journal", "sound": True, "n_trials": 7}
    with monkeypatch.context() as patch:
        patch.setattr(Stub, "score", lambda self, X, y: self.no_such_attribute)
        for _ in range(2):
            with pytest.raises(ValueError, match="None of the 5 candidates succeeded"):
                make_search(**settings).fit(X, y)
    search = make_search(n_jobs=n_jobs, **settings).fit(X, y)
    assert table(search) == table(make_search(sound=True, n_trials=7).fit(X, y))


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


def test_a_killed_search_for_a_loss_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    script = """
import sys, pickle, os, signal, time
import numpy as np
import torch
from sklearnloss import LossSearchCV, UNetSegmenter
torch.set_num_threads(1)
rng = np.random.default_rng(0)
y = rng.random((12, 16, 16)) < 0.4
X = (y + rng.normal(size=y.shape)).astype(np.float32)
def search(storage):
    model = UNetSegmenter(width=2, depth=2, max_epochs=4)
    losses = ["dice", "focal", "tversky"]
    return LossSearchCV(model, losses, n_trials=6, cv=3, storage=storage, random_state=0).fit(X, y)
def outcome(s):
    keys = [k for k in s.cv_results_ if "time" not in k]
    return [[repr(v) for v in s.cv_results_[k]] for k in keys], s.predict_proba(X).tolist()
whole = outcome(search(None))
for seconds in (0.2, 0.5, 0.3, 0.6, 0.4):
    child = os.fork()
    if child == 0:
        search(sys.argv[1])
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
assert outcome(search(sys.argv[1])) == whole
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "s.journal")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, timeout=120)


def test_the_network_is_resumed_in_its_second_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((12, 16, 16)) < 0.4
    images = (masks + rng.normal(size=masks.shape)).astype(np.float32)

    def search(storage: Path | None) -> LossSearchCV:
        model = UNetSegmenter(width=2, depth=2, max_epochs=2)
        return LossSearchCV(
            model, ["dice", "focal"], n_trials=3, cv=2, storage=storage, random_state=0
        )

    monkeypatch.setattr(_progress, "_WORTH_SAVING", -1.0)
    fit, count = UNetSegmenter.fit, iter(range(100))

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(count) == 3:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(UNetSegmenter, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "s.journal").fit(images, masks)
    resumed = search(tmp_path / "s.journal").fit(images, masks)
    whole = search(None).fit(images, masks)
    assert table(resumed) == table(whole)
    np.testing.assert_array_equal(resumed.predict_proba(images), whole.predict_proba(images))
