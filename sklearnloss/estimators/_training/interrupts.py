"""Distinguishes Ctrl-C from a KeyboardInterrupt that a callback raises to stop training."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Whether the process has received a SIGINT."""

    received = False


@contextlib.contextmanager
def watch_interrupts() -> Iterator[Interrupts]:
    """Record each SIGINT, in addition to running its handler.

    Python runs signal handlers in the main thread only. In other threads nothing is
    recorded, and Ctrl-C never raises an exception there.
    """
    interrupts = Interrupts()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield interrupts
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.received = True
        handler(number, frame)

    try:
        signal.signal(signal.SIGINT, note)
        yield interrupts
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, handler)
