"""A moment after which no work is begun, whatever happens to the system's clock."""

from __future__ import annotations

import time
from typing import Any


class Deadline:
    """A number of seconds from now.

    It is measured by a monotonic clock, which nobody sets. Processes do not share one,
    so a pickled deadline is the seconds that are left, less those that the system's
    clock says have passed when it is read.

    Parameters
    ----------
    seconds : float
        From now; negative is in the past.
    """

    def __init__(self, seconds: float) -> None:
        self._moment = time.monotonic() + seconds

    def is_past(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self._moment

    def __getstate__(self) -> dict[str, float]:
        return {"left": self._moment - time.monotonic(), "at": time.time()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The system's clock may have been set back, or be another machine's.
        passed = max(0.0, time.time() - state["at"])
        self._moment = time.monotonic() + state["left"] - passed
