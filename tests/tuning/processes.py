"""Searches in processes of their own, which tests hold, interrupt and kill.

Nothing here depends on how long anything takes: a fit waits until it is let go, and a
process is killed at a moment that is counted in steps.
"""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import optuna
import pytest
import sqlalchemy
from optuna.pruners import NopPruner
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.tuning._search import intermediate_results as _progress
from sklearnloss.tuning._search import worker_process
from sklearnloss.tuning._search.job import FILE, Job
from sklearnloss.tuning._search.store import CandidateStore, create_study
from sklearnloss.tuning._search.worker import Worker
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._workers import liveness as _owner
from sklearnloss.tuning._workers import pool as _workers
from sklearnloss.tuning._workers.liveness import Owner
from sklearnloss.tuning._workers.private_files import write_private
from sklearnloss.tuning._workers.retries import RetryingStorage
from sklearnloss.tuning._workers.storage import open_storage, quiet_optuna

from ..command_line import main

ROOT = Path(__file__).parents[2]

#: A last resort against waiting for ever, in seconds. A busy machine may need minutes.
LIMIT = 600.0

#: Seconds of silence after which a process elsewhere counts as dead.
GRACE = _owner.GRACE

#: Names the folder of :class:`Fits`.
FITS = "TEST_FITS"

SPACE = {"mode": ["fine", "good", "nan", "error"], "b": (0.0, 1.0)}

#: In which nothing fails.
SOUND = {"mode": ["fine", "good"], "b": (0.0, 1.0)}

X = np.random.default_rng(0).normal(size=(60, 3))
y = np.arange(60) % 2

# Else each process would import these anew.
for _name in ("dialects.sqlite", "dialects.postgresql", "orm"):
    importlib.import_module(f"sqlalchemy.{_name}")
for _name in ("command", "config", "migration", "script"):
    importlib.import_module(f"alembic.{_name}")
importlib.import_module("optuna.storages._rdb.models")


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _write_in_memory(connection: Any, record: Any) -> None:
    """Do not wait for the disk after each of SQLite's writes: no test cuts the power."""
    if type(connection).__module__ == "sqlite3":
        connection.execute("PRAGMA synchronous=OFF")


_steps = itertools.count(1)
_kill_at = 0


def _step() -> None:
    """Count a step of a search, and end this process if it is the one to be killed at."""
    if next(_steps) == _kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


class Fits:
    """What was fitted, by whom, and how many fits may begin.

    Parameters
    ----------
    folder : path
        Where fits in all processes write it down.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.env = {FITS: str(folder)}

    def hold(self, n: int) -> None:
        """Let n fits end, and make all others wait."""
        part = self.folder / "allowed.part"
        part.write_text(str(n))
        part.replace(self.folder / "allowed")

    def release(self) -> None:
        """Let all fits go on."""
        self.hold(10**9)

    def begun(self) -> list[int]:
        """Return the process of each fit that was begun."""
        return [int(line[-1]) for line in self._lines("begun")]

    def done(self) -> list[tuple[str, ...]]:
        """Return all that was fitted, without who did it."""
        return [line[:-1] for line in self._lines("done")]

    def workers(self) -> set[int]:
        """Return all processes that began a fit."""
        return set(self.begun())

    def _lines(self, name: str) -> list[tuple[str, ...]]:
        path = self.folder / name
        content = path.read_text() if path.exists() else ""
        return [tuple(line.split()) for line in content.splitlines()]

    def note(self, name: str, *words: object) -> int:
        """Write down a line, and return its number."""
        line = " ".join(map(str, (*words, os.getpid()))) + "\n"
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:  # one system call: the line is there as a whole, or not at all
            os.write(descriptor, line.encode())
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            return os.pread(descriptor, end, 0).count(b"\n")
        finally:
            os.close(descriptor)

    def wait(self, number: int) -> None:
        """Wait until so many fits may end."""
        allowed, deadline = self.folder / "allowed", time.monotonic() + LIMIT
        while allowed.exists() and number > int(allowed.read_text()):
            assert time.monotonic() < deadline, "nobody lets it go on"
            time.sleep(0.01)


class Stub(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Waits until it may go on, writes down that it was fitted, and depends on its seed.

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
        _step()
        fits = Fits(os.environ[FITS]) if FITS in os.environ else None
        if fits:
            fits.wait(fits.note("begun"))
        if self.mode == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "error":
            raise LookupError("nothing to be found")
        if self.mode == "nan":
            raise FloatingPointError("the loss is nan")
        self.classes_ = np.unique(y)
        self.noise_ = check_random_state(self.random_state).normal()
        self.offset_ = float(np.mean(X[:, 0])) + 0.01 * self.noise_
        if fits:
            fits.note("done", self.mode, repr(self.b), repr(self.offset_))
        return self

    def predict(self, X: Any) -> np.ndarray:
        chosen: np.ndarray = self.classes_[(X[:, 0] + self.offset_ > self.b - 0.5).astype(int)]
        return chosen

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(1.0 - abs(self.b - 0.3) + self.offset_ + 0.1 * (self.mode == "good"))


class Broken(Stub):
    """Has a bug."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(self.no_such_attribute)


