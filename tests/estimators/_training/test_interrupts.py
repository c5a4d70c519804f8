"""Ctrl-C ends a fit; a callback that raises KeyboardInterrupt merely ends the training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from skorch.callbacks import Callback
from torch import Tensor
from torch.nn import functional as F

from ..conftest import Data, classifier, segmenter

MOMENTS = (
    *("on_train_begin", "on_epoch_begin", "on_batch_begin", "on_grad_computed"),
    *("on_batch_end", "on_epoch_end", "on_train_end"),
)


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """Let SIGINT raise, also where the tests run in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


class At(Callback):  # type: ignore[misc]
    """Acts at one moment of the second epoch, or where there is no epoch."""

    def __init__(self, moment: str, action: Any) -> None:
        def act(net: Any, *args: Any, **kwargs: Any) -> None:
            if len(net.history) != 1:
                action()

        setattr(self, moment, act)


class Ends(Callback):  # type: ignore[misc]
    """Counts the ends of trainings."""

    def __init__(self, ends: list[int]) -> None:
        self.ends = ends

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.ends.append(len(net.history))


def raise_interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_in_a_callback_leaves_fit(moment: str, digits: Data) -> None:
    X, y = digits
    ends: list[int] = []
    model = classifier(callbacks=[At(moment, interrupt), Ends(ends)], max_epochs=3)
    before = classifier().fit(X + 9, y[::-1])
    model.__dict__.update({k: v for k, v in vars(before).items() if k.endswith("_")})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    if moment == "on_train_begin":  # nothing was trained: the earlier fit is back
        assert model.net_ is before.net_
        np.testing.assert_array_equal(model.predict_proba(X), before.predict_proba(X))
    else:
        assert model.n_iter_ == {"on_epoch_end": 2, "on_train_end": 3}.get(moment, 1)
        assert "train_loss" in model.history_[-1]
    assert len(ends) <= 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_callback_that_raises_it_ends_the_training(moment: str, digits: Data) -> None:
    ends: list[int] = []
    model = classifier(callbacks=[At(moment, raise_interrupt), Ends(ends)], max_epochs=3)
    model.fit(*digits)
    n_epochs = {"on_train_begin": 0, "on_train_end": 3}.get(moment, 2)
    assert model.n_iter_ == n_epochs
    assert ends == [n_epochs]


def test_ctrl_c_that_a_callback_catches_leaves_fit(digits: Data) -> None:
    def swallow() -> None:
        with pytest.raises(KeyboardInterrupt):
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        classifier(callbacks=[At("on_batch_end", swallow)], max_epochs=3).fit(*digits)


def test_ctrl_c_in_a_callback_spares_the_others(digits: Data) -> None:
    called: list[str] = []
    others = At("on_epoch_end", lambda: called.append("second epoch"))
    with pytest.raises(KeyboardInterrupt):
        classifier(callbacks=[At("on_epoch_end", interrupt), others], max_epochs=3).fit(*digits)
    assert called == []


def test_ctrl_c_in_a_fit_within_a_fit_leaves_both(digits: Data) -> None:
    def fit() -> None:
        with pytest.raises(KeyboardInterrupt):
            classifier(callbacks=[At("on_train_begin", interrupt)]).fit(*digits)

    with pytest.raises(KeyboardInterrupt):
        classifier(callbacks=[At("on_epoch_end", fit)], max_epochs=2).fit(*digits)


def test_ctrl_c_in_the_loss_keeps_what_was_trained(scenes: Data) -> None:
    steps = iter(range(100))

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        if next(steps) == 4:  # three steps per epoch
            interrupt()
        return F.cross_entropy(logits, target.long())

    ends: list[int] = []
    model = segmenter(loss, max_epochs=3, callbacks=[Ends(ends)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(*scenes)
    assert model.n_iter_ == 1
    assert ends == [1]
    assert model.net_.optimizer_.param_groups[0]["lr"] == model.lr


def test_ctrl_c_while_data_are_read_keeps_the_earlier_fit(digits: Data) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)

    class Images(list):  # type: ignore[type-arg]
        def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
            interrupt()
            raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :4], Images(y + 5))
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.classes_.tolist() == [0, 1, 2]


def test_an_error_at_the_end_does_not_hide_ctrl_c(digits: Data) -> None:
    def fail() -> None:
        raise OSError("disk full")

    callbacks = [At("on_epoch_end", interrupt), At("on_train_end", fail)]
    with pytest.raises(KeyboardInterrupt) as stopped:
        classifier(callbacks=callbacks, max_epochs=3).fit(*digits)
    assert any("disk full" in note for note in stopped.value.__notes__)


def test_callbacks_are_not_told_of_the_end_of_a_fit_that_fails(digits: Data) -> None:
    def fail() -> None:
        raise OSError("disk full")

    ends: list[int] = []
    callbacks = [Ends(ends), At("on_batch_end", fail)]
    with pytest.raises(OSError, match="disk full"):
        classifier(callbacks=callbacks, max_epochs=3).fit(*digits)
    assert ends == []


def test_callbacks_end_a_training_in_a_thread(digits: Data) -> None:
    model = classifier(callbacks=[At("on_epoch_end", raise_interrupt)], max_epochs=3)
    thread = threading.Thread(target=model.fit, args=digits)
    thread.start()
    thread.join()
    assert model.n_iter_ == 2


def test_a_handler_that_a_callback_installs_stays(digits: Data) -> None:
    def handler(number: int, frame: Any) -> None:
        pass

    def install() -> None:
        signal.signal(signal.SIGINT, handler)

    classifier(callbacks=[At("on_epoch_end", install)], max_epochs=2).fit(*digits)
    assert signal.getsignal(signal.SIGINT) is handler
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ignored_signals_stay_ignored(digits: Data) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = classifier(callbacks=[At("on_epoch_end", interrupt)], max_epochs=2).fit(*digits)
    assert model.n_iter_ == 2
    signal.signal(signal.SIGINT, signal.default_int_handler)
