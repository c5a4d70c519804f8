from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning

from sklearnloss.tuning._search import worker_process
from sklearnloss.tuning._search.job import PREFIX
from sklearnloss.tuning._search.join import JOB
from sklearnloss.tuning._workers import pool as _workers
from sklearnloss.tuning._workers.pool import (
    FAILED,
    MAX_DEATHS,
    Pool,
    _own_gpu,
    count_workers,
    n_threads,
)
from sklearnloss.tuning._workers.private_files import seal
from sklearnloss.tuning._workers.storage import open_storage

from ..processes import (
    ROOT,
    Fits,
    Stub,
    X,
    is_running,
    kill_in_second_fold,
    make_search,
    outcome,
    run,
    start,
    states,
    store_of,
    wait_until,
    y,
)

pytestmark = pytest.mark.slow  # starts processes


@pytest.fixture
def fits(tmp_path: Path) -> Fits:
    return Fits(tmp_path)


def _jobs(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))


@pytest.mark.parametrize(("n_jobs", "name"), [(2, None), (3, "s.journal"), (2, "s.db")])
def test_workers_do_what_one_process_does_and_nothing_twice(
    n_jobs: int, name: str | None, tmp_path: Path, fits: Fits
) -> None:
    settings: dict[str, Any] = {"n_trials": 7, "refit": False, "sound": True}
    settings |= {"sampler": RandomSampler(seed=0)}
    fits.hold(0)
    storage = name and str(tmp_path / name)
    process = start({"n_jobs": n_jobs, "storage": storage, **settings}, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == n_jobs)
    fits.release()
    found = process.returned()["table"]
    alone = outcome(make_search(**settings).fit(X, y))["table"]
    assert found["trial_state"] == alone["trial_state"]
    assert len(set(found["params"])) == 7
    assert found["params"][0] == alone["params"][0]
    assert found["mean_test_score"][0] == alone["mean_test_score"][0]
    assert len(fits.done()) == len(set(fits.done())) == 7 * 3
    assert len(fits.workers()) == n_jobs
    assert not _jobs(tmp_path)


def test_a_worker_killed_in_a_fold_loses_and_doubles_nothing(tmp_path: Path, fits: Fits) -> None:
    storage = tmp_path / "s.journal"
    options = {"storage": str(storage), "n_jobs": 2, "sound": True, "refit": False}
    fits.hold(0)
    process = start({**options, "n_trials": 5}, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 2)
    fits.hold(2)
    store = store_of(storage)
    kill_in_second_fold(store, fits)
    fits.release()
    process.finish()
    assert len(fits.done()) == len(set(fits.done()))
    rows = store.rows()
    assert [row.candidate for row in rows] == list(range(5))
    assert all(row.is_finished for row in rows)
    assert len({repr(row.values) for row in rows}) == 5
    # The attempt that was killed, and perhaps that of a worker that came second to take over.
    assert states(storage).count(TrialState.FAIL) in (1, 2)
    assert TrialState.RUNNING not in states(storage)


def test_a_candidate_that_ends_every_worker_is_given_up(tmp_path: Path) -> None:
    space = {"mode": ["fine", "killer", "good"]}
    options = {"n_jobs": 2, "storage": str(tmp_path / "s.db"), "param_distributions": space}
    found = run({**options, "cv": 2, "refit": False}, tmp_path)["table"]
    ended = dict(zip(found["param_mode"], found["trial_state"], strict=True))
    assert {ended[repr(mode)] for mode in ("fine", "good")} == {"np.str_('COMPLETE')"}
    assert ended[repr("killer")] == "np.str_('FAIL')"
    reason = f"ended its process {MAX_DEATHS} times, perhaps for lack of memory"
    assert sum(reason in each for each in found["reason"]) == 1
    assert TrialState.RUNNING not in states(tmp_path / "s.db")


def test_workers_end_with_a_killed_parent_and_leave_no_data(tmp_path: Path, fits: Fits) -> None:
    storage = tmp_path / "s.journal"
    fits.hold(0)
    process = start({"storage": str(storage), "n_jobs": 2}, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 2)
    assert len(_jobs(tmp_path)) == 1
    process.kill()
    wait_until(lambda: not any(map(is_running, fits.workers())))
    assert not _jobs(tmp_path)
    assert TrialState.RUNNING not in states(storage)
    with pytest.warns(FitFailedWarning, match="LookupError"):
        search = make_search(storage=storage).fit(X, y)
    assert (search.cv_results_["trial_state"] != "FAIL").sum() == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_workers_and_lets_their_candidates_go(
    number: signal.Signals, tmp_path: Path, fits: Fits
) -> None:
    storage = tmp_path / "s.journal"
    fits.hold(0)
    process = start({"storage": str(storage), "n_jobs": 2}, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 2)
    process.send_signal(number)
    errors = process.finish(fails=True)
    assert errors.count("Traceback") == 1  # the parent's own
    assert not any(map(is_running, fits.workers()))
    assert TrialState.RUNNING not in states(storage)
    assert not _jobs(tmp_path)


