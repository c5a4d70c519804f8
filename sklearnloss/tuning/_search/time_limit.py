"""The time limit of a candidate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._evaluation.outcome import TimedOut


class TimeLimit:
    """Seconds that a candidate may take, over all attempts.

    Parameters
    ----------
    seconds : float or None
        The limit; None is none.
    folds : list of dict
        The finished folds, with "fit_time" and "score_time", to which new ones are added.
    """

    def __init__(self, seconds: float | None, folds: Sequence[Mapping[str, Any]]) -> None:
        self.seconds = seconds
        # Of folds that were finished before this attempt.
        self._before = sum(fold["fit_time"] + fold["score_time"] for fold in folds)
        self._begun = time.monotonic()

    def check(self) -> None:
        """Raise an error if the time is over.

        Raises
        ------
        TimedOut
        """
        if self.seconds is None:
            return
        if self._before + time.monotonic() - self._begun > self.seconds:
            raise TimedOut(f"took longer than candidate_timeout={self.seconds:g} s")
