"""Searches on a cluster: a Dask cluster of two processes, and threads that stand for one."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.forkserver
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.losses import list_losses, register_loss
from sklearnloss.losses._core import names as _names
from sklearnloss.networks import _registry, list_networks, register_network
from sklearnloss.tuning._search import cluster, launch, remote_fold, sklearn_callbacks
from sklearnloss.tuning._search.evaluate import Task
from sklearnloss.tuning._search.launch import _n_at_once
from sklearnloss.tuning._search.remote_fold import FoldCancelled, SharedTask
from sklearnloss.tuning._workers.engine import DaskEngine, ResultLost, WorkersDied, active_engine

from ..processes import Fits, Stub, X, make_search, states, store_of, wait_until, y
from ..searches import InOrder, told

rng = np.random.default_rng(0)
MASKS = rng.random((8, 8, 8)) < 0.4
IMAGES = (MASKS + rng.normal(size=MASKS.shape)).astype(np.float32)

#: The first value of a row is the number of its fold.
FOLDS = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])

#: Columns that depend on the clock.
TIMES = ("fit_time", "score_time")


class Held(Stub):
    """Waits until a folder says that it may go on."""

    def __init__(
        self,
        mode: str = "fine",
        b: float = 0.5,
        random_state: int | None = None,
        folder: str = "",
    ) -> None:
        super().__init__(mode, b, random_state)
        self.folder = folder

    def fit(self, X: Any, y: Any) -> Held:
        fits = Fits(self.folder)
        fits.wait(fits.note("begun"))
        super().fit(X, y)
        fits.note("done", self.mode, repr(self.b), repr(self.offset_))
        return self


class Noted(np.ndarray):
    """An array that notes in a file who reads its pickle."""

    path = ""

    def __reduce__(self) -> Any:
        return _read_noted, (np.asarray(self), self.path)

    def __array_finalize__(self, other: Any) -> None:
        self.path = getattr(other, "path", "")


def _read_noted(array: Any, path: str) -> Noted:
    Fits(Path(path)).note("read")
    noted = array.view(Noted)
    noted.path = path
    return noted  # type: ignore[no-any-return]


def _run_until_cancelled(fits: Fits) -> None:
    fits.note("begun")
    with contextlib.suppress(FoldCancelled):
        wait_until(lambda: remote_fold._go_on(0, 0.0))
    fits.note("done")


def _table(search: LossSearchCV) -> dict[str, list[str]]:
    """Return the table without times, in a form in which nan equals nan."""
    return {
        key: [repr(value) for value in column]
        for key, column in search.cv_results_.items()
        if not any(time in key for time in TIMES)
    }


def _fixed(**options: Any) -> LossSearchCV:
    """Return a search whose candidates do not depend on scores, of which none is stopped."""
    fixed = {"sampler": RandomSampler(seed=0), "pruner": NopPruner(), "refit": False}
    return make_search(**{"n_trials": 5, **fixed, **options})


@pytest.fixture
def fits(tmp_path: Path) -> Fits:
    return Fits(tmp_path)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Run a Dask cluster of two processes, which are forks of one that has imported this."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    config = {
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.scheduler.allowed-failures": 1,
        "distributed.comm.retry.count": 0,
    }
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    silent = {"silence_logs": logging.CRITICAL, "dashboard_address": None}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Stub.__module__, "distributed"])
    multiprocessing.forkserver.ensure_running()  # before Dask chooses what it imports
    with (
        dask.config.set(config),
        distributed.LocalCluster(**options, **silent) as local,
        distributed.Client(local) as client,
    ):
        yield client


# Dask warns if it is slow, and closes its sockets late.
on_dask = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class TestDask:
    """A local cluster of two processes."""

    pytestmark = on_dask

    def test_the_table_is_that_of_one_process_and_data_are_sent_once(
        self, client: Any, fits: Fits
    ) -> None:
        noted = X.view(Noted)
        noted.path = str(fits.folder)

        class Mine(Stub):
            """Is in no module."""

        with joblib.parallel_config(backend="dask"), pytest.warns(FitFailedWarning):
            search = _fixed(estimator=Mine()).fit(noted, y)
        with pytest.warns(FitFailedWarning):
            alone = _fixed(estimator=Mine()).fit(X, y)
        assert _table(search) == _table(alone)
        assert {"LookupError in fold 1: nothing to be found", ""} <= set(
            search.cv_results_["reason"]
        )
        readers = [int(pid) for (pid,) in fits._lines("read")]
        assert len(readers) == len(set(readers)) == 2
        assert os.getpid() not in readers

    def test_a_killed_worker_loses_nothing(self, client: Any, fits: Fits) -> None:
        options = {"estimator": Held(folder=str(fits.folder)), "sound": True, "cv": 3}
        storage = fits.folder / "s.journal"
        fits.hold(0)
        found: list[LossSearchCV] = []

        def search() -> None:
            with joblib.parallel_config(backend="dask"):
                found.append(_fixed(storage=storage, **options).fit(X, y))

        thread = threading.Thread(target=search)
        thread.start()
        try:
            wait_until(lambda: len(fits.workers()) == 2)
            fits.hold(2)
            begun = wait_until(lambda: len(fits.begun()) == 4 and fits.begun())
            os.kill(begun[-1], signal.SIGKILL)  # in its second fold
        finally:
            fits.release()
            thread.join()
        assert len(fits.done()) == len(set(fits.done())) == 5 * 3
        assert states(storage) == [TrialState.COMPLETE] * 5
        assert _table(found[0]) == _table(_fixed(**options).fit(X, y))

    def test_a_candidate_that_ends_every_worker_is_given_up(
        self, client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client.wait_for_workers(2)  # an earlier test has ended one; what shares it is lost, too
        monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
        space = {"mode": ["fine", "good", "killer"]}
        options = {"n_trials": None, "param_distributions": space, "cv": 2}
        with joblib.parallel_config(backend="dask"), pytest.warns(FitFailedWarning):
            table = _fixed(sampler=InOrder(), **options).fit(X, y).cv_results_
        ended = dict(zip(table["param_mode"], table["outcome"], strict=True))
        assert ended == {"fine": "complete", "good": "complete", "killer": "crashed"}
        assert "ended its process once, perhaps for lack of memory" in table["reason"]

    def test_a_worker_notices_that_nobody_needs_its_fold(self, client: Any, fits: Fits) -> None:
        engine = DaskEngine(SimpleNamespace(client=client, submit_kwargs={}))
        call = engine.submit(_run_until_cancelled, engine.share(fits))
        wait_until(fits.begun)
        assert not fits.done()
        engine.cancel([call])
        wait_until(fits.done)
        with pytest.raises(ResultLost):
            engine.result(call)

    @pytest.mark.usefixtures("heeded")
    def test_ctrl_c_frees_the_cluster_and_the_same_call_resumes(
        self, client: Any, fits: Fits
    ) -> None:
        options = {"estimator": Held(folder=str(fits.folder)), "sound": True, "cv": 3}
        storage = fits.folder / "s.db"
        fits.hold(0)

        def interrupt() -> None:
            wait_until(lambda: len(fits.workers()) == 2)
            fits.hold(2)
            wait_until(lambda: len(fits.begun()) == 4)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with joblib.parallel_config(backend="dask"), pytest.raises(KeyboardInterrupt):
            _fixed(storage=storage, **options).fit(X, y)
        thread.join()
        assert TrialState.RUNNING not in states(storage)
        n_folds = [len(row.results.folds) for row in store_of(storage).rows()]
        assert n_folds == [1, 1]
        fits.release()
        with joblib.parallel_config(backend="dask"):
            search = _fixed(storage=storage, **options).fit(X, y)
        assert _table(search) == _table(_fixed(**options).fit(X, y))


class Never(BasePruner):
    """Stops nothing, but takes all reports."""

    def prune(self, study: Any, trial: Any) -> bool:
        return False


class Threads:
    """Stands for a cluster: runs functions in threads, after sending their data as a pickle."""

    def __init__(self, n: int = 2) -> None:
        self.pool = ThreadPoolExecutor(n)
        self.n = n
        self.n_shared = 0
        self.lock = threading.Lock()
        self.running: list[bool] = []
        self.begun: list[tuple[bool, int]] = []
        self.is_killer: Callable[[Any], bool] = lambda params: False
        self.faults: list[Exception] = []
        self.change: Callable[[Any], Any] = lambda record: record

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Return a context in which searches use these threads."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(launch, "active_engine", lambda: (self, None))
            yield

    def n_slots(self) -> int:
        return self.n

    def share(self, value: Any) -> Any:
        self.n_shared += 1
        return pickle.loads(pickle.dumps(value, protocol=5))

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        fault = self.faults.pop() if self.faults else None
        is_killer = self.is_killer(pickle.loads(args[1]))
        return self.pool.submit(self._call, is_killer, fault, function, *args)

    def _call(
        self, is_killer: bool, fault: Exception | None, function: Callable[..., Any], *args: Any
    ) -> Any:
        """Run a function; what runs at the same time as a killer is lost, too."""
        with self.lock:
            self.running.append(is_killer)
            is_lost = any(self.running)
        if is_killer:
            time.sleep(0.1)  # others might begin
        with self.lock:
            self.begun.append((is_killer, len(self.running)))
        try:
            if fault is not None:
                raise fault
            record = self.change(function(*args))
        finally:
            with self.lock:
                is_lost |= any(self.running)
                self.running.remove(is_killer)
        if is_lost:
            raise ResultLost
        return record

    def result(self, call: Any) -> Any:
        try:
            return call.result()
        except CancelledError as error:
            raise ResultLost from error

    def cancel(self, calls: Iterable[Any]) -> None:
        for call in calls:
            call.cancel()

    def waiting(self) -> Any:
        return contextlib.nullcontext()


@pytest.fixture
def threads() -> Threads:
    return Threads()


def test_the_cluster_is_that_of_parallel_config() -> None:
    for backend in ("loky", "threading", "multiprocessing"):
        with joblib.parallel_config(backend=backend):
            assert active_engine() is None
    assert active_engine() is None


@pytest.mark.parametrize(
    ("n_jobs", "of_context", "expected"),
    [(1, None, None), (None, None, None), (-1, -1, None), (1, 1, 1), (1, 3, 3), (4, 3, 4)],
)
def test_n_jobs_is_the_number_of_candidates_at_once(
    n_jobs: int | None, of_context: int | None, expected: int | None
) -> None:
    assert _n_at_once(n_jobs, of_context) == expected


@pytest.mark.parametrize("storage", [None, "s.journal", "s.db"])
def test_only_the_process_of_the_search_uses_the_storage(
    storage: str | None, threads: Threads, tmp_path: Path
) -> None:
    path = None if storage is None else tmp_path / storage
    with threads.active():
        search = _fixed(sound=True, storage=path).fit(X, y)
    assert _table(search) == _table(_fixed(sound=True).fit(X, y))
    assert threads.n_shared == 1
    if path is not None:
        with threads.active():  # all is there
            assert _table(_fixed(sound=True, storage=path).fit(X, y)) == _table(search)
        assert threads.n_shared == 1


def test_a_database_in_memory_is_refused(threads: Threads) -> None:
    with threads.active(), pytest.raises(ValueError, match="in the memory of a single thread"):
        _fixed(storage="sqlite://").fit(X, y)


def test_callbacks_of_scikit_learn_are_not_called_on_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sklearn_callbacks, "active_engine", lambda: (Threads(), None))
    search = _fixed()
    search._skl_callbacks = [0.5]
    with pytest.warns(UserWarning, match=r"\(float\) .* on the cluster\. Search in this process"):
        sklearn_callbacks.warn_of_workers(search, 1)


def test_as_many_candidates_as_wanted_are_trained_at_once(threads: Threads) -> None:
    barrier = threading.Barrier(2, timeout=60)

    def meet(record: Any) -> Any:
        barrier.wait()  # two folds are there at once
        return record

    threads.change = meet
    with threads.active():
        _fixed(sound=True, n_trials=4).fit(X, y)
        assert max(n for _, n in threads.begun) == 2


def test_a_cluster_that_grows_is_used(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_SECONDS_BETWEEN_LOOKS", 0.01)
    threads.n = 1
    second = threading.Event()

    def grow(record: Any) -> Any:
        threads.n = 2
        if len(threads.running) == 2:
            second.set()
        assert second.wait(60)
        return record

    threads.change = grow
    with threads.active():
        _fixed(sound=True, n_trials=4).fit(X, y)
    assert second.is_set()


def test_what_the_cluster_lost_is_sent_and_trained_again(threads: Threads) -> None:
    threads.faults = [ResultLost(), ResultLost()]
    with threads.active():
        search = _fixed(sound=True).fit(X, y)
    assert _table(search) == _table(_fixed(sound=True).fit(X, y))
    assert threads.n_shared > 1


def test_a_candidate_that_takes_the_data_of_others_away_is_found(threads: Threads) -> None:
    threads.is_killer = lambda params: params["b"] == 0.25
    space = {"mode": ["fine"], "b": [0.125, 0.25, 0.375, 0.5]}
    options = {"n_trials": None, "param_distributions": space, "cv": 2}
    with threads.active(), pytest.warns(FitFailedWarning):
        table = _fixed(**options).fit(X, y).cv_results_
    reasons = dict(zip(table["param_b"].tolist(), table["reason"], strict=True))
    reason = "ended its process at least 3 times, perhaps for lack of memory"
    assert reasons == {0.125: "", 0.25: reason, 0.375: "", 0.5: ""}
    assert [n for is_killer, n in threads.begun if is_killer][1:] == [1, 1]


def test_a_candidate_whose_processes_end_is_not_tried_again(
    threads: Threads, tmp_path: Path
) -> None:
    threads.n, threads.faults = 1, [WorkersDied(4)]
    options = {"storage": tmp_path / "s.journal", "sound": True, "error_score": "raise"}
    with threads.active(), pytest.warns(FitFailedWarning):
        table = _fixed(**options, n_trials=2).fit(X, y).cv_results_
    assert list(table["outcome"]) == ["crashed", "complete", "complete"]
    assert table["reason"][0] == "ended its process 4 times, perhaps for lack of memory"


def test_workers_that_cannot_train_are_no_fault_of_a_candidate(
    threads: Threads, tmp_path: Path
) -> None:
    options = {"storage": tmp_path / "s.journal", "sound": True}
    threads.faults = [ModuleNotFoundError("No module named 'mine'")]
    with (
        threads.active(),
        pytest.raises(RuntimeError, match="cannot train: ModuleNotFoundError: No module .* 'mine'"),
    ):
        _fixed(**options).fit(X, y)
    rows = store_of(tmp_path / "s.journal").rows()
    assert {row.state for row in rows} == {TrialState.WAITING}
    threads.change = lambda record: replace(record, version="0.0")
    with threads.active(), pytest.raises(RuntimeError, match=r"they have its version 0\.0, not"):
        _fixed(**options).fit(X, y)
    threads.change = lambda record: record
    with threads.active():
        search = _fixed(**options).fit(X, y)
    assert _table(search) == _table(_fixed(sound=True).fit(X, y))


def test_errors_are_recorded_or_raised_with_their_traceback(threads: Threads) -> None:
    values = [0.1, LookupError("nothing to be found"), 0.3]
    with threads.active(), pytest.warns(FitFailedWarning):
        search = told(values, pruner=NopPruner(), sampler=InOrder()).fit(*FOLDS)
    reasons = list(search.cv_results_["reason"])
    assert sorted(reasons) == ["", "", "LookupError in fold 1: nothing to be found"]
    with threads.active(), pytest.raises(LookupError, match="nothing") as raised:
        told(values, pruner=NopPruner(), error_score="raise").fit(*FOLDS)
    assert "In a worker process" in raised.value.__notes__[0]


class AfterFirst(BasePruner):
    """Stops every candidate but the first at its first epoch."""

    def prune(self, study: Any, trial: Any) -> bool:
        return bool(trial.number > 0 and trial.last_step == 1)


def test_a_candidate_is_stopped_between_folds(threads: Threads) -> None:
    model = UNetSegmenter(width=2, depth=1, max_epochs=2)
    options: dict[str, Any] = {"n_trials": 2, "cv": 2, "random_state": 0, "refit": False}
    options["pruner"] = AfterFirst()
    with threads.active():
        table = LossSearchCV(model, ["dice", "bce"], **options).fit(IMAGES, MASKS).cv_results_
    assert list(table["outcome"]) == ["complete", "pruned"]
    assert table["reason"][1] == "stopped after fold 1"
    assert list(table["n_epochs"]) == [4, 2]
    assert table["last_report"][1] == table["split0_test_score"][1]


def test_the_main_thread_calls_callbacks_which_may_end_the_search(threads: Threads) -> None:
    calls: list[tuple[int, bool]] = []

    def stop(study: Any, trial: Any) -> None:
        calls.append((trial.number, threading.current_thread() is threading.main_thread()))
        if len(calls) == 3:
            study.stop()

    with threads.active():
        search = _fixed(sound=True, n_trials=50, callbacks=[stop]).fit(X, y)
    assert all(main for _, main in calls)
    assert 3 <= len(calls) <= 4  # two may end at the same time
    assert 3 <= len(search.cv_results_["params"]) <= 4

    def fail(study: Any, trial: Any) -> None:
        raise LookupError("my mistake")

    with threads.active(), pytest.raises(LookupError, match="my mistake"):
        _fixed(sound=True, n_trials=50, callbacks=[fail]).fit(X, y)


class Over:
    """Ends a search at once."""

    def update(self, candidates: Any) -> None: ...

    def is_over(self) -> bool:
        return True


def test_a_search_that_is_out_of_time_keeps_the_folds_that_are_trained(
    threads: Threads, tmp_path: Path
) -> None:
    threads.n = 1
    model = UNetSegmenter(width=2, depth=1, max_epochs=2)
    options: dict[str, Any] = {"n_trials": 1, "cv": 2, "random_state": 0, "refit": False}
    options["pruner"] = Never()
    search = LossSearchCV(model, ["dice"], storage=tmp_path / "s.journal", **options)
    search._watch = Over()
    with threads.active(), pytest.warns(UserWarning, match="never tried"):
        search.fit(IMAGES, MASKS)
    (row,) = store_of(tmp_path / "s.journal").rows()
    assert row.state == TrialState.WAITING
    assert len(row.results.folds) == 1
    assert row.results.epochs == 2


class Locked(Stub):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")


def test_what_cannot_be_sent_is_named_before_any_training(threads: Threads) -> None:
    message = r"estimator=Locked\(...\) cannot be pickled.*outside of joblib.parallel_config"
    with threads.active(), pytest.raises(TypeError, match=message):
        _fixed(estimator=Locked()).fit(X, y)


def test_losses_and_networks_that_were_registered_are_known_to_workers() -> None:
    register_loss("mine", lambda logits, target: (logits.sigmoid() - target).abs().mean())
    register_network("tiny", lambda in_channels, n_classes: torch.nn.Conv2d(1, 1, 1))
    shared = _shared(IMAGES, MASKS)
    for known in (_names.USER_LOSSES, _registry.USER_NETWORKS):
        known.clear()
    shared.open()
    assert "mine" in list_losses()
    assert "tiny" in list_networks()


def _shared(X: Any, y: Any) -> SharedTask:
    task = Task(UNetSegmenter(), X, y, None, {}, {}, [], None, 0)
    shared: SharedTask = pickle.loads(pickle.dumps(SharedTask(task), protocol=5))
    return shared


def test_a_file_that_a_worker_cannot_see_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["a.png", "b.png", "c.png"]
    for name in names:
        Path(name).touch()
    shared = _shared(names, names)
    monkeypatch.chdir("/")  # workers have folders of their own
    paths = [str(tmp_path / name) for name in names]
    assert shared.open().X == shared.open().y == paths
    shared = pickle.loads(pickle.dumps(shared))
    (tmp_path / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.png' cannot be seen .* nor 1 others"):
        shared.open()


def test_arrays_are_not_copied_to_be_sent() -> None:
    image = np.zeros((4, 8, 8))
    shared = SharedTask(Task(UNetSegmenter(), image, None, None, {}, {}, [], None, 0))
    assert len(shared.content) < image.nbytes
    assert np.shares_memory(shared.buffers[0], image)


@pytest.mark.parametrize(("allowed", "n"), [("3", 3), ("", 1), ("0", 1)])
def test_a_fold_uses_the_threads_of_its_worker(
    allowed: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with remote_fold._threads:
            with remote_fold._threads:
                assert torch.get_num_threads() == n
            assert torch.get_num_threads() == n
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
