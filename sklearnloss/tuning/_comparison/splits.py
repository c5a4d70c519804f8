"""Splits and seeds, the same for all losses."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from .._evaluation.folds import N_FOLDS, Split, check_groups, default_splits, make_folds

Array = NDArray[Any]


class OnlySplits(list[Split]):
    """Splits of images that cannot be split into folds in any other way."""


@dataclass
class PairedSplits:
    """Positions of training and test images, and the seeds of the fits.

    Attributes
    ----------
    splits : list of (train, test)
        Positions of images.
    seeds : ndarray of shape (n_splits, n_seeds), int
        The ``random_state`` of each fit, the same for all losses.
    repeatable : bool
        Whether the images could be split in other ways.
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

    Adding repeats or seeds does not change the earlier ones.

    Parameters
    ----------
    estimator : estimator
        Splits are stratified if it is a classifier.
    X, y : array-like
        The data.
    groups : array-like of shape (n,) or None
        Images of one group are kept together.
    cv : None, int, splitter or iterable
        None means five folds, ``n_repeats`` times: stratified for a classifier, by group if
        there are groups, as in :class:`LossSearchCV`.
    n_repeats : int or None
        For ``cv=None``; None means 3. With five groups or fewer there is only one possible
        partition; repeats then use new seeds instead.
    n_seeds : int
        Fits per split.
    seed : int
        Seed of the splits and of the fits' seeds.

    Raises
    ------
    ValueError
        If there are no splits, a number is not positive, or ``n_repeats`` is passed with ``cv``.
    """
    if cv is not None and n_repeats not in (None, 1):
        raise ValueError(
            f"n_repeats={n_repeats!r} repeats the default folds, but cv={cv!r} was given. Pass a "
            f"splitter that repeats, such as RepeatedKFold, or n_seeds for more fits per split."
        )
    n_repeats = 3 if n_repeats is None else n_repeats
    for name, number in (("n_repeats", n_repeats), ("n_seeds", n_seeds)):
        if not isinstance(number, numbers.Integral) or number < 1:
            raise ValueError(f"{name}={number!r}: expected an int of at least 1.")
    repeatable = True
    if cv is not None:
        repeatable = not isinstance(cv, OnlySplits)
        splits = make_folds(cv, estimator, X, y, {} if groups is None else {"groups": groups}, seed)
    else:
        if groups is not None:
            groups = check_groups(groups, _num_samples(X))
            repeatable = len(np.unique(groups)) > N_FOLDS
        if not repeatable:
            n_repeats, n_seeds = 1, n_repeats * n_seeds
        splits = _repeated(estimator, X, y, groups, n_repeats, seed)
    return PairedSplits(splits, _seeds(seed, len(splits), n_seeds), repeatable)


def _repeated(
    estimator: Any, X: Any, y: Any, groups: Any, n_repeats: int, seed: int
) -> list[Split]:
    """Return the default folds, shuffled anew for each repeat."""
    rng = np.random.RandomState(seed)
    return [
        split
        for _ in range(n_repeats)
        for split in default_splits(
            estimator, X, y, groups=groups, seed=int(rng.randint(2**31 - 1))
        )
    ]


def _seeds(seed: int, n_splits: int, n_seeds: int) -> Array:
    def draw(split: int, repetition: int) -> int:
        sequence = np.random.SeedSequence(seed, spawn_key=(split, repetition))
        return int(sequence.generate_state(1)[0] >> 1)  # 31 bits, as random_state requires

    return np.array([[draw(j, s) for s in range(n_seeds)] for j in range(n_splits)])


def folds_per_repeat(tests: list[Array], n_images: int) -> int:
    """Return how many splits test each image once; 1 unless they are repeated partitions."""
    sizes = np.cumsum([len(test) for test in tests])
    n_folds = int(np.searchsorted(sizes, n_images)) + 1
    blocks = [tests[k : k + n_folds] for k in range(0, len(tests), n_folds)]
    everyone = np.arange(n_images)
    whole = all(np.array_equal(np.sort(np.concatenate(block)), everyone) for block in blocks)
    return n_folds if whole else 1
