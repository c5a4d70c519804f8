from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning

from sklearnloss.tuning import _workers
from sklearnloss.tuning._job import PREFIX, n_threads
from sklearnloss.tuning._record import MAX_DEATHS
from sklearnloss.tuning._run import count_workers
from sklearnloss.tuning._storage import open_storage
from sklearnloss.tuning._workers import Pool, _own_gpu

from .processes import (
    FIT_LOG,
    ROOT,
    SECONDS,
    X,
    finish,
    is_running,
    kill_in_second_fold,
    make_search,
    n_lines,
    outcome,
    read_log,
    record_of,
    start,
    states,
    wait_until,
    y,
)


def _pids(log: Path) -> set[int]:
    return (
        {int(line.split()[-1]) for line in log.read_text().splitlines()} if n_lines(log) else set()
    )


def _jobs(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))


@pytest.mark.parametrize(("n_jobs", "name"), [(2, None), (3, "s.journal"), (2, "s.db")])
def test_workers_do_what_one_process_does_and_nothing_twice(
    n_jobs: int, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "fits.log"
    monkeypatch.setenv(SECONDS, "0.05")
    settings: dict[str, Any] = {"n_trials": 14, "refit": False, "sound": True}
    settings |= {"sampler": RandomSampler(seed=0)}
    storage = name and tmp_path / name
    with monkeypatch.context() as patch:
        patch.setenv(FIT_LOG, str(log))
        search = make_search(n_jobs=n_jobs, storage=storage, **settings).fit(X, y)
    alone = make_search(**settings).fit(X, y)
    results, first = search.cv_results_, alone.cv_results_["params"][0]
    assert len(results["params"]) == 14
    assert list(results["trial_state"]) == ["COMPLETE"] * 14
    assert len({repr(params) for params in results["params"]}) == 14
    assert results["params"][0] == first
    assert results["mean_test_score"][0] == alone.cv_results_["mean_test_score"][0]
    assert len(read_log(log)) == len(set(read_log(log))) == 14 * 3
    assert len(_pids(log) - {os.getpid()}) == n_jobs
    assert not _jobs(tmp_path)


def test_a_worker_killed_in_a_fold_loses_and_doubles_nothing(tmp_path: Path) -> None:
    log, storage = tmp_path / "fits.log", tmp_path / "s.journal"
    options = {"storage": str(storage), "n_jobs": 2, "sound": True, "refit": False}
    process = start({**options, "n_trials": 8}, {FIT_LOG: str(log), SECONDS: "0.5"})
    wait_until(lambda: len(_pids(log)) == 2)
    record = record_of(storage)
    kill_in_second_fold(record, log)
    finish(process)
    assert len(read_log(log)) == len(set(read_log(log)))
    rows = record.rows()
    assert [row.candidate for row in rows] == list(range(8))
    assert all(row.is_finished for row in rows)
    assert len({repr(row.values) for row in rows}) == 8
    assert states(storage).count(TrialState.FAIL) == 1  # the attempt that was killed


def test_a_candidate_that_ends_every_worker_is_given_up(tmp_path: Path) -> None:
    space = {"mode": ["fine", "killer", "good"]}
    search = make_search(n_jobs=2, storage=tmp_path / "s.db", param_distributions=space)
    with pytest.warns(FitFailedWarning, match=f"ended its process {MAX_DEATHS} times"):
        search.fit(X, y)
    results = search.cv_results_
    found = {
        params["mode"]: state
        for params, state in zip(results["params"], results["trial_state"], strict=True)
    }
    assert found == {"fine": "COMPLETE", "good": "COMPLETE", "killer": "FAIL"}
    assert TrialState.RUNNING not in states(tmp_path / "s.db")


def test_workers_end_with_a_killed_parent_and_leave_no_data(tmp_path: Path) -> None:
    log, storage = tmp_path / "fits.log", tmp_path / "s.journal"
    process = start({"storage": str(storage), "n_jobs": 2}, {FIT_LOG: str(log), SECONDS: "0.4"})
    wait_until(lambda: len(_pids(log)) == 2)
    workers = _pids(log)
    assert len(_jobs(tmp_path)) == 1
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_running, workers)))
    assert not _jobs(tmp_path)
    assert TrialState.RUNNING not in states(storage)
    with pytest.warns(FitFailedWarning, match="LookupError"):
        search = make_search(storage=storage).fit(X, y)
    assert (search.cv_results_["trial_state"] != "FAIL").sum() == 10