def make_search(*, sound: bool = False, **options: Any) -> LossSearchCV:
    """Return a small search, if wanted one in which nothing fails or is stopped."""
    settings: dict[str, Any] = {"n_trials": 10, "cv": 3, "random_state": 0, "estimator": Stub()}
    settings |= {"param_distributions": SOUND if sound else SPACE}
    settings |= {"pruner": NopPruner() if sound else None}
    return LossSearchCV(**{**settings, **options})


def make_race(**options: Any) -> LossSearchCV:
    """Return a small search for a loss, which :func:`images` are for."""
    model = UNetSegmenter(width=2, depth=1, max_epochs=options.pop("max_epochs", 2))
    settings: dict[str, Any] = {"n_trials": 4, "cv": 2, "random_state": 0}
    settings["losses"] = ["dice", "focal", "tversky"]
    return LossSearchCV(model, **{**settings, **options})


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return small images with masks."""
    rng = np.random.default_rng(0)
    masks = rng.random((8, 8, 8)) < 0.4
    return (masks + rng.normal(size=masks.shape)).astype(np.float32), masks


def table(search: LossSearchCV) -> dict[str, list[Any]]:
    """Return ``cv_results_`` without times, in a form that can be compared."""
    return {
        key: [repr(value) for value in np.ma.filled(column, None)]
        if np.ma.isMaskedArray(column)
        else [repr(value) for value in column]
        for key, column in search.cv_results_.items()
        if "time" not in key
    }


def outcome(search: LossSearchCV, X: Any = X) -> dict[str, Any]:
    """Return all that an interruption must not change."""
    found = {"table": table(search), "best": (search.best_index_, search.best_score_)}
    if search.refit:
        found["predictions"] = search.predict(X).tolist()
    return found


def store_of(storage: Any, name: str = "sklearnloss", owner: Owner | None = None) -> CandidateStore:
    """Return the candidates of a search made by :func:`make_search`."""
    space = read_space(Stub(), None, SPACE)
    return CandidateStore(open_storage(storage), name, space, owner or Owner(), storage)


def states(storage: Any) -> list[TrialState]:
    """Return the states of all trials in a storage, interrupted attempts among them."""
    return [trial.state for trial in store_of(storage).study.get_trials(deepcopy=False)]


def new_study(storage: Any, name: str = "sklearnloss") -> optuna.Study:
    """Return a search's study, which is created if there is none."""
    with quiet_optuna():
        return create_study(open_storage(storage), name)


def publish(storage: Path, job: Any) -> None:
    """Write down in the storage of one study where the data of its search are."""
    open_storage(storage).set_study_user_attr(0, "job", job)


def set_trap(folder: Path, sprung: Path) -> None:
    """Write data of a search that make a folder when they are read."""
    write_private(folder / FILE, trap_of(sprung))


def leave_running(storage: Path, token: dict[str, Any]) -> None:
    """Write down a candidate of a process that is not there any more."""
    owner = Owner()
    owner.token |= token
    make_search(n_trials=1, storage=storage).fit(X, y)
    store = store_of(storage, owner=owner)
    with owner:
        candidate = store.claim(
            lambda number, rows: {"mode": "good", "b": 0.25}, lambda rows: False
        )
        assert candidate is not None
        candidate.results.folds = [{"scores": 0.5, "fit_time": 1.0, "score_time": 1.0}]
        candidate.results.reports = [[1, 0.5]]
        store.save(candidate)


