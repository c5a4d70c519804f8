"""Selection of what to average: greedily, with replacement."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

#: How often each item is in a selection.
Counts = tuple[int, ...]

#: Rounds of a selection, and those of them that may pass without a gain.
_MAX_ROUNDS, _PATIENCE = 20, 3

#: Gains below this are rounding.
_NO_GAIN = 1e-9


def select(
    score: Callable[[Counts], float],
    n: int,
    *,
    max_rounds: int = _MAX_ROUNDS,
    patience: int = _PATIENCE,
) -> Counts:
    """Choose how often each item is averaged, by forward selection with replacement.

    Begins with the best item. Each round adds the one with which the average scores highest,
    possibly one that is in it already. The best selection of all rounds is returned, the first
    of equal ones.

    Parameters
    ----------
    score : callable
        Maps counts to the score of the average; higher is better.
    n : int
        Number of items.
    max_rounds : int, default=20
        The largest number of items in the selection, with repetitions.
    patience : int, default=3
        Ends after this many rounds without a gain.

    Returns
    -------
    counts : tuple of int of length n

    References
    ----------
    R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    https://doi.org/10.1145/1015330.1015432

    Examples
    --------
    >>> from sklearnloss.tuning._ensemble.selection import select
    >>> values = [1.0, 4.0, 9.0]
    >>> def score(counts):
    ...     mean = sum(c * v for c, v in zip(counts, values)) / sum(counts)
    ...     return -abs(mean - 5.0)
    >>> select(score, 3)
    (0, 4, 1)
    """
    counts: Counts = (0,) * n
    best, best_score, n_without_gain = counts, -math.inf, 0
    for _ in range(max_rounds):
        counts, value = max(
            ((more, score(more)) for more in (_with_one(counts, k) for k in range(n))),
            key=lambda pair: pair[1],
        )
        if value > best_score + _NO_GAIN:
            best, best_score, n_without_gain = counts, value, 0
            continue
        n_without_gain += 1
        if n_without_gain == patience:
            break
    return simplest(best)


def cross_validated(
    fold_score: Callable[[Counts, int], float],
    n: int,
    n_folds: int,
    choose: Callable[[Callable[[Counts], float], int], Counts] = select,
) -> float:
    """Return the mean score of selections on folds on which they were not made.

    The score of a selection on the images that it was made on is too high. So the selection is
    repeated on all folds but one, and scored on that one, for each fold.

    Parameters
    ----------
    fold_score : callable
        Maps counts and a fold to the score there.
    n, n_folds : int
        Number of items, and of folds.
    choose : callable, default=select
        The selection.

    Returns
    -------
    score : float
        nan if there is only one fold.
    """
    if n_folds < 2:
        return math.nan
    scores = []
    for left_out in range(n_folds):
        others = [fold for fold in range(n_folds) if fold != left_out]
        chosen = choose(functools.partial(mean_score, fold_score, others), n)
        scores.append(fold_score(chosen, left_out))
    return math.fsum(scores) / n_folds


def mean_score(
    fold_score: Callable[[Counts, int], float], folds: Sequence[int], counts: Counts
) -> float:
    """Return the mean score of a selection on some folds."""
    return math.fsum(fold_score(counts, fold) for fold in folds) / len(folds)


def best_single(score: Callable[[Counts], float], n: int) -> Counts:
    """Choose only the best item, the first of equal ones."""
    return select(score, n, max_rounds=1)


def simplest(counts: Counts) -> Counts:
    """Return the smallest counts that give the same average."""
    common = math.gcd(*counts) or 1
    return tuple(count // common for count in counts)


def _with_one(counts: Counts, k: int) -> Counts:
    return (*counts[:k], counts[k] + 1, *counts[k + 1 :])
