"""Averages of scores over images and labels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Average = Literal["macro", "micro"] | None
Scores = float | Array


def pooled_ratio(
    above: Array,
    below: Array,
    weight: Array,
    *,
    average: Average,
    per_image: bool,
    zero_division: float,
) -> Scores:
    """Divide counts of shape (n, n_labels), which are summed over images unless each is scored."""
    check_average(average, ("macro", "micro", None))
    if not per_image:
        above, below = (weight @ above)[None], (weight @ below)[None]
    ratio = divide(above, below, average, zero_division)
    # Each row is one image, or all of them pooled: only labels remain to be averaged.
    scores = mean_scores(ratio, None, average=average, nothing=zero_division)
    return scores if per_image else as_score(scores[0])


def divide(above: Array, below: Array, average: Average, zero_division: float) -> Array:
    """Divide counts by image and label; "micro" sums over the labels first."""
    if average == "micro":
        above, below = above.sum(1, keepdims=True), below.sum(1, keepdims=True)
    empty = below == 0
    ratio: Array = np.where(empty, zero_division, above / np.where(empty, 1, below))
    return ratio


def mean_scores(scores: Array, weight: Array | None, *, average: Average, nothing: float) -> Array:
    """Average scores of shape (n, n_labels).

    Parameters
    ----------
    scores : ndarray of shape (n, n_labels)
        Scores; nan is left out.
    weight : ndarray of shape (n,) or None
        Weights of the mean over the images; None keeps them separate.
    average : {"macro", "micro"} or None
        None keeps the labels separate.
    nothing : float
        The mean if there are no labels.

    Returns
    -------
    means : ndarray of shape (n, n_labels), without the axes that were averaged
    """
    if weight is not None:
        scores = _mean(scores, weight[:, None], axis=0)[None]
    if average is not None:
        if scores.shape[1] == 0:
            scores = np.full((len(scores), 1), nothing)
        scores = _mean(scores, np.ones((1, 1)), axis=1)
    return scores if weight is None else scores[0]


def check_average(average: Any, choices: tuple[str | None, ...]) -> None:
    """Raise ValueError unless average is one of the choices, the last of which is None."""
    if average not in choices:
        names = ", ".join(map(repr, choices[:-1]))
        raise ValueError(f"average={average!r}: expected {names} or None.")


def as_score(scores: Any) -> Scores:
    """Return a float for a single score."""
    return float(scores) if np.ndim(scores) == 0 else scores


def _mean(scores: Array, weight: Array, axis: int) -> Array:
    """Return the weighted mean without nan; a weight of 0 leaves out even inf."""
    weight = np.where(np.isnan(scores), 0, weight)
    total = weight.sum(axis)
    terms = np.where(weight == 0, 0, scores) * weight
    mean: Array = np.where(total == 0, np.nan, terms.sum(axis) / np.where(total == 0, 1, total))
    return mean
