"""A time after which no work is begun, independent of changes to the system clock."""

from __future__ import annotations

import time
from typing import Any


class Deadline:
    """A deadline some seconds from now.

    It is measured by a monotonic clock, which cannot be changed. Processes do not share
    that clock, so a pickled deadline holds the seconds that are left; those that have
    passed on the system clock are subtracted when it is read.

    Parameters
    ----------
    seconds : float
        Seconds from now; negative values are in the past.
    """

    def __init__(self, seconds: float) -> None:
        self._moment = time.monotonic() + seconds

    def is_past(self, seconds: float = 0.0) -> bool:
        """Return whether no more than so many seconds are left; by default, none."""
        return time.monotonic() + seconds >= self._moment

    def __getstate__(self) -> dict[str, float]:
        return {"left": self._moment - time.monotonic(), "at": time.time()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The system clock may have been set back, or be that of another machine.
        passed = max(0.0, time.time() - state["at"])
        self._moment = time.monotonic() + state["left"] - passed
