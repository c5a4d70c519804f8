"""All fits of a comparison: the plan, and the results in arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._evaluation.fingerprint import digest
from .settings import Settings
from .splits import PairedSplits, folds_per_repeat

Array = NDArray[Any]


class FitKey(NamedTuple):
    """Everything that a fit's result depends on, except for the data."""

    loss: str
    settings: str
    split: str
    random_state: int


@dataclass(frozen=True)
class Fit:
    """A planned fit.

    Attributes
    ----------
    settings : dict
        The estimator's parameters.
    train, test : ndarray
        Positions of images.
    position : tuple of int
        Index of the split and of the seed.
    baseline : bool
        Whether to also score a constant answer.
    key : FitKey
        Its key in a storage.
    """

    settings: Settings
    train: Array
    test: Array
    position: tuple[int, int]
    baseline: bool
    key: FitKey


def plan_fits(settings: Mapping[str, Settings], plan: PairedSplits) -> list[Fit]:
    """Return all fits, grouped by split and seed."""
    texts = {label: digest(each) for label, each in settings.items()}
    fits = []
    for j, (train, test) in enumerate(plan.splits):
        split = digest([train, test])
        for s, seed in enumerate(plan.seeds[j].tolist()):
            for number, (label, each) in enumerate(settings.items()):
                key = FitKey(label, texts[label], split, seed)
                fits.append(Fit(each, train, test, (j, s), s == number == 0, key))
    return fits


@dataclass
class FitTable:
    """Scores of each loss, split and seed.

    Attributes
    ----------
    labels : list of str
        Labels of the losses.
    scores : dict of str to ndarray of shape (n_losses, n_splits, n_seeds)
        By scorer name; nan where a fit did not finish.
    status : ndarray of shape (n_losses, n_splits, n_seeds), str
        "ok", "diverged", "undefined" or "failed".
    reasons : ndarray of the same shape, object
        Why a fit did not finish, "" if it did.
    seconds : ndarray of the same shape
        Duration of ``fit``.
    baseline : dict of str to ndarray of shape (n_splits,)
        The scores of a constant answer, by scorer name; nan where unknown.
    images : list of list of list of float, or None
        The scores of a fit's held-out images, in the same nesting; None for nan.
    tests : list of ndarray
        Positions of the held-out images of each split.
    n_train : ndarray of shape (n_splits,)
        Number of training images.
    n_images : int
        Number of images in all.
    repeatable : bool
        Whether the images could be split in other ways.
    counts : list of list of list of dict
        What each fit's held-out images say about thresholds, in the nesting of ``images``;
        see ``count_held_out``. Empty if unknown.
    kept : list of list of list of (dict or None), or None
        What each fit keeps for reports, in the nesting of ``images``.
    """

    labels: list[str]
    scores: dict[str, Array]
    status: Array
    reasons: Array
    seconds: Array
    baseline: dict[str, Array]
    images: list[Any]
    tests: list[Array]
    n_train: Array
    n_images: int
    repeatable: bool
    counts: list[Any] = field(default_factory=list)
    kept: list[Any] | None = None

    @property
    def ratio(self) -> float:
        """``n_test / n_train``, the mean over the splits."""
        return float(np.mean([len(test) for test in self.tests] / self.n_train))

    @property
    def n_folds(self) -> int:
        """Splits that test each image once, or 1."""
        return folds_per_repeat(self.tests, self.n_images)

    def of(self, labels: Sequence[str], names: Sequence[str]) -> Self:
        """Return the fits of some losses, under other names.

        Parameters
        ----------
        labels, names : list of str
            Their labels here and in the result.
        """
        which = [self.labels.index(label) for label in labels]
        return replace(
            self,
            labels=list(names),
            scores={name: scores[which] for name, scores in self.scores.items()},
            status=self.status[which],
            reasons=self.reasons[which],
            seconds=self.seconds[which],
            images=[self.images[k] for k in which],
            counts=[self.counts[k] for k in which] if self.counts else [],
            kept=None if self.kept is None else [self.kept[k] for k in which],
        )

    def kept_of(self, loss: int) -> list[dict[str, Any]]:
        """Return what the fits of a loss keep for reports, without those that keep nothing."""
        rows = [] if self.kept is None else self.kept[loss]
        return [each for row in rows for each in row if each]


def collect(
    labels: Sequence[str],
    names: Sequence[str],
    plan: PairedSplits,
    n_images: int,
    result: Callable[[str, int, int], dict[str, Any]],
) -> FitTable:
    """Put the results of all fits into arrays.

    Parameters
    ----------
    labels : list of str
        Labels of the losses.
    names : list of str
        Names of the scorers.
    plan : PairedSplits
        Splits and seeds.
    n_images : int
        Number of images in all.
    result : callable
        Returns what ``fit_once`` returned, given a label, a split index and a seed index.
    """
    n_splits, n_seeds = plan.seeds.shape
    shape = (len(labels), n_splits, n_seeds)
    results = [
        [[result(label, j, s) for s in range(n_seeds)] for j in range(n_splits)] for label in labels
    ]
    flat = [each for of_loss in results for of_split in of_loss for each in of_split]

    def array(values: list[Any], dtype: Any = float) -> Array:
        return np.array(values, dtype=dtype).reshape(shape)

    return FitTable(
        labels=list(labels),
        scores={name: array([each["scores"].get(name, np.nan) for each in flat]) for name in names},
        status=array([each["status"] for each in flat], "U9"),
        reasons=array([each["reason"] for each in flat], object),
        seconds=array([each["fit_seconds"] for each in flat]),
        baseline={name: _baseline(results, name) for name in names},
        images=[[[each["images"] for each in row] for row in rows] for rows in results],
        tests=[test for _, test in plan.splits],
        n_train=np.array([len(train) for train, _ in plan.splits]),
        n_images=n_images,
        repeatable=plan.repeatable,
        counts=[
            [[each.get("threshold_counts") for each in row] for row in rows] for rows in results
        ],
        kept=[[[each.get("kept") for each in row] for row in rows] for rows in results],
    )


def _baseline(results: list[list[list[dict[str, Any]]]], name: str) -> Array:
    """Return the score of a constant answer in each split, from any fit that has it."""
    by_split = []
    for of_split in zip(*results, strict=True):
        known = [
            each["baseline"] for of_loss in of_split for each in of_loss if each.get("baseline")
        ]
        by_split.append(known[0].get(name, np.nan) if known else np.nan)
    return np.array(by_split, dtype=float)
