"""Searches that are replayed on recorded curves: what they train, and what they choose.

Each takes scores of shape (n_candidates, n_folds, n_epochs), higher is better, nan once training
has diverged, and returns the chosen candidate and the number of epochs that were trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from sklearnloss.tuning._race.race import TOLERANCE, Race
from sklearnloss.tuning._race.scores import Status

Array = np.ndarray


class Choice(NamedTuple):
    """The candidate that a search chooses, and the epochs that it trained.

    Attributes
    ----------
    candidate : int
    epochs : int
    ends : tuple of int
        The epochs that each candidate was trained.
    """

    candidate: int
    epochs: int
    ends: tuple[int, ...]


Search = Callable[[Array, Array], Choice]


class Curves:
    """The scores that a search has seen so far, of candidates that train epoch by epoch."""

    def __init__(self, scores: Array) -> None:
        self.scores = np.nan_to_num(scores.astype(float), nan=-1.0)
        self.n, self.n_folds, self.n_epochs = scores.shape
        self.trained = np.zeros(self.n, dtype=int)  # epochs, counted over all folds

    def mean(self, candidate: int, step: int) -> float:
        """Return what a search reports: the mean of the finished folds and the current one."""
        fold, epoch = divmod(step - 1, self.n_epochs)
        done = self.scores[candidate, :fold, -1].sum()
        return float((done + self.scores[candidate, fold, epoch]) / (fold + 1))

    def train(self, candidate: int, step: int) -> float:
        """Train a candidate up to a step, and return the mean there."""
        self.trained[candidate] = max(self.trained[candidate], step)
        return self.mean(candidate, step)

    @property
    def end(self) -> int:
        """The step at which all folds are finished."""
        return self.n_folds * self.n_epochs

    def choice(self, candidate: int | np.integer) -> Choice:
        """Return the choice of a candidate."""
        return Choice(int(candidate), int(self.trained.sum()), tuple(self.trained.tolist()))


def exhaustive(scores: Array, images: Array) -> Choice:
    """Train everything."""
    curves = Curves(scores)
    means = [curves.train(k, curves.end) for k in range(curves.n)]
    return curves.choice(np.argmax(means))


def discard_after(n_epochs: int, n_kept: int = 3) -> Search:
    """Train all for some epochs, and the best three to the end (Egele et al. 2024)."""

    def search(scores: Array, images: Array) -> Choice:
        curves = Curves(scores)
        early = np.array([curves.train(k, n_epochs) for k in range(curves.n)])
        kept = np.argsort(-early, kind="stable")[:n_kept]
        means = [curves.train(k, curves.end) for k in kept]
        return curves.choice(kept[int(np.argmax(means))])

    return search


def asynchronous_halving(scores: Array, images: Array) -> Choice:
    """Keep the better half after half a fold, one, two, four: the former default (ASHA)."""
    curves = Curves(scores)
    rungs = [curves.n_epochs // 2 * 2**k for k in range(20)]
    rungs = [rung for rung in rungs if 0 < rung < curves.end]
    seen: dict[int, list[float]] = {rung: [] for rung in rungs}
    found: dict[int, float] = {}
    for k in range(curves.n):
        for rung in rungs:
            value = curves.train(k, rung)
            seen[rung].append(value)
            better = sorted(seen[rung], reverse=True)[: max(1, len(seen[rung]) // 2)]
            if len(seen[rung]) > 2 and value < better[-1]:
                break
        else:
            found[k] = curves.train(k, curves.end)
    return curves.choice(max(found, key=lambda k: found[k]))


def successive_halving(scores: Array, images: Array, first: int = 0, eta: int = 3) -> Choice:
    """Train all for a little, the best third for three times as long, and so on."""
    curves = Curves(scores)
    left = list(range(curves.n))
    n_rungs = int(np.floor(np.log(max(curves.n, eta)) / np.log(eta)))
    for rung in range(first, n_rungs + 1):
        step = max(1, round(curves.end / eta ** (n_rungs - rung)))
        means = {k: curves.train(k, step) for k in left}
        n_left = max(1, len(left) // eta)
        left = sorted(left, key=lambda k: -means[k])[:n_left]
    return curves.choice(left[0])


def hyperband(scores: Array, images: Array) -> Choice:
    """Divide the candidates among brackets of successive halving that begin later and later."""
    curves, eta = Curves(scores), 3
    n_brackets = 4
    found: dict[int, float] = {}
    for bracket in range(n_brackets):
        left = list(range(bracket, curves.n, n_brackets))
        for rung in range(bracket, n_brackets):
            step = max(1, round(curves.end / eta ** (n_brackets - 1 - rung)))
            means = {k: curves.train(k, step) for k in left}
            if rung < n_brackets - 1:
                left = sorted(left, key=lambda k: -means[k])[: max(1, len(left) // eta)]
        best = max(left, key=lambda k: means[k])
        found[best] = means[best]
    return curves.choice(max(found, key=lambda k: found[k]))


def median(scores: Array, images: Array) -> Choice:
    """Stop a candidate whose best mean so far is below the median of the others."""
    curves = Curves(scores)
    seen: dict[int, list[float]] = {}
    found: dict[int, float] = {}
    for k in range(curves.n):
        best = -np.inf
        for step in range(1, curves.end + 1):
            value = curves.train(k, step)
            best = max(best, value)
            others = seen.setdefault(step, [])
            is_late = k >= 5 and step > curves.n_epochs // 3
            if is_late and others and best < np.median(others):
                break
            others.append(value)
        else:
            found[k] = curves.mean(k, curves.end)
    return curves.choice(max(found, key=lambda k: found[k]))


def wilcoxon(scores: Array, images: Array) -> Choice:
    """Stop a candidate after a fold if its images are worse than the best one's, p < .1."""
    curves = Curves(scores)
    best: int | None = None
    for k in range(curves.n):
        for fold in range(curves.n_folds):
            curves.train(k, (fold + 1) * curves.n_epochs)
            if best is None or fold == curves.n_folds - 1:
                continue
            ours, theirs = (images[each, : fold + 1, -1].ravel() for each in (k, best))
            difference = (ours - theirs)[np.isfinite(ours - theirs)]
            if difference.size and difference.any():
                p = stats.wilcoxon(difference, alternative="less", zero_method="zsplit").pvalue
                if p < 0.1:
                    break
        else:
            if best is None or curves.mean(k, curves.end) > curves.mean(best, curves.end):
                best = k
    return curves.choice(best or 0)


