"""Splits and seeds that all losses share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    check_cv,
)
from sklearn.utils.validation import _num_samples

Array = NDArray[Any]
Split = tuple[Array, Array]

N_FOLDS = 5


@dataclass
class PairedSplits:
    """Who is trained and tested on, in which order of chance.

    Attributes
    ----------
    splits : list of (train, test)
        Positions of images.
    seeds : ndarray of shape (n_splits, n_seeds), int
        The ``random_state`` of each fit, the same for all losses.
    repeatable : bool
        Whether there are further splits of these images.
    """

    splits: list[Split]
    seeds: Array
    repeatable: bool = True


def make_splits(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: ArrayLike | None,
    cv: Any,
    n_repeats: int | None,
    n_seeds: int,
    seed: int,
) -> PairedSplits:
    """Return the splits and a seed per split and repetition.

    More repeats or seeds leave those before them as they were.

    Parameters
    ----------
    estimator : estimator
        Splits are stratified for a classifier.
    X, y : array-like
        The data.
    groups : array-like of shape (n,) or None
        Images of one group stay together.
    cv : None, int, splitter or iterable
        None makes five folds, ``n_repeats`` times.
    n_repeats : int or None
        For ``cv=None``; None is 3. Five or fewer groups can be held out in one way only: then
        these are further seeds.
    n_seeds : int
        Fits per split.
    seed : int
        Of splits and seeds.

    Raises
    ------
    ValueError
        If there are no splits, a number is not positive, or ``cv`` is to be repeated.
    """
    if cv is not None and n_repeats not in (None, 1):
        raise ValueError(
            f"n_repeats={n_repeats!r} repeats the default folds, but cv={cv!r} was given. Pass a "
            f"splitter that repeats, such as RepeatedKFold, or n_seeds for more fits per split."
        )
    n_repeats = 3 if n_repeats is None else n_repeats
    for name, number in (("n_repeats", n_repeats), ("n_seeds", n_seeds)):
        if number < 1:
            raise ValueError(f"{name}={number!r}: expected an int of at least 1.")
    repeatable = True
    if cv is not None:
        checked = check_cv(cv, y, classifier=is_classifier(estimator))
        splits = [(np.asarray(a), np.asarray(b)) for a, b in checked.split(X, y, groups)]
        if not splits:
            raise ValueError(f"cv={cv!r} holds no splits.")
    elif groups is not None:
        labels = np.asarray(groups)
        n_groups = len(np.unique(labels))
        repeatable = n_groups > N_FOLDS
        if not repeatable:
            n_repeats, n_seeds = 1, n_repeats * n_seeds
        splits = _grouped(labels, min(n_groups, N_FOLDS), n_repeats, seed)
    else:
        splits = _shuffled(estimator, X, y, n_repeats, seed)
    return PairedSplits(splits, _seeds(seed, len(splits), n_seeds), repeatable)


def _grouped(groups: Array, n_folds: int, n_repeats: int, seed: int) -> list[Split]:
    if n_folds < 2:
        raise ValueError(
            f"groups holds one group only, {groups[0]!r}: none is left to train on when it is "
            f"held out. Expected at least 2 groups, or groups=None."
        )
    rng = np.random.RandomState(seed)
    folds = [
        GroupKFold(n_folds, shuffle=True, random_state=rng.randint(2**31 - 1))
        for _ in range(n_repeats)
    ]
    return [split for each in folds for split in each.split(groups, groups=groups)]


def _shuffled(estimator: Any, X: Any, y: Any, n_repeats: int, seed: int) -> list[Split]:
    stratified = is_classifier(estimator) and y is not None
    kind = RepeatedStratifiedKFold if stratified else RepeatedKFold
    folds = kind(n_splits=N_FOLDS, n_repeats=n_repeats, random_state=seed)
    return list(folds.split(np.zeros(_num_samples(X)), y if stratified else None))


def _seeds(seed: int, n_splits: int, n_seeds: int) -> Array:
    def draw(split: int, repetition: int) -> int:
        sequence = np.random.SeedSequence(seed, spawn_key=(split, repetition))
        return int(sequence.generate_state(1)[0] >> 1)  # 31 bits, as random_state wants

    return np.array([[draw(j, s) for s in range(n_seeds)] for j in range(n_splits)])


def folds_per_repeat(tests: list[Array], n_images: int) -> int:
    """Return how many splits test each image once, 1 if they are no repeated partitions."""
    sizes = np.cumsum([len(test) for test in tests])
    n_folds = int(np.searchsorted(sizes, n_images)) + 1
    blocks = [tests[k : k + n_folds] for k in range(0, len(tests), n_folds)]
    everyone = np.arange(n_images)
    whole = all(np.array_equal(np.sort(np.concatenate(block)), everyone) for block in blocks)
    return n_folds if whole else 1