def interrupt_third(patch: pytest.MonkeyPatch, moment: str) -> None:
    """Interrupt a search before it evaluates its third candidate, or after a third write."""
    before = moment == "evaluation"
    owner: Any = Worker if before else optuna.storages.JournalStorage
    name = "_work_on" if before else moment
    do, count = getattr(owner, name), iter(range(100))

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = None if before else do(self, *args, **kwargs)
        if next(count) == 2:
            raise KeyboardInterrupt
        return do(self, *args, **kwargs) if before else result

    patch.setattr(owner, name, interrupted)


def let_time_fly(patch: pytest.MonkeyPatch) -> Iterator[float]:
    """Let a third of the time of grace pass with each look at the clock; return the clock."""
    clock = itertools.count(0.0, GRACE / 3)
    patch.setattr(_owner, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    return clock


def save_every_fold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_progress, "_SECONDS_BETWEEN_SAVES", -1.0)


def kill_in_second_fold(store: CandidateStore, fits: Fits, pid: int | None = None) -> int:
    """Kill a worker whose candidate has one fold, while it is held in the second one.

    Returns
    -------
    candidate : int
    """

    def found() -> tuple[int, int] | None:
        for row in store.rows():
            worker = row.trial.user_attrs["owner"]["pid"]
            mine = row.state == TrialState.RUNNING and pid in (None, worker)
            n_folds = len(row.results.folds)
            if mine and n_folds == 1 and fits.begun().count(worker) > 1:  # it is in the second
                return row.candidate, worker
        return None

    candidate, worker = wait_until(found)
    os.kill(worker, signal.SIGKILL)
    return int(candidate)


# Importing takes most of the time: all processes are forks of one that did.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])
_started: list[Process] = []


