"""Ctrl-C ends a search even where an estimator takes it as the end of its own training."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_noted = threading.Event()


@contextlib.contextmanager
def noting_interrupts() -> Iterator[None]:
    """Note an interrupt, beside what happens anyway. Only the main thread is ever interrupted."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        _noted.set()
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        _noted.clear()


def raise_if_interrupted() -> None:
    """Raise an interrupt that was noted, and that an estimator has swallowed.

    Raises
    ------
    KeyboardInterrupt
        If there was one.
    """
    if _noted.is_set():
        _noted.clear()
        raise KeyboardInterrupt
