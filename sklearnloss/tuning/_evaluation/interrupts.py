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
    """SIGTERM, by which schedulers and preemptible machines end a process."""


@contextlib.contextmanager
def noting_interrupts() -> Iterator[None]:
    """Note an interrupt, beside what happens anyway, and take SIGTERM as one.

    A SIGTERM that the user's own code handles is left to it. Only the main thread is
    ever interrupted.
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
            if handler is not None:  # what was not set from Python cannot be set from it
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
    """Raise an interrupt that was noted, and that an estimator has swallowed.

    Raises
    ------
    KeyboardInterrupt
        If there was one.
    """
    if _noted:
        interrupt = _noted[-1]
        _noted.clear()
        raise interrupt
