from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sklearnloss.tuning._evaluation.interrupts import (
    Terminated,
    noting_interrupts,
    raise_if_interrupted,
)

from ..processes import Stub, X, make_search, outcome, states, y

SIGNALS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Handle signals as Python does, though whoever started the tests may ignore them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_that_is_swallowed_is_raised_later_and_once(number: signal.Signals) -> None:
    with noting_interrupts():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt) as caught:
            raise_if_interrupted()
        assert caught.type is SIGNALS[number]
        raise_if_interrupted()


@pytest.mark.parametrize("number", SIGNALS)
def test_nothing_is_left_behind(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with pytest.raises(SIGNALS[number]), noting_interrupts(), noting_interrupts():
        signal.raise_signal(number)
    assert {each: signal.getsignal(each) for each in SIGNALS} == before
    raise_if_interrupted()


def test_signal_handlers_of_the_user_are_kept() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with noting_interrupts():
        signal.raise_signal(signal.SIGTERM)
        assert seen == [signal.SIGTERM]
        with pytest.raises(Terminated):
            raise_if_interrupted()
        signal.raise_signal(signal.SIGINT)
        raise_if_interrupted()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_in_other_threads_there_is_nothing_to_note() -> None:
    seen: list[Any] = []

    def look() -> None:
        with noting_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("number", SIGNALS)
def test_ctrl_c_that_ends_one_training_ends_the_search(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, count = Stub.fit, iter(range(100))

    def swallowing(self: Stub, X: Any, y: Any) -> Stub:
        with contextlib.suppress(KeyboardInterrupt):  # as skorch's nets do
            if next(count) == 4:
                signal.raise_signal(number)
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
