"""How many pixels or images have a probability above each of many thresholds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...metrics._confusion import Confusion, ConfusionScore

Array = NDArray[Any]

# Steps of a thousandth, and finer ones near 0 and 1, where many networks are sure.
_TAIL = [digit * 10.0**-k for k in (6, 5, 4) for digit in range(1, 10)]
THRESHOLDS: Array = np.array([*_TAIL, *(np.arange(1, 1000) / 1000), *(1 - np.array(_TAIL[::-1]))])

MIDDLE = 0.5


class Block(NamedTuple):
    """Some images, or one.

    Attributes
    ----------
    codes : ndarray of shape (*shape), or (K, *shape) for overlapping labels
        Positions of the true labels; those of ignored pixels are above all others.
    values : ndarray of shape (n_classes, *shape)
        What the network says about them.
    weight : float, or ndarray of shape (*shape)
        Their weight.
    """

    codes: Array
    values: Array
    weight: Any


class ProbabilityCounts:
    """A histogram of the probabilities of true and of false labels.

    Parameters
    ----------
    n_labels : int
        1 for two classes, of whose second the probabilities are.
    thresholds : ndarray of shape (n_thresholds,), default=THRESHOLDS
        Sorted. They are rounded to the dtype of the probabilities.

    Attributes
    ----------
    counts : ndarray of shape (n_labels, 2, n_thresholds + 1)
        Total weight where a label is not (0) and where it is (1), by interval between
        thresholds.
    """

    def __init__(self, n_labels: int, thresholds: Array = THRESHOLDS) -> None:
        self.thresholds = thresholds
        self.counts = np.zeros((n_labels, 2, len(thresholds) + 1))

    def add(self, block: Block, *, multilabel: bool) -> None:
        """Count the probabilities of a block."""
        codes, proba = (
            (block.codes, block.values)
            if multilabel
            else (block.codes[None], np.asarray(block.values)[1:])
        )
        edges = self.thresholds.astype(proba.dtype)
        n_bins = len(edges) + 1
        for counts, code, p in zip(self.counts, codes, proba, strict=True):
            kept = code <= 1
            bins = np.searchsorted(edges, p[kept])
            weight = np.broadcast_to(block.weight, code.shape)[kept]
            cells = np.bincount(code[kept].astype(np.intp) * n_bins + bins, weight, 2 * n_bins)
            counts += cells.reshape(2, n_bins)

    def confusion(self) -> Confusion:
        """Return right and wrong decisions with a row per threshold."""
        return confusion_above(self.counts)


def confusion_above(counts: Array) -> Confusion:
    """Return right and wrong decisions from a histogram of shape (n_labels, 2, n_thresholds + 1).

    Returns
    -------
    confusion : Confusion
        Of arrays (n_thresholds, n_labels): positive is what lies above the threshold.
    """
    above = counts[..., ::-1].cumsum(-1)[..., ::-1]  # a bin and all above it
    (negative, positive), total = above[..., 1:].swapaxes(0, 1), above[..., 0]
    (fp, tp), (n_negative, n_positive) = (negative.T, positive.T), total.T
    return Confusion(tp=tp, fp=fp, fn=n_positive - tp, tn=n_negative - fp)


def best_positions(score: ConfusionScore, confusion: Confusion, thresholds: Array) -> Array:
    """Return the position of the best threshold for each label, shape (n_labels,).

    Overlapping labels that the score leaves out get the threshold next to .5.

    Parameters
    ----------
    score : ConfusionScore
        Of each label, if there are several.
    confusion : Confusion
        With a row per threshold.
    thresholds : ndarray of shape (n_thresholds,)
        The thresholds.
    """
    if not score.multilabel:
        return np.array([best_position(score(confusion), thresholds)])
    n_labels = len(score.classes)
    asked = score.settings.get("labels")
    positions = np.full(n_labels, np.abs(thresholds - MIDDLE).argmin())
    for k in range(n_labels) if asked is None else asked:
        positions[k] = best_position(score.of_label(confusion, k), thresholds)
    return positions


def best_position(scores: Array, thresholds: Array) -> int:
    """Return the position of the highest score; of equal ones, that of the threshold next to .5.

    Parameters
    ----------
    scores : ndarray of shape (n_thresholds,)
        nan is never the highest.
    thresholds : ndarray of shape (n_thresholds,)
        The thresholds.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    highest = known >= known.max() - 1e-12
    distance = np.where(highest, np.abs(thresholds - MIDDLE), np.inf)
    return int(distance.argmin())
