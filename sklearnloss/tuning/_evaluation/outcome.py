"""The outcome of a fit: complete, stopped, or ended by some kind of error."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import torch
from optuna.trial import TrialState

T = TypeVar("T")


class Pruned(Exception):
    """A candidate is not worth continuing."""


class TimedOut(Exception):
    """A candidate took longer than it may."""


class UndefinedScore(ValueError):
    """A score is nan or infinite, which need not be caused by training."""


class Crashed(Exception):
    """The processes that ran a fit ended."""


class Outcome(StrEnum):
    """How a fit, or a candidate of a search, ended; each maps to one of Optuna's states."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"  # the loss became nan or infinite
    UNDEFINED = "undefined"  # the score is nan or infinite
    TIMEOUT = "timeout"  # it took longer than it may
    OUT_OF_MEMORY = "out of memory"  # of a GPU
    INVALID = "invalid"  # a ValueError or TypeError, whose message is meant for users
    ERROR = "error"  # any other exception
    CRASHED = "crashed"  # its processes ended

    @classmethod
    def of_error(cls, error: Exception) -> Outcome:
        """Return the outcome of a fit that raised an error."""
        kinds = {
            Pruned: cls.PRUNED,
            TimedOut: cls.TIMEOUT,
            FloatingPointError: cls.DIVERGED,
            UndefinedScore: cls.UNDEFINED,
            Crashed: cls.CRASHED,
            torch.OutOfMemoryError: cls.OUT_OF_MEMORY,
        }
        for kind, outcome in kinds.items():
            if isinstance(error, kind):
                return outcome
        return cls.INVALID if type(error) in (ValueError, TypeError) else cls.ERROR

    @property
    def state(self) -> TrialState:
        """COMPLETE, PRUNED or FAIL."""
        if self is Outcome.COMPLETE:
            return TrialState.COMPLETE
        stopped = (Outcome.PRUNED, Outcome.DIVERGED, Outcome.UNDEFINED, Outcome.TIMEOUT)
        return TrialState.PRUNED if self in stopped else TrialState.FAIL


def attempt(action: Callable[[], T], on_error: Callable[[Outcome, Exception], T]) -> T:
    """Return the result of an action, or that of the error handler.

    Parameters
    ----------
    action : callable
        For example a fit.
    on_error : callable
        Takes the outcome and the error; may re-raise the error.
    """
    try:
        return action()
    except Exception as error:
        outcome = Outcome.of_error(error)
        result = on_error(outcome, error)
    if outcome == Outcome.OUT_OF_MEMORY:
        torch.cuda.empty_cache()  # the error, which kept the network alive, is gone by now
    return result
