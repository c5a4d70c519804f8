"""Interrupts (Ctrl-C, SIGTERM) that end a search even if an estimator catches them."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_noted: list[type[KeyboardInterrupt]] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers and preemptible machines use to end a process."""


@contextlib.contextmanager
def noting_interrupts() -> Iterator[None]:
    """Record interrupts, without changing how they are handled, and treat SIGTERM as one.

    If the user's own code handles SIGTERM, that handler is kept. Only the main thread can
    be interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if number == signal.SIGTERM and handler == signal.SIG_DFL:
            handler = _terminate
        if callable(handler):
            signal.signal(number, _noting(handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # a handler that was not set from Python cannot be restored
                signal.signal(number, handler)
        _noted.clear()


def _noting(handler: Callable[..., Any]) -> Callable[[int, FrameType | None], None]:
    def note(number: int, frame: FrameType | None) -> None:
        _noted.append(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        handler(number, frame)

    return note


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated("The process was asked to end (SIGTERM).")


def raise_if_interrupted() -> None:
    """Raise an interrupt that was recorded, but swallowed by an estimator.

    Raises
    ------
    KeyboardInterrupt
        If there was an interrupt.
    """
    if _noted:
        interrupt = _noted[-1]
        _noted.clear()
        raise interrupt
