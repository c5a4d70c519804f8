"""The budget of time: how it is divided over search, comparison and final training."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._duration import as_option, exactly, roughly
from ._estimate import FitTimes
from ._options import Options

#: Largest part of the time after reading that is kept for the comparison while searching.
_COMPARISON_SHARE = 0.4

#: What is kept for later fits, in units of their measured time, as they may take longer.
_RESERVE = 1.1

#: Seconds that are kept for tables and pictures.
_WRITING = 2.0

#: A comparison needs two losses, and one pass over the folds.
LEAST_LOSSES, LEAST_REPEATS = 2, 1


def now() -> float:
    """Return the time in seconds on a clock that is never set back."""
    return time.monotonic()


@dataclass(frozen=True)
class Share:
    """The losses and repeats for which there is time.

    Attributes
    ----------
    top : int
        Number of losses.
    repeats : int
        Number of passes over the folds.
    seconds : float
        Estimated time of the comparison.
    """

    top: int
    repeats: int
    seconds: float


class Budget:
    """The time that a run may take.

    Parameters
    ----------
    options : Options
        The options, among them the seconds of the budget; None is no limit.
    n_losses : int
        Number of losses in the search.
    begun : float
        When the run began, by :func:`now`.
    """

    def __init__(self, options: Options, n_losses: int, begun: float) -> None:
        self.options = options
        self.begun = begun
        self.least = min(LEAST_LOSSES, n_losses, options.top)
        self.top = min(options.top, n_losses)
        self.end = None if options.budget is None else begun + options.budget

    def planned(self, times: FitTimes) -> Share:
        """Return the comparison for which time is kept while the search is running."""
        assert self.end is not None
        return self.divide(times, _COMPARISON_SHARE * (self.final_begin(times) - self.begun))

    def search_end(self, times: FitTimes) -> float:
        """Return when the search has to end, so that there is time for the rest."""
        return self.final_begin(times) - _RESERVE * self.planned(times).seconds

    def final_begin(self, times: FitTimes) -> float:
        """Return when the final training has to begin."""
        assert self.end is not None
        return self.end - _WRITING - _RESERVE * times.final

    def divide(
        self,
        times: FitTimes,
        limit: float,
        labels: Sequence[str] | None = None,
        stored: Mapping[str, int] | None = None,
    ) -> Share:
        """Return the largest comparison that fits into a time, or the smallest there is.

        Repeats are given up first, then losses.

        Parameters
        ----------
        times : FitTimes
            The measured times.
        limit : float
            Seconds for the comparison.
        labels : list of str, default=None
            The losses, the best first, if they are known already.
        stored : dict of str to int, default=None
            Number of fits of each loss that an earlier call did.
        """
        repeats, n_folds = self.options.repeats, self.options.folds
        top = self.top if labels is None else len(labels)
        least = min(self.least, top)
        choices = [(top, r) for r in range(repeats, LEAST_REPEATS, -1)]
        choices += [(n, LEAST_REPEATS) for n in range(top, least - 1, -1)]
        shares = []
        for n, r in choices:
            seconds = 0.0
            n_jobs = min(times.n_jobs, n * n_folds)
            for label in [None] * n if labels is None else labels[:n]:
                n_fits = max(0, r * n_folds - (stored or {}).get(label or "", 0))
                seconds += n_fits * times.compared(label)
            shares.append(Share(n, r, times.start + seconds / n_jobs))
        return next((each for each in shares if each.seconds <= limit), shares[-1])

    def compare_timeout(self, times: FitTimes, labels: Sequence[str], moment: float) -> float:
        """Return the seconds after which a comparison may begin no further fit."""
        longest = times.start + max(times.compared(label) for label in labels)
        return max(1e-3, self.final_begin(times) - moment - longest)

    def too_small(self, times: FitTimes, moment: float) -> str | None:
        """Return why the rest of the budget cannot suffice; None if it may.

        Parameters
        ----------
        times : FitTimes
            The measured times.
        moment : float
            When the search had them.
        """
        if self.end is None:
            return None
        compared = times.comparison(self.least, self.options.folds * LEAST_REPEATS)
        needed = times.search(self.least) + compared + times.final + _WRITING
        if moment + needed <= self.end:
            return None
        least = as_option(_RESERVE * (moment - self.begun + needed))
        n = f"{self.least} losses" if self.least > 1 else "1 loss"
        return (
            f"--budget {exactly(self.end - self.begun)} is too small: a fit takes about "
            f"{roughly(times.fit)}, so that {n} cannot be tried and compared on "
            f"{self.options.folds} folds. Pass --budget {least} or more, or fewer --epochs or "
            f"--folds. Finished folds are saved."
        )

    def nothing_finished(self) -> str:
        """Return that the budget ended before any setting was trained on all folds."""
        assert self.end is not None
        return (
            f"--budget {exactly(self.end - self.begun)} is too small: no setting was trained on "
            f"all folds in this time. Finished folds are saved, so the same command again "
            f"continues; or pass a larger --budget, or fewer --epochs or --folds."
        )
