from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sklearnloss.tuning._interrupts import noting_interrupts, raise_if_interrupted

from .processes import Stub, X, make_search, outcome, states, y


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_is_swallowed_is_raised_later_and_once() -> None:
    with noting_interrupts():
        with contextlib.suppress(KeyboardInterrupt):
            _interrupt()
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()
        raise_if_interrupted()


def test_nothing_is_left_behind() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), noting_interrupts():
        _interrupt()
    assert signal.getsignal(signal.SIGINT) is before
    raise_if_interrupted()


def test_in_other_threads_there_is_nothing_to_note() -> None:
    seen: list[Any] = []

    def look() -> None:
        with noting_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_ctrl_c_that_ends_one_training_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, count = Stub.fit, iter(range(100))

    def swallowing(self: Stub, X: Any, y: Any) -> Stub:
        with contextlib.suppress(KeyboardInterrupt):  # as skorch's nets do
            if next(count) == 4:
                _interrupt()
        return fit(self, X, y)

    storage = tmp_path / "s.journal"
    with monkeypatch.context() as patch:
        patch.setattr(Stub, "fit", swallowing)
        with pytest.raises(KeyboardInterrupt):
            make_search(storage=storage, sound=True, refit=False).fit(X, y)
    assert next(count) == 5
    assert TrialState.RUNNING not in states(storage)
    whole = make_search(sound=True).fit(X, y)
    assert outcome(make_search(storage=storage, sound=True).fit(X, y)) == outcome(whole)
