"""How long the parts of a run took, and what the budget left no time for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from .._utils.text import listed, plural
from ..tuning import LossComparison
from ._budget import now
from ._duration import as_option, roughly, spoken
from ._estimate import FitTimes
from ._options import Options
from ._watch import Watch


class Parts:
    """The time of each part of a run, in this call.

    Parameters
    ----------
    begun : float
        When the call began, by :func:`now`.
    """

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Measure a part."""
        begun = now()
        yield
        self.seconds[part] = now() - begun

    def describe(self) -> str:
        """Return a sentence with the time of each part."""
        parts = ", ".join(f"{part} {spoken(seconds)}" for part, seconds in self.seconds.items())
        return f"This call took {spoken(now() - self.begun)}: {parts}."


def describe_cut(
    options: Options,
    watch: Watch,
    n_settings: int,
    possible: Sequence[str],
    comparison: LossComparison,
    n_splits: int,
) -> str | None:
    """Return what the budget left no time for; None if there was time for everything.

    Parameters
    ----------
    options : Options
        What was asked for.
    watch : Watch
        The times, and whether it ended the search.
    n_settings : int
        Settings that the search tried.
    possible : list of str
        The losses that would have been compared with more time.
    comparison : LossComparison
        The comparison.
    n_splits : int
        Number of splits on which they would have been compared.
    """
    if options.budget is None or watch.times is None:
        return None
    top, planned = len(comparison.labels_), min(options.top, watch.n_losses)
    done = len(comparison.fits_.tests) * comparison.scores_.shape[2]
    parts = []
    if watch.ended_search and n_settings < options.trials:
        parts.append(f"{n_settings} of {plural(options.trials, 'setting')}")
    if top < len(possible):
        parts.append(f"{top} of the best {len(possible)} losses")
    elif watch.ended_search and top < planned:
        parts.append(f"{top} of {planned} losses to compare")
    if done < n_splits:
        parts.append(_repeats(done, n_splits, options.folds))
    if not parts:
        return None
    rest = _rest(watch, watch.times, top * done, planned * n_splits)
    return (
        f"The budget of {spoken(options.budget)} left time for {listed(parts)}. The same command "
        f"again continues; about {roughly(rest)} more would finish it (--budget {as_option(rest)})."
    )


def _repeats(done: int, n_splits: int, n_folds: int) -> str:
    if done % n_folds or n_splits % n_folds:
        return f"{done} of {n_splits} fits of each"
    return f"{done // n_folds} of {plural(n_splits // n_folds, 'repeat')} of the folds"


def _rest(watch: Watch, times: FitTimes, n_done: int, n_all: int) -> float:
    """Return the seconds that another call would take to do the rest."""
    search, comparison, final = watch.remaining(times)
    # If the search continues, other settings may be compared.
    left = 1.0 if search > 0 else max(0.0, 1 - n_done / n_all)
    return 1.1 * (search + left * comparison + final)
