"""Clusters that run functions: joblib's backends "dask" and "ray"."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from typing import Any, Protocol

from joblib.parallel import get_active_backend

from ..._utils.optional import import_optional
from .pool import MAX_DEATHS

_WHAT = "A search on the cluster"


class WorkersDied(Exception):
    """Several processes of a cluster ended while they ran the same function.

    Parameters
    ----------
    deaths : int
        Number of processes.
    """

    def __init__(self, deaths: int) -> None:
        super().__init__(deaths)
        self.deaths = deaths


class ResultLost(Exception):
    """A function was cancelled, or the shared value is on no worker any more."""


class Engine(Protocol):
    """A cluster that runs functions on its workers."""

    def n_slots(self) -> int:
        """Return how many functions the cluster runs at once."""

    def share(self, value: Any) -> Any:
        """Send a value to the workers; return a reference to it, an argument of functions."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on one of the workers; return a handle of the call.

        It is run again if its process ends.
        """

    def result(self, call: Any) -> Any:
        """Wait for a call, and return its result or raise its error.

        Raises
        ------
        WorkersDied
            If several processes ended while they ran it.
        ResultLost
            If it was cancelled.
        """

    def cancel(self, calls: Iterable[Any]) -> None:
        """Cancel calls; waiting for their results ends."""

    def waiting(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which calls are awaited.

        In a function that the cluster runs, it frees the function's own slot.
        """


class DaskEngine:
    """A Dask cluster.

    Parameters
    ----------
    backend : joblib.parallel.DaskDistributedBackend
        The active backend, with its client.
    """

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.client = backend.client

    def n_slots(self) -> int:
        """Return the number of threads of all workers; wait for the first worker."""
        return int(self.backend.effective_n_jobs(-1))

    def share(self, value: Any) -> Any:
        """Send a value to all workers; one that joins later gets it from another worker."""
        # Without a hash, which would require to read all data.
        return self.client.scatter(value, broadcast=True, hash=False)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on one of the workers."""
        key = f"{function.__name__}-{uuid.uuid4().hex}"
        options = {"key": key, "pure": False, **self.backend.submit_kwargs}
        return self.client.submit(function, *args, **options)

    def result(self, call: Any) -> Any:
        """Wait for a call, and return its result."""
        killed = import_optional("distributed", _WHAT, "dask").scheduler.KilledWorker
        try:
            return call.result()
        except killed as error:
            raise WorkersDied(error.allowed_failures + 1) from error
        except CancelledError as error:
            if getattr(error, "reason", None) == "scheduler-connection-lost":
                raise ConnectionError("the scheduler cannot be reached any more") from error
            raise ResultLost(str(error)) from error

    def cancel(self, calls: Iterable[Any]) -> None:
        """Cancel calls."""
        self.client.cancel(list(calls), asynchronous=False)

    def waiting(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which calls are awaited."""
        return self.backend.retrieval_context()  # type: ignore[no-any-return]


class RayEngine:
    """A Ray cluster.

    Parameters
    ----------
    backend : ray.util.joblib.ray_backend.RayBackend
        The active backend.
    """

    def __init__(self, backend: Any) -> None:
        self.ray = import_optional("ray", _WHAT, "ray")
        self.options = {"max_retries": MAX_DEATHS - 1, **(backend.ray_remote_args or {})}
        if not self.ray.is_initialized():
            self.ray.init()  # at RAY_ADDRESS, or on this machine

    def n_slots(self) -> int:
        """Return the number of CPUs of all nodes."""
        return int(self.ray.cluster_resources().get("CPU", 1))

    def share(self, value: Any) -> Any:
        """Put a value into the object store, from which each node copies it once."""
        return self.ray.put(value)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on one of the workers."""
        return self.ray.remote(function).options(**self.options).remote(*args)

    def result(self, call: Any) -> Any:
        """Wait for a call, and return its result."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(call)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            raise WorkersDied(1 + int(self.options["max_retries"])) from error
        except (errors.TaskCancelledError, errors.ObjectLostError) as error:
            raise ResultLost(str(error)) from error

    def cancel(self, calls: Iterable[Any]) -> None:
        """Cancel calls, and end the processes that run them."""
        for call in calls:
            self.ray.cancel(call, force=True)

    def waiting(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which calls are awaited; Ray itself frees the slot."""
        return contextlib.nullcontext()


_ENGINES: dict[str, Callable[[Any], Engine]] = {
    "DaskDistributedBackend": DaskEngine,
    "RayBackend": RayEngine,
}


def active_engine() -> tuple[Engine, int | None] | None:
    """Return the cluster that ``joblib.parallel_config`` names, and its ``n_jobs``.

    Returns
    -------
    engine : Engine
    n_jobs : int or None
        None if it is not set.

    None is returned outside of ``parallel_config``, and for backends on this machine.
    """
    backend, n_jobs = get_active_backend()
    for each in type(backend).__mro__:
        if each.__name__ in _ENGINES:
            return _ENGINES[each.__name__](backend), n_jobs
    return None


def is_cancelled() -> bool:
    """Return whether the function that calls this was cancelled, on a worker of Dask."""
    distributed: Any = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        worker = distributed.get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
    except (ValueError, KeyError, AttributeError):
        return False  # not on a worker
    return task is None or task.state == "cancelled"
