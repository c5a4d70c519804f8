"""What is asked of Ray and Dask; searches on Dask are in ``_search/test_cluster.py``."""

from __future__ import annotations

import sys
from concurrent.futures import CancelledError
from types import SimpleNamespace
from typing import Any

import pytest
from joblib.parallel import ParallelBackendBase, parallel_config

from sklearnloss.tuning._workers.engine import (
    DaskEngine,
    RayEngine,
    ResultLost,
    WorkersDied,
    active_engine,
    is_cancelled,
)

ERRORS = (
    "WorkerCrashedError",
    "NodeDiedError",
    "OutOfMemoryError",
    "TaskCancelledError",
    "ObjectLostError",
)


class FakeRay:
    """Runs a function when its result is asked for."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(**{name: type(name, (Exception,), {}) for name in ERRORS})
        self.options: dict[str, Any] = {}
        self.inits = 0
        self.cancelled: list[Any] = []

    def is_initialized(self) -> bool:
        return self.inits > 0

    def init(self) -> None:
        self.inits += 1

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0, "memory": 1e9}

    def put(self, value: Any) -> Any:
        return value

    def remote(self, function: Any) -> Any:
        def options(**options: Any) -> Any:
            self.options = options
            return SimpleNamespace(remote=lambda *args: (function, args))

        return SimpleNamespace(options=options)

    def get(self, call: Any) -> Any:
        function, args = call
        return function(*args)

    def cancel(self, call: Any, force: bool) -> None:
        assert force
        self.cancelled.append(call)


class RayBackend(ParallelBackendBase):  # type: ignore[misc]
    """Has the name of Ray's."""

    ray_remote_args: dict[str, Any] | None = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        return 1


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


def _raise(error: Exception) -> None:
    raise error


def test_ray_runs_what_is_submitted(ray: FakeRay) -> None:
    with parallel_config(backend=RayBackend(), n_jobs=5):
        found = active_engine()
    assert found is not None
    engine, n_jobs = found
    assert isinstance(engine, RayEngine)
    assert n_jobs == 5
    assert ray.inits == 1
    assert engine.n_slots() == 3
    call = engine.submit(divmod, engine.share(7), 2)
    assert engine.result(call) == (3, 1)
    assert ray.options == {"max_retries": 2}
    engine.cancel([call])
    assert ray.cancelled == [call]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_ray_itself_are_told_from_those_of_functions(ray: FakeRay, name: str) -> None:
    backend = RayBackend()
    backend.ray_remote_args = {"num_gpus": 1, "max_retries": 4}
    engine = RayEngine(backend)
    call = engine.submit(_raise, getattr(ray.exceptions, name)())
    assert ray.options == backend.ray_remote_args
    expected = ResultLost if name in ERRORS[3:] else WorkersDied
    with pytest.raises(expected) as raised:
        engine.result(call)
    assert getattr(raised.value, "deaths", 5) == 5
    with pytest.raises(LookupError, match="my mistake"):
        engine.result(engine.submit(_raise, LookupError("my mistake")))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearnloss\[ray\]'"):
        RayEngine(RayBackend())


def test_a_scheduler_that_is_gone_is_no_fault_of_a_function() -> None:
    pytest.importorskip("distributed")
    engine = DaskEngine(SimpleNamespace(client=None))
    lost = CancelledError()
    with pytest.raises(ResultLost):
        engine.result(SimpleNamespace(result=lambda: _raise(lost)))
    vars(lost)["reason"] = "scheduler-connection-lost"
    with pytest.raises(ConnectionError, match="scheduler cannot be reached"):
        engine.result(SimpleNamespace(result=lambda: _raise(lost)))


def test_a_function_that_runs_nowhere_else_is_not_cancelled() -> None:
    assert not is_cancelled()