def progressive(scores: Array, images: Array) -> Choice:
    """Train longer only while the ranking of the best still changes (PASHA)."""
    curves, eta = Curves(scores), 2
    left, step = list(range(curves.n)), max(1, curves.n_epochs // 4)
    means = {k: curves.train(k, step) for k in left}
    order = sorted(left, key=lambda k: -means[k])
    while step < curves.end:
        left = order[: max(2, len(order) // eta)]
        step = min(step * eta, curves.end)
        means = {k: curves.train(k, step) for k in left}
        new = sorted(left, key=lambda k: -means[k])
        if new[:2] == order[:2]:
            return curves.choice(new[0])
        order = new
    return curves.choice(order[0])


def forgiving(scores: Array, images: Array) -> Choice:
    """Stop cross-validation once the mean is below the best one's worst fold (Bergman 2024)."""
    curves = Curves(scores)
    best, worst = 0, -np.inf
    for k in range(curves.n):
        for fold in range(curves.n_folds):
            value = curves.train(k, (fold + 1) * curves.n_epochs)
            if value < worst:
                break
        else:
            if k == 0 or value > curves.mean(best, curves.end):
                best, worst = k, float(curves.scores[k, :, -1].min())
    return curves.choice(best)


def race(tolerance: float = TOLERANCE) -> Search:
    """Return the race of ``LossSearchCV``."""
    return lambda scores, images: Replay(scores, tolerance).run()


class Replay:
    """A race on recorded scores."""

    def __init__(self, scores: Array, tolerance: float = TOLERANCE) -> None:
        self.scores = scores
        self.n, n_folds, self.n_epochs = scores.shape
        self.race = Race(n_folds, self.n_epochs, tolerance)
        self.trained = np.zeros(self.n, dtype=int)

    def run(self) -> Choice:
        """Run the race to its end."""
        for candidate in range(self.n):
            self.train(candidate)
        while (candidate := self.race.next()) is not None:
            self.train(candidate)
        leader = self.race.leader() or 0
        return Choice(leader, int(self.trained.sum()), tuple(self.trained.tolist()))

    def train(self, candidate: int) -> None:
        """Train a candidate on its next fold, unless it is stopped."""
        known = self.race.scores
        if candidate not in known.candidates:
            known.set(candidate, [], [], Status.RUNNING)
        progress = known.candidates[candidate]
        progress.status = self._train_fold(candidate, len(progress.folds))
        if progress.status is Status.OPEN and len(progress.folds) == known.n_folds:
            progress.status = Status.COMPLETE
        known.version += 1

    def _train_fold(self, candidate: int, fold: int) -> Status:
        curve = self.scores[candidate, fold]
        before = sum(self.race.scores.candidates[candidate].folds)
        for epoch, score in enumerate(curve, 1):
            self.trained[candidate] += 1
            if not np.isfinite(curve[epoch - 1 :]).any():
                return Status.OUT  # it diverged
            if not np.isfinite(score):
                continue
            step = fold * self.n_epochs + epoch
            self.race.scores.report(candidate, step, (before + score) / (fold + 1))
            if epoch < self.n_epochs and self.race.should_stop(candidate, epoch):
                return Status.OUT
        return Status.OPEN


#: All contenders by name.
SEARCHES: dict[str, Search] = {
    "all candidates": exhaustive,
    "discard after 1 epoch": discard_after(1),
    "discard after 2 epochs": discard_after(2),
    "successive halving": successive_halving,
    "Hyperband": hyperband,
    "median": median,
    "Wilcoxon on images": wilcoxon,
    "PASHA": progressive,
    "forgiving early stopping": forgiving,
    "asynchronous halving (former default)": asynchronous_halving,
    "race": race(),
}
