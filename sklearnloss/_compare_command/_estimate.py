"""Estimates of how long a run takes, from the fits of its search so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median_low

from optuna.trial import TrialState

from ..tuning._search.watch import Progress

#: Share of the first fold that candidates train, as long as that is not measured.
USUAL_SHARE = 0.6

#: As many candidates as this count for the usual share, before others are measured.
_PRIOR = 2

#: About so many candidates finish all folds, if those that finish some are added up.
N_TO_THE_END = 3


@dataclass(frozen=True)
class FitTimes:
    """Measured times of a search, all in seconds.

    Attributes
    ----------
    fit, score : float
        One fit with all its epochs on the training part of a split, and one score of the
        test part.
    by_loss : dict of str to float
        ``fit`` of each loss that has finished a fold.
    slowest : float
        The slowest fit, usually the first one of a process.
    share : float
        Share of the first fold that a candidate trains before it is stopped.
    n_measured : int
        Finished folds.
    n_finished : int
        Candidates that ended without an error.
    n_begun_folds : int
        Candidates that have finished a fold and have not ended.
    n_later_folds : int
        Finished folds after the first ones.
    n_folds, n_epochs : int
        Folds per candidate, epochs per fit.
    n_jobs : int
        Fits in parallel.
    """

    fit: float
    score: float
    by_loss: dict[str, float]
    slowest: float
    share: float
    n_measured: int
    n_finished: int
    n_begun_folds: int
    n_later_folds: int
    n_folds: int
    n_epochs: int
    n_jobs: int

    def search(self, n_trials: int) -> float:
        """Return the time until a search has this many candidates."""
        n_left = max(0, n_trials - self.n_finished)
        n_begun = min(self.n_begun_folds, n_left)  # their first folds are finished
        later = min(N_TO_THE_END, n_trials) * (self.n_folds - 1) - self.n_later_folds
        folds = (n_left - n_begun) * self.share + max(0, later)
        return folds * self._fold() / min(self.n_jobs, max(n_left, N_TO_THE_END))

    def _fold(self) -> float:
        """Return the time of a fold in the search, which is scored after each epoch."""
        return self.fit + self.n_epochs * self.score

    def compared(self, label: str | None = None) -> float:
        """Return the time of one fit of the comparison, which also scores each image."""
        return self.by_loss.get(label or "", self.fit) + 2 * self.score

    def comparison(self, n_losses: int, n_fits: int) -> float:
        """Return the time of a comparison with some fits of each loss."""
        n = n_losses * n_fits
        return self.start + n * self.compared() / min(self.n_jobs, n)

    @property
    def start(self) -> float:
        """The time that the processes of a comparison take to start."""
        return self.slowest - self.fit if self.n_jobs > 1 else 0.0

    @property
    def final(self) -> float:
        """The time to train on all images."""
        return self.fit * self.n_folds / (self.n_folds - 1)


def measure(
    candidates: Sequence[Progress], n_folds: int, n_epochs: int, n_jobs: int
) -> FitTimes | None:
    """Return the times of a search so far; None before its first fold is finished."""
    times: dict[str, list[float]] = {}
    scores: list[float] = []
    for label, state in candidates:
        for fold in state.folds:
            times.setdefault(label, []).append(fold["fit_time"])
            scores.append(fold["score_time"])
    if not times:
        return None
    # A process's first fit takes longer than the others.
    by_loss = {label: median_low(each) for label, each in times.items()}
    ended = [state for _, state in candidates if state.outcome is not None]
    ended = [state for state in ended if state.trial_state != TrialState.FAIL]  # tried again
    shares = [min(1.0, state.epochs / n_epochs) for state in ended]
    return FitTimes(
        fit=fmean(by_loss.values()),
        score=median_low(scores),
        by_loss=by_loss,
        slowest=max(time for each in times.values() for time in each),
        share=(_PRIOR * USUAL_SHARE + sum(shares)) / (_PRIOR + len(shares)),
        n_finished=len(ended),
        n_measured=len(scores),
        n_begun_folds=sum(len(s.folds) > 0 for _, s in candidates if s.outcome is None),
        n_later_folds=sum(max(0, len(s.folds) - 1) for _, s in candidates),
        n_folds=n_folds,
        n_epochs=n_epochs,
        n_jobs=n_jobs,
    )
