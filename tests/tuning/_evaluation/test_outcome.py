from __future__ import annotations

from typing import Any

import pytest
import torch
from optuna.trial import TrialState

from sklearnloss.tuning._evaluation.outcome import (
    Crashed,
    Outcome,
    Pruned,
    UndefinedScore,
    attempt,
)


@pytest.mark.parametrize(
    ("error", "outcome", "state"),
    [
        (Pruned("stopped"), Outcome.PRUNED, TrialState.PRUNED),
        (FloatingPointError("the loss is nan"), Outcome.DIVERGED, TrialState.PRUNED),
        (UndefinedScore("nan"), Outcome.UNDEFINED, TrialState.PRUNED),
        (torch.OutOfMemoryError("too large"), Outcome.OUT_OF_MEMORY, TrialState.FAIL),
        (ValueError("no such thing"), Outcome.INVALID, TrialState.FAIL),
        (TypeError("no such type"), Outcome.INVALID, TrialState.FAIL),
        (UnicodeError("a kind of ValueError"), Outcome.ERROR, TrialState.FAIL),
        (RuntimeError("a bug"), Outcome.ERROR, TrialState.FAIL),
        (Crashed("ended its process 3 times"), Outcome.CRASHED, TrialState.FAIL),
    ],
)
def test_each_error_has_an_outcome(error: Exception, outcome: Outcome, state: TrialState) -> None:
    assert Outcome.of_error(error) is outcome
    assert outcome.state == state


def test_an_attempt_returns_its_result_or_that_of_its_error() -> None:
    seen: list[Any] = []

    def note(outcome: Outcome, error: Exception) -> str:
        seen.append((outcome, str(error)))
        return "noted"

    def fail() -> str:
        raise FloatingPointError("nan")

    assert attempt(lambda: "done", note) == "done"
    assert attempt(fail, note) == "noted"
    assert seen == [(Outcome.DIVERGED, "nan")]


def test_interrupts_are_not_outcomes() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupt, lambda outcome, error: None)


@pytest.mark.parametrize(
    ("error", "n_emptied"), [(torch.OutOfMemoryError("full"), 1), (ValueError("wrong"), 0)]
)
def test_the_memory_of_a_gpu_is_given_back_when_it_was_too_small(
    error: Exception, n_emptied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[int] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))

    def fail() -> None:
        raise error

    attempt(fail, lambda outcome, error: None)
    assert len(emptied) == n_emptied
