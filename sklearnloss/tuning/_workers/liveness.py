"""The identity of a worker process, and whether it is still alive."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

#: Searches that are running in this process.
_running: set[str] = set()

#: Seconds between two heartbeats, and seconds without one until a worker is considered dead.
BEAT, GRACE = 15.0, 90.0


class Owner:
    """A running search or worker, which owns candidates in a storage.

    On the same machine, a process is identified by its number and start time; on others,
    its heartbeats show whether it is alive.

    Parameters
    ----------
    call : str, default=None
        The call of ``fit`` that it works for; None begins a new one.
    """

    def __init__(self, call: str | None = None) -> None:
        search = uuid.uuid4().hex
        self.token: dict[str, Any] = {
            "host": _host(),
            "pid": os.getpid(),
            "start": _start_of(os.getpid()),
            "search": search,
            "call": call or search,
        }
        self._seen: dict[tuple[str, int], tuple[Any, float]] = {}

    def __enter__(self) -> Owner:
        _running.add(str(self.token["search"]))
        return self

    def __exit__(self, *exc_info: object) -> None:
        _running.discard(str(self.token["search"]))

    def is_alive(self, token: dict[str, Any], beat: Any, candidate: int) -> bool:
        """Return whether a candidate's owner still works on it.

        Parameters
        ----------
        token : dict
            The token of the owner.
        beat : object
            Its latest heartbeat.
        candidate : int
            The candidate that it works on.
        """
        if token["host"] == self.token["host"]:
            if token["pid"] == os.getpid() and token["start"] == self.token["start"]:
                return token["search"] in _running
            if _sees_processes():
                started: str | None = token["start"]
                return started is not None and _start_of(token["pid"]) == started
        key, now = (token["search"], candidate), time.monotonic()
        if self._seen.get(key, (None, 0.0))[0] != beat or key not in self._seen:
            self._seen[key] = (beat, now)
        return now - self._seen[key][1] < GRACE


def _host() -> str:
    """Return a name that no other machine or container has."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}/{_namespace()}"


def _namespace() -> str:
    """Return the namespace of process numbers, on systems that have several."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _sees_processes() -> bool:
    """Return whether processes can be checked; on Windows, ``os.kill`` would end them."""
    return os.name == "posix"


def _start_of(pid: int) -> str | None:
    """Return when a process started; None if it has ended, even if it is a zombie."""
    if not _sees_processes():
        return "unknown"
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return None
    except OSError:
        return None
    try:  # a system without /proc
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "unknown"


class Heartbeat:
    """Sends heartbeats from a thread while a candidate is being evaluated.

    Parameters
    ----------
    beat : callable
        Called with a counter every :data:`BEAT` seconds. Its errors are ignored: either
        the storage is temporarily unavailable, or another worker took over the candidate,
        which this worker will notice.
    """

    def __init__(self, beat: Callable[[int], None]) -> None:
        self._beat = beat
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(BEAT):
            count += 1
            try:
                self._beat(count)
            except Exception:
                continue