def test_sigterm_makes_a_worker_release_its_candidate(tmp_path: Path, fits: Fits) -> None:
    storage = tmp_path / "s.journal"
    options = {"storage": str(storage), "n_jobs": 2, "sound": True, "refit": False, "n_trials": 3}
    fits.hold(0)
    process = start(options, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 2)
    leaves = fits.begun()[0]
    os.kill(leaves, signal.SIGTERM)
    wait_until(lambda: len(fits.workers()) == 3)
    fits.release()
    process.finish()
    attempts = store_of(storage).study.get_trials(deepcopy=False)
    deaths = [trial.user_attrs.get("deaths") for trial in attempts]
    assert deaths.count([[], 0]) == 1
    assert sum(trial.state == TrialState.COMPLETE for trial in attempts) == 3


def test_an_error_in_a_worker_comes_back(tmp_path: Path) -> None:
    found = run(
        {"n_jobs": 2, "param_distributions": {"mode": ["error"]}, "error_score": "raise"}, tmp_path
    )
    assert isinstance(found["error"], LookupError)
    assert str(found["error"]) == "nothing to be found"
    assert "In a worker process:" in found["notes"][0]
    assert "processes.py" in found["notes"][0]


# What only a main program has: its own estimator, function and loss.
SCRIPT = """
import glob, json, os, sys, time
import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearnloss import LossSearchCV, losses
from sklearnloss.losses import FocalLoss, get_loss, register_loss

torch.cuda.device_count = lambda: 2

class MyLoss(FocalLoss):
    pass

register_loss("mine", MyLoss)

class Mine(RegressorMixin, BaseEstimator):
    def __init__(self, function=None, b=0.0):
        self.function = function
        self.b = b
    def fit(self, X, y, sample_weight=None):
        note = f"{os.environ['OUT']}.{os.getpid()}"
        open(note, "w").close()
        while len(glob.glob(os.environ["OUT"] + ".*")) < 2:  # until both are there
            time.sleep(0.01)
        maps = open("/proc/self/maps").read()
        with open(os.environ["OUT"], "a") as file:
            file.write(json.dumps({
                "pid": os.getpid(),
                "loss": type(get_loss("mine")).__name__,
                "function": self.function(2),
                "torch": torch.get_num_threads(),
                "omp": os.environ["OMP_NUM_THREADS"],
                "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
                "mapped": [name for name in ("X.npy", "y.npy") if name in maps],
            }) + "\\n")
        return self
    def score(self, X, y):
        return self.b

if __name__ == "__main__":
    os.environ["OUT"] = sys.argv[1]
    os.environ["CUDA_VISIBLE_DEVICES"] = "5,GPU-7"
    X, y = np.zeros((3000, 40)), np.zeros(3000)
    search = LossSearchCV(Mine(lambda x: x + 1), param_distributions={"b": (0.0, 1.0)},
                          n_trials=2, cv=2, n_jobs=2, refit=False, random_state=0)
    search.fit(X, y, sample_weight=np.ones(3000))
    assert len(search.cv_results_["params"]) == 2
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each fit in a worker of a script's own search saw."""
    folder = tmp_path_factory.mktemp("script")
    script, out = folder / "script.py", folder / "out.jsonl"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(out)],
        env=environment,
        cwd=folder,
        check=True,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.slow
def test_what_a_script_defines_reaches_the_workers(reports: list[dict[str, Any]]) -> None:
    assert {report["loss"] for report in reports} == {"MyLoss"}
    assert {report["function"] for report in reports} == {3}
    assert len({report["pid"] for report in reports}) == 2


