"""Replay searches on recorded curves, without training: how many epochs, and how good a choice.

    python benchmarks/replay.py FOLDER [--races 200] [--candidates 50] [--json PATH]

FOLDER holds the files of ``curves.py``. A race sees a random choice of the recorded candidates,
the defaults of the losses first, on the recorded folds in random order. Its choice is judged by

- the mean score over all folds, as trying everything would see it, and
- the score on unseen images, or with another seed, which no search has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearnloss.tuning._race.race import Race
from sklearnloss.tuning._race.scores import Status

Array = np.ndarray


class Record(NamedTuple):
    """The curves of one data set and seed.

    Attributes
    ----------
    scores : ndarray of shape (n, n_folds, n_epochs)
    other : ndarray of shape (n,)
        The quality of each candidate, from images or a seed that no race sees.
    labels : ndarray of shape (n,)
        The loss of each candidate.
    """

    scores: Array
    other: Array
    labels: Array


class Choice(NamedTuple):
    """The candidate that a search chooses, and the epochs that it trained."""

    candidate: int
    epochs: int


Search = Callable[[Array], Choice]


def read(folder: Path) -> dict[str, list[Record]]:
    """Return the records of each data set, one per seed."""
    found: dict[str, list[dict[str, Array]]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            found.setdefault(path.stem.rpartition("-")[0], []).append(dict(file))
    records = {}
    for name, seeds in found.items():
        finals = [each["scores"][..., -1].astype(float).mean(1) for each in seeds]
        records[name] = []
        for k, each in enumerate(seeds):
            unseen = each.get("unseen")
            others = [final for j, final in enumerate(finals) if j != k]
            other = np.mean(others, axis=0) if others else np.full(len(finals[k]), np.nan)
            if unseen is not None and np.isfinite(unseen).any():
                other = unseen.astype(float).mean(1)
            records[name].append(Record(each["scores"].astype(float), other, each["labels"]))
    return records


def play(scores: Array, tolerance: float = 0.1) -> Choice:
    """Run the race of ``LossSearchCV``, and return its choice."""
    race, epochs = run_race(scores, tolerance)
    return Choice(race.leader() or 0, epochs)


def run_race(scores: Array, tolerance: float = 0.1) -> tuple[Race, int]:
    """Run the race of ``LossSearchCV``; return what it knows at its end, and its epochs."""
    n, n_folds, n_epochs = scores.shape
    race, epochs = Race(n_folds, n_epochs, tolerance), 0

    def train(candidate: int) -> None:
        nonlocal epochs
        known = race.scores.candidates.get(candidate)
        fold = 0 if known is None else len(known.folds)
        before = [] if known is None else known.folds
        status = Status.OPEN
        race.scores.set(candidate, before, [], Status.RUNNING)
        if known is not None:
            race.scores.candidates[candidate].curves = known.curves
        for epoch, score in enumerate(scores[candidate, fold], 1):
            epochs += 1
            last = epoch == n_epochs
            if not np.isfinite(score):
                if last or not np.isfinite(scores[candidate, fold, -1]):
                    status = Status.OUT  # it diverged
                    break
                continue
            mean = (sum(before) + score) / (fold + 1)
            race.scores.report(candidate, fold * n_epochs + epoch, mean)
            if not last and race.should_stop(candidate, epoch):
                status = Status.OUT
                break
        finished = race.scores.candidates[candidate]
        if status is Status.OPEN and len(finished.folds) == n_folds:
            status = Status.COMPLETE
        finished.status = status
        race.scores.version += 1

    for candidate in range(n):
        train(candidate)
    while (choice := race.next()) is not None:
        train(choice)
    return race, epochs
