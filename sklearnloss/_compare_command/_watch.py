"""What the command says during a search, and when it ends the search."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tqdm.auto import tqdm

from .._utils.printable import printable
from .._utils.text import plural
from ..tuning._evaluation.outcome import Outcome
from ..tuning._search.watch import Progress
from ..tuning._workers.pool import count_workers
from ._budget import Budget, now
from ._duration import roughly
from ._estimate import FitTimes, measure
from ._options import Options
from ._presets import AMOUNTS, PRESETS

#: Seconds of a fit for which it does not matter that it is the first one.
_WARM_UP = 20.0


class Watch:
    """Estimates how long a run takes, and ends its search so that the budget suffices.

    Parameters
    ----------
    options : Options
        The options of the command.
    budget : Budget
        The time that there is.
    n_losses : int
        Number of losses in the search.

    Attributes
    ----------
    times : FitTimes or None
        Times of the fits so far.
    too_small : str or None
        Why the budget does not suffice.
    ended_search : bool
        Whether the search was ended for lack of time.
    """

    def __init__(self, options: Options, budget: Budget, n_losses: int) -> None:
        self.options = options
        self.budget = budget
        self.n_losses = n_losses
        self.n_jobs = count_workers(options.jobs)
        self.times: FitTimes | None = None
        self.too_small: str | None = None
        self.ended_search = False
        self._is_accepted = False
        self._n_before: int | None = None  # folds of earlier calls
        self._tried: dict[str, bool] = {}  # losses with a candidate that ended; if complete

    def update(self, candidates: Sequence[Progress]) -> None:
        """Note the candidates so far; say how long the run takes as soon as it is known."""
        options = self.options
        if self._n_before is None:
            self._n_before = sum(len(state.folds) for _, state in candidates)
        self.times = measure(candidates, options.folds, options.epochs, self.n_jobs)
        self._tried = {}
        for label, state in candidates:
            if state.outcome in (Outcome.COMPLETE, Outcome.PRUNED):
                complete = state.outcome is Outcome.COMPLETE
                self._tried[label] = self._tried.get(label, False) or complete
        if self.times is not None and not self._is_accepted:
            self._accept(self.times)

    def _accept(self, times: FitTimes) -> None:
        """Say how long the run takes, unless the budget does not suffice."""
        refused = self.budget.too_small(times, now())
        if refused is None:
            self._is_accepted = True
            tqdm.write(printable(self.describe(times)), file=sys.stderr)
        # The first fit of each process takes some seconds longer than the others.
        elif times.n_measured - (self._n_before or 0) > self.n_jobs or times.fit > _WARM_UP:
            self.too_small = refused

    def is_over(self) -> bool:
        """Return whether the search should end now."""
        budget = self.budget
        if budget.end is None:
            return False
        if self.times is None:
            over = now() >= budget.end
        elif len(self._tried) >= budget.least and any(self._tried.values()):
            over = now() >= budget.search_end(self.times)
        else:
            over = self.too_small is not None or now() >= budget.final_begin(self.times)
        self.ended_search |= over
        return over

    def remaining(self, times: FitTimes, options: Options | None = None) -> list[float]:
        """Return the seconds that search, comparison and final training still take."""
        options = options or self.options
        search = times.search(options.trials)
        if options.timeout is not None:
            search = min(search, options.timeout)
        top = min(options.top, self.n_losses)
        n_fits = options.folds * options.repeats
        return [search, times.comparison(top, n_fits), times.final]

    def rest(self, n_fits: int) -> str:
        """Return how long some fits of the comparison and the final training take."""
        if self.times is None:
            return ""
        comparison = self.times.comparison(1, n_fits) if n_fits else 0.0
        return f", about {roughly(comparison)}; then final training, {roughly(self.times.final)}"

    def compare_timeout(self, labels: Sequence[str]) -> float | None:
        """Return the seconds after which a comparison may begin no further fit, if any."""
        if self.budget.end is None or self.times is None:
            return None
        return self.budget.compare_timeout(self.times, labels, now())

    def describe(self, times: FitTimes) -> str:
        """Return how long the run takes, and how long a shorter one would take."""
        search, comparison, final = self.remaining(times)
        one = f"A fit takes about {roughly(times.fit)}."
        budget = self.budget
        if budget.end is not None and now() + search + comparison + final > budget.end:
            until = max(0.0, budget.search_end(times) - now())
            share = budget.planned(times)
            return (
                f"{one} The budget is divided: search {roughly(until)}, comparison of "
                f"{plural(share.top, 'loss', 'losses')} on {plural(share.repeats, 'repeat')} of "
                f"the folds {roughly(share.seconds)}, final training {roughly(final)}."
            )
        total = search + comparison + final
        return (
            f"{one} About {roughly(total)} in all: search {roughly(search)}, comparison "
            f"{roughly(comparison)}, final training {roughly(final)}.{self._shorter(times, total)}"
        )

    def _shorter(self, times: FitTimes, total: float) -> str:
        """Return what would take much less time."""
        options = self.options
        fewer = replace(options, trials=max(self.n_losses, options.trials // 4))
        # Settings that were tried in an earlier call count.
        choices = [(f"--trials {fewer.trials}", fewer)] if fewer.trials > times.n_finished else []
        medium = PRESETS["medium"]
        if all(getattr(options, name) == value for name, value in medium.items()):
            quick = PRESETS["quick"]
            amounts: dict[str, Any] = {name: quick[name] for name in AMOUNTS}
            choices.append(("--quick", replace(options, **amounts)))
        found = [(text, sum(self.remaining(times, other))) for text, other in choices]
        short = [f"{text}: {roughly(each)}" for text, each in found if each < 0.8 * total]
        return f" With {', '.join(short)}." if short and total > 60 else ""