def test_workers_share_the_cores(reports: list[dict[str, Any]]) -> None:
    each = max(1, joblib.cpu_count() // 2)
    assert {report["torch"] for report in reports} == {each}
    assert {report["omp"] for report in reports} == {str(each)}
    assert n_threads(10_000) == 1


@pytest.mark.slow
def test_each_worker_sees_one_gpu(reports: list[dict[str, Any]]) -> None:
    assert {report["gpu"] for report in reports} == {"5", "GPU-7"}
    assert len({(report["pid"], report["gpu"]) for report in reports}) == 2


def test_workers_map_the_data(reports: list[dict[str, Any]]) -> None:
    assert all("X.npy" in report["mapped"] and "y.npy" in report["mapped"] for report in reports)


def test_workers_beyond_the_gpus_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [_own_gpu(index)["CUDA_VISIBLE_DEVICES"] for index in range(4)] == ["0", "1", "2", "0"]
    assert (count_workers(-1), count_workers(7)) == (3, 7)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert _own_gpu(1) == {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert count_workers(-1) == joblib.effective_n_jobs(-1)


@pytest.mark.parametrize("status", [7, FAILED])
def test_workers_that_cannot_begin_end_the_search(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The status may also be that of a worker that left its error, which this one does not.
    monkeypatch.setattr(_workers, "_BOOT", f"import os; os._exit({status})")
    monkeypatch.setattr(_workers, "MAX_DEATHS", 1)
    search = make_search(n_jobs=2, storage=tmp_path / "s.journal")
    with pytest.raises(RuntimeError, match=rf"ended 5 times \(exit status {status}\), and no fold"):
        search.fit(X, y)


def test_an_unsigned_error_of_a_worker_is_not_unpickled(tmp_path: Path) -> None:
    pool, content = (
        Pool(tmp_path, "unused", 0, "unused", "unused"),
        pickle.dumps(ValueError("wrong")),
    )
    (tmp_path / "error-0.pkl").write_bytes(seal(content, pool.key))
    with pytest.raises(ValueError, match="wrong"):
        pool._raise_error(0)
    for other in (content, seal(content, "another key")):
        (tmp_path / "error-0.pkl").write_bytes(other)
        with pytest.raises(PermissionError, match="written by somebody else"):
            pool._raise_error(0)


def test_workers_do_not_run_a_job_that_was_replaced(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    options = {"n_jobs": 2, "storage": str(tmp_path / "s.journal")}
    found = run({**options, "patches": {"trap": sprung}}, tmp_path)
    assert isinstance(found["error"], PermissionError)
    assert "job.pkl' was changed by somebody else" in str(found["error"])
    assert not sprung.exists()


def test_a_worker_that_does_not_end_when_asked_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready"
    monkeypatch.setattr(
        _workers,
        "_BOOT",
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        f"open({str(ready)!r}, 'w').close(); time.sleep(100)",
    )
    monkeypatch.setattr(_workers, "PATIENCE", 0.1)
    with Pool(tmp_path, "unused", 1, "unused", "unused") as pool:
        wait_until(ready.exists)
    assert pool.processes[0].returncode == -signal.SIGKILL


def test_several_processes_cannot_share_an_object() -> None:
    search = make_search(n_jobs=2, storage=InMemoryStorage())
    with pytest.raises(
        ValueError, match=r"n_jobs=2 processes cannot share storage=InMemoryStorage"
    ):
        search.fit(X, y)


@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_search_resumes_with_more_workers_and_removes_no_folder_that_its_storage_names(
    tmp_path: Path,
) -> None:
    storage, other = tmp_path / "s.journal", tmp_path / "other" / f"{PREFIX}1"
    few = outcome(make_search(storage=storage, n_trials=3).fit(X, y))["table"]
    other.mkdir(parents=True)
    for job in (3, {"folder": str(other), "owner": {}}):  # whoever can write there says so
        open_storage(storage).set_study_user_attr(0, JOB, job)
        more = run({"storage": str(storage), "n_trials": 8, "n_jobs": 2}, tmp_path)
    n = len(few["params"])
    assert more["table"]["params"][:n] == few["params"]
    assert sum("FAIL" not in state for state in more["table"]["trial_state"]) == 8
    assert outcome(make_search(storage=storage, n_trials=8).fit(X, y)) == more
    assert other.exists()


class Locked(Stub):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")


def test_an_estimator_that_cannot_be_pickled_is_refused_before_any_training(
    tmp_path: Path, fits: Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*next(iter(fits.env.items())))
    search = make_search(n_jobs=2, storage=tmp_path / "s.journal", estimator=Locked())
    with pytest.raises(TypeError, match=r"estimator=Locked\(...\) cannot be pickled"):
        search.fit(X, y)
    assert fits.begun() == []
    assert not _jobs(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("searched", [False, True], ids=["not searched", "searched"])
def test_the_current_folder_is_searched_only_where_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searched: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    here = [""] if searched else []
    monkeypatch.setattr(sys, "path", [*here, *(path for path in sys.path if path)])
    Path("optuna.py").write_text("raise SystemExit(77)")
    with Pool(tmp_path / "none", "s.journal", 1, "no digest", worker_process.__name__) as pool:
        status = pool.processes[0].wait()
    assert status == (77 if searched else FAILED)  # as there is no job