class Process:
    """A function of this module in a process of its own.

    Parameters
    ----------
    function : callable
        What it does.
    *arguments : object
        Handed to the function.
    folder : path
        For what it writes.
    env : dict of str to str, default=None
        Environment variables.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        folder: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.errors = folder / f"errors-{len(_started)}.txt"
        self.result = folder / f"result-{len(_started)}.pkl"
        variables = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **(env or {})}
        path = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), path]))
        try:
            self._process = _context.Process(
                target=_run, args=(function, arguments, variables, self.errors, self.result)
            )
            self._process.start()
        finally:
            if path is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = path
        _started.append(self)

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self._process.is_alive()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.join(LIMIT)

    def finish(self, *, fails: bool = False) -> str:
        """Wait for its end, and return what it wrote to stderr."""
        self._process.join(LIMIT)
        errors = self.errors.read_text() if self.errors.exists() else ""
        assert self._process.exitcode is not None, "it does not end"
        assert (self._process.exitcode != 0) == fails, errors
        return errors

    def returned(self) -> Any:
        """Wait for its end, and return what its function did."""
        self.finish()
        return pickle.loads(self.result.read_bytes())


def kill_all() -> None:
    """Kill all processes that a test left, because it failed."""
    for process in _started:
        if process.is_alive:
            process.kill()
    _started.clear()


def start(
    options: Mapping[str, Any], folder: Path, env: Mapping[str, str] | None = None
) -> Process:
    """Start a search in a process of its own.

    Parameters
    ----------
    options : dict
        Of :func:`make_search`, and "kill_at": steps at which the search is killed and
        started anew, each time; "first": other options of a search that comes first, and
        is killed as often; "race": whether to use :func:`make_race`; "patches": of
        :func:`_patch`.
    folder : path
        For what it writes.
    env : dict of str to str, default=None
        Environment variables.
    """
    return Process(_search_killed, dict(options), folder=folder, env=env)


def run(options: Mapping[str, Any], folder: Path, env: Mapping[str, str] | None = None) -> Any:
    """Search in a process of its own, and return the outcome."""
    return start(options, folder, env).returned()


def join(arguments: Sequence[str], folder: Path, env: Mapping[str, str], **patches: Any) -> Process:
    """Join a search in a process of its own by ``sklearnloss worker``."""
    return Process(_worker, list(arguments), patches, folder=folder, env=env)


def wait_until(condition: Callable[[], Any]) -> Any:
    """Wait for something that another process does, and return it."""
    deadline = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return whether a process is there, and more than a dead entry in the system's table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _run(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    env: Mapping[str, str],
    errors: Path,
    result: Path,
) -> None:
    os.environ.update(env)
    with open(errors, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Those who started the tests may have these ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    returned = function(*arguments)
    part = result.with_suffix(".part")
    part.write_bytes(pickle.dumps(returned))
    part.replace(result)


def _search_killed(options: dict[str, Any]) -> Any:
    if options.get("race"):
        importlib.import_module("torch._dynamo")  # which training imports
    if "first" in options:
        first = options.pop("first")
        _search_killed({**options, **first})
    for step in options.pop("kill_at", ()):
        child = os.fork()
        if child == 0:
            _count_steps(step)
            _search(dict(options))
            os._exit(0)
        os.waitpid(child, 0)
    return _search(options)


def _count_steps(step: int) -> None:
    """Kill this process at a step: a fit, or the moment before or after a write."""
    global _kill_at
    _kill_at = step
    for name in ("create_new_study", "create_new_trial", "set_trial_user_attr"):
        _surround(RetryingStorage, name)
    _surround(RetryingStorage, "set_trial_state_values")
    _surround(UNetSegmenter, "fit")


def _surround(owner: Any, name: str) -> None:
    do = getattr(owner, name)

    def surrounded(*args: Any, **kwargs: Any) -> Any:
        _step()
        result = do(*args, **kwargs)
        _step()
        return result

    setattr(owner, name, surrounded)


def _search(options: dict[str, Any]) -> dict[str, Any]:
    _patch(**options.pop("patches", {}))
    if options.pop("race", False):
        data = images()
        return outcome(make_race(**options).fit(*data), data[0])
    try:
        return outcome(make_search(**options).fit(X, y))
    except (LookupError, ValueError, RuntimeError, OSError) as error:
        return {"error": error, "notes": getattr(error, "__notes__", [])}


def _worker(arguments: list[str], patches: dict[str, Any]) -> None:
    _patch(**patches)
    raise SystemExit(main(["worker", *arguments]))


def _patch(host: str | None = None, clock: Path | None = None, trap: Path | None = None) -> None:
    """Save every fold, start workers by forking, and pretend as told.

    Parameters
    ----------
    host : str, default=None
        The name that this machine seems to have.
    clock : path, default=None
        A file that says what time it is for whoever waits for signs of life.
    trap : path, default=None
        A folder that is made by whoever reads the job of a search, which somebody replaced.
    """
    _progress._SECONDS_BETWEEN_SAVES = -1.0
    as_forks = SimpleNamespace(Popen=Forked, TimeoutExpired=subprocess.TimeoutExpired)
    vars(_workers)["subprocess"] = as_forks
    if host is not None:
        _owner._host = lambda: host
    if clock is not None:
        vars(_owner)["time"] = SimpleNamespace(monotonic=lambda: float(clock.read_text()))
    if trap is not None:
        write = Job.write

        def replaced(self: Job, folder: Any) -> str:
            digest = write(self, folder)
            Path(folder, FILE).write_bytes(trap_of(trap))
            return digest

        Job.write = replaced  # type: ignore[method-assign]


def trap_of(folder: Path) -> bytes:
    """Return a pickle that makes a folder when it is read."""
    return f"cos\nmkdir\n(S{str(folder)!r}\ntR.".encode()


class Forked:
    """Like ``subprocess.Popen`` of a pool's worker, but a fork of this process."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> None:
        assert options == {"start_new_session": True}
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._work(command[-2:], env)

    @staticmethod
    def _work(arguments: Sequence[str], env: Mapping[str, str]) -> None:
        status: Any = 1
        try:
            os.setsid()
            os.environ.update(env)
            sys.argv = ["worker", *arguments]
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            worker_process.main()
        except SystemExit as error:
            status = error.code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status or 0)

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float = LIMIT) -> None:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.01)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