def test_ctrl_c_ends_all_workers_and_lets_their_candidates_go(tmp_path: Path) -> None:
    log, storage = tmp_path / "fits.log", tmp_path / "s.journal"
    process = start({"storage": str(storage), "n_jobs": 2}, {FIT_LOG: str(log), SECONDS: "0.4"})
    wait_until(lambda: len(_pids(log)) == 2)
    workers = _pids(log)
    process.send_signal(signal.SIGINT)
    errors = finish(process, -signal.SIGINT)
    assert errors.count("Traceback") == 1  # the parent's own
    assert not any(map(is_running, workers))
    assert TrialState.RUNNING not in states(storage)
    assert not _jobs(tmp_path)


def test_an_error_in_a_worker_comes_back(tmp_path: Path) -> None:
    search = make_search(n_jobs=2, param_distributions={"mode": ["error"]}, error_score="raise")
    with pytest.raises(LookupError, match="nothing to be found") as caught:
        search.fit(X, y)
    assert "In a worker process:" in caught.value.__notes__[0]
    assert "processes.py" in caught.value.__notes__[0]


# What only a main program has: its own estimator, function and loss.
SCRIPT = """
import json, os, sys, time
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
        time.sleep(0.3)
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
                          n_trials=6, cv=2, n_jobs=2, refit=False, random_state=0)
    search.fit(X, y, sample_weight=np.ones(3000))
    assert len(search.cv_results_["params"]) == 6
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
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_what_a_script_defines_reaches_the_workers(reports: list[dict[str, Any]]) -> None:
    assert {report["loss"] for report in reports} == {"MyLoss"}
    assert {report["function"] for report in reports} == {3}
    assert len({report["pid"] for report in reports}) == 2


def test_workers_share_the_cores(reports: list[dict[str, Any]]) -> None:
    each = max(1, joblib.cpu_count() // 2)
    assert {report["torch"] for report in reports} == {each}
    assert {report["omp"] for report in reports} == {str(each)}
    assert n_threads(10_000) == 1


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


def test_workers_that_cannot_begin_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_workers, "_BOOT", "import os; os._exit(7)")
    search = make_search(n_jobs=2, storage=tmp_path / "s.journal")
    with pytest.raises(RuntimeError, match=r"ended 9 times \(exit status 7\), and no candidate"):
        search.fit(X, y)


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
    with Pool(tmp_path, "unused", 1) as pool:
        wait_until(ready.exists)
    assert pool.processes[0].returncode == -signal.SIGKILL


def test_several_processes_cannot_share_an_object(tmp_path: Path) -> None:
    search = make_search(n_jobs=2, storage=open_storage(tmp_path / "s.journal"))
    with pytest.raises(ValueError, match=r"n_jobs=2 processes cannot share storage=JournalStorage"):
        search.fit(X, y)


@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_search_goes_on_with_more_workers(tmp_path: Path) -> None:
    storage = tmp_path / "s.journal"
    few = make_search(storage=storage, n_trials=3).fit(X, y)
    more = make_search(storage=storage, n_trials=8, n_jobs=2).fit(X, y)
    n = len(few.cv_results_["params"])
    assert more.cv_results_["params"][:n] == few.cv_results_["params"]
    assert (more.cv_results_["trial_state"] != "FAIL").sum() == 8
    assert outcome(make_search(storage=storage, n_trials=8).fit(X, y)) == outcome(more)
