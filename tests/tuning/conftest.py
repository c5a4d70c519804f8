"""Small data for fits that take a moment, clocks, and an end of processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from sklearnloss.tuning._search import stored_search as _stored_search
from sklearnloss.tuning._workers import retries as _patience

from ..estimators.conftest import digits, scenes

__all__ = ["digits", "scenes"]


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """End the processes that a failed test left."""
    yield
    from .processes import kill_all

    kill_all()


@pytest.fixture
def heeded() -> Iterator[None]:
    """Let Ctrl-C interrupt, though whoever started the tests may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait for storages, but note for how long one would have."""
    seconds: list[float] = []
    clock = SimpleNamespace(sleep=seconds.append, monotonic=lambda: sum(seconds))
    monkeypatch.setattr(_patience, "time", clock)
    return seconds


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for another process to write down what a study is for."""
    monkeypatch.setattr(_stored_search, "_PATIENCE", 0.0)
