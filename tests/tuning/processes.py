"""Searches in processes of their own, which tests interrupt and kill."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from optuna.pruners import NopPruner
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state

from sklearnloss import LossSearchCV
from sklearnloss.tuning import _owner
from sklearnloss.tuning._owner import Owner
from sklearnloss.tuning._read_space import read_space
from sklearnloss.tuning._record import Record
from sklearnloss.tuning._storage import open_storage

ROOT = Path(__file__).parents[2]

#: Name the file to which each fit appends a line, and how long a fit takes.
FIT_LOG = "TEST_FIT_LOG"
SECONDS = "TEST_SECONDS"

SPACE = {"mode": ["fine", "good", "nan", "error"], "b": (0.0, 1.0)}

#: In which nothing fails.
SOUND = {"mode": ["fine", "good"], "b": (0.0, 1.0)}

X = np.random.default_rng(0).normal(size=(60, 3))
y = np.arange(60) % 2


class Stub(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Takes its time, writes down that it was fitted, and depends on its seed.

    Whoever is in the mode "killer" ends the process.
    """

    def __init__(
        self,
        mode: str = "fine",
        b: float = 0.5,
        random_state: int | None = None,
    ) -> None:
        self.mode = mode
        self.b = b
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        time.sleep(float(os.environ.get(SECONDS, 0.0)))
        if self.mode == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "error":
            raise LookupError("nothing to be found")
        if self.mode == "nan":
            raise FloatingPointError("the loss is nan")
        self.classes_ = np.unique(y)
        self.noise_ = check_random_state(self.random_state).normal()
        self.offset_ = float(np.mean(X[:, 0])) + 0.01 * self.noise_
        self.threads_ = os.environ.get("OMP_NUM_THREADS")
        if FIT_LOG in os.environ:
            # One system call: the line is there as a whole, or not at all.
            with open(os.environ[FIT_LOG], "ab", buffering=0) as file:
                file.write(f"{self.mode} {self.b!r} {self.offset_!r} {os.getpid()}\n".encode())
        return self

    def predict(self, X: Any) -> np.ndarray:
        chosen: np.ndarray = self.classes_[(X[:, 0] + self.offset_ > self.b - 0.5).astype(int)]
        return chosen

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(1.0 - abs(self.b - 0.3) + self.offset_ + 0.1 * (self.mode == "good"))


def make_search(*, sound: bool = False, **options: Any) -> LossSearchCV:
    """Return a small search, if wanted one in which nothing fails or is stopped."""
    settings: dict[str, Any] = {"n_trials": 10, "cv": 3, "random_state": 0}
    settings |= {"param_distributions": SOUND if sound else SPACE}
    settings |= {"pruner": NopPruner() if sound else None}
    return LossSearchCV(Stub(), **{**settings, **options})


def read_log(path: Path) -> list[tuple[str, ...]]:
    """Return what was fitted, without who did it."""
    return [tuple(line.split()[:-1]) for line in path.read_text().splitlines()]


def table(search: LossSearchCV) -> dict[str, list[Any]]:
    """Return ``cv_results_`` without times, in a form that can be compared."""
    return {
        key: [repr(value) for value in np.ma.filled(column, None)]
        if np.ma.isMaskedArray(column)
        else [repr(value) for value in column]
        for key, column in search.cv_results_.items()
        if "time" not in key
    }


def outcome(search: LossSearchCV) -> dict[str, Any]:
    """Return all that an interruption must not change."""
    return {
        "table": table(search),
        "best": (search.best_index_, search.best_score_, search.best_params_),
        "predictions": search.predict(X).tolist(),
    }


def record_of(storage: Any, name: str = "sklearnloss", owner: Owner | None = None) -> Record:
    """Return the candidates of a search made by :func:`make_search`."""
    space = read_space(Stub(), None, SPACE)
    return Record(open_storage(storage), name, space, owner or Owner(), storage)


def start(
    options: Mapping[str, Any],
    env: Mapping[str, str] | None = None,
    kill_after: Sequence[float] = (),
) -> Any:
    """Start a search in a process of its own.

    Parameters
    ----------
    options : dict
        Of :func:`make_search`; "out", where to write the outcome; "grace", seconds
        until a silent machine counts as dead.
    env : dict of str to str, default=None
        Environment variables.
    kill_after : list of float, default=()
        Seconds after which the search is killed and started anew, each time.

    Returns
    -------
    process : subprocess.Popen
    """
    arguments = json.dumps([options, list(kill_after)])
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__, arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Any, status: int = 0) -> str:
    """Wait for a process, and return what it wrote to stderr."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    return str(errors)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def n_lines(path: Path) -> int:
    """Return the number of lines of a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_running(pid: int) -> bool:
    """Tell whether a process is there, and more than a dead entry in the system's table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def states(storage: Any) -> list[TrialState]:
    """Return the states of all trials in a storage, interrupted attempts among them."""
    return [trial.state for trial in record_of(storage).study.get_trials(deepcopy=False)]


def kill_in_second_fold(record: Record, log: Path, pid: int | None = None) -> int:
    """Kill a worker that has finished one fold of a candidate, and return the candidate.

    It is stopped first, and left to go on if its second fold ended in the meantime.
    """

    def second_fold() -> tuple[int, int] | None:
        for row in record.rows():
            worker = row.trial.user_attrs["owner"]["pid"]
            if row.state == TrialState.RUNNING and pid in (None, worker):
                fits = [line for line in read_log(log) if line[1] == repr(row.values["b"])]
                if len(row.results.get("folds", [])) == len(fits) == 1:
                    return row.candidate, worker
        return None

    while True:
        wait_until(second_fold)
        found = second_fold()
        if found is None:
            continue
        os.kill(found[1], signal.SIGSTOP)
        if second_fold() == found:
            os.kill(found[1], signal.SIGKILL)
            return found[0]
        os.kill(found[1], signal.SIGCONT)


def _search(options: dict[str, Any]) -> None:
    out = options.pop("out", None)
    _owner.GRACE = options.pop("grace", _owner.GRACE)
    search = make_search(**options).fit(X, y)
    if out:
        Path(out).write_bytes(pickle.dumps(outcome(search)))


def _main(options: dict[str, Any], kill_after: list[float]) -> None:
    # Importing takes most of the time: each attempt is a fork of this process.
    for seconds in kill_after:
        child = os.fork()
        if child == 0:
            _search(options)
            os._exit(0)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    _search(options)


if __name__ == "__main__":
    # As in tests: what is pickled here must be found by this name in other processes.
    from tests.tuning import processes

    processes._main(*json.loads(sys.argv[1]))
