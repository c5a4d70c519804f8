"""Scores that only depend on how many pixels or images are right and wrong, from these counts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.metrics._scorer import _Scorer

from ._average import pooled_ratio
from ._counts import PixelCounts
from ._mask_scorer import MaskScorer
from ._overlap import dice_score, iou_score

Array = NDArray[Any]

#: Metrics of scikit-learn that depend on counts alone.
_OF_LABELS = (
    metrics.accuracy_score,
    metrics.balanced_accuracy_score,
    metrics.cohen_kappa_score,
    metrics.f1_score,
    metrics.fbeta_score,
    metrics.jaccard_score,
    metrics.matthews_corrcoef,
    metrics.precision_score,
    metrics.recall_score,
)


class Confusion(NamedTuple):
    """Right and wrong decisions on two classes, or on each of several labels.

    Attributes
    ----------
    tp, fp, fn, tn : ndarray of shape (n_rows, n_labels)
        True and false positives, false and true negatives, by row, such as one for each
        threshold. For two classes there is one column, in which the second is positive.
    """

    tp: Array
    fp: Array
    fn: Array
    tn: Array


@dataclass(frozen=True)
class ConfusionScore:
    """A scorer's score, computed from counts.

    Parameters
    ----------
    function : callable
        The metric.
    sign : {1, -1}
        -1 for one of which lower values are better.
    settings : dict
        Its further arguments.
    classes : list
        The two classes, or the labels.
    multilabel : bool
        Whether labels may overlap.
    """

    function: Any
    sign: int
    settings: dict[str, Any]
    classes: list[Any]
    multilabel: bool

    @property
    def of_each_label(self) -> bool:
        """Whether the score is the mean of one score for each label."""
        return bool(self.settings.get("average", "macro") == "macro")

    def __call__(self, confusion: Confusion) -> Array:
        """Return the score of each row, of shape (n_rows,)."""
        if self.function in (dice_score, iou_score):
            return self.sign * self._overlap(confusion)
        rows = np.concatenate(confusion, axis=1)
        distinct, position = np.unique(rows, axis=0, return_inverse=True)
        scores = np.array([self._of_labels(*row) for row in distinct.tolist()], dtype=float)
        return self.sign * scores[position.reshape(-1)]

    def of_label(self, confusion: Confusion, position: int) -> Array:
        """Return the score of one of several labels in each row."""
        only = {**self.settings, "labels": [position]}
        one = ConfusionScore(self.function, self.sign, only, self.classes, self.multilabel)
        return one(confusion)

    def _overlap(self, confusion: Confusion) -> Array:
        counts, names = self._by_name(confusion)
        asked = self.settings.get("labels")
        zero = float(self.settings.get("zero_division", 1.0))
        if asked is None and not self.multilabel:
            zero = np.nan  # labels that neither occur nor are predicted are left out
        if asked is not None:
            nothing = np.zeros((len(confusion.tp), 1))
            padded = [np.concatenate([each, nothing], axis=1) for each in counts]
            columns = [names.index(each) if each in names else len(names) for each in asked]
            counts = PixelCounts(*(each[:, columns] for each in padded))
        tp, predicted, true = counts
        iou = self.function is iou_score
        return np.asarray(
            pooled_ratio(
                tp if iou else 2 * tp,
                predicted + true - tp if iou else predicted + true,
                np.ones(len(tp)),
                average=self.settings.get("average", "macro"),
                per_image=True,  # a row is not an image here, but is scored by itself, too
                zero_division=zero,
            )
        )

    def _by_name(self, confusion: Confusion) -> tuple[PixelCounts, list[Any]]:
        """Return true positives, predicted and true pixels of each label, and its name."""
        tp, fp, fn, tn = confusion
        if self.multilabel:
            return PixelCounts(tp, tp + fp, tp + fn), list(range(len(self.classes)))
        both = [(tn, tp), (tn + fn, tp + fp), (tn + fp, tp + fn)]
        return PixelCounts(*(np.concatenate(each, axis=1) for each in both)), self.classes

    def _of_labels(self, tp: float, fp: float, fn: float, tn: float) -> float:
        """Return scikit-learn's score of labels that occur so often."""
        low, high = self.classes
        cells = [(high, high, tp), (low, high, fp), (high, low, fn), (low, low, tn)]
        true, predicted, weight = zip(*(cell for cell in cells if cell[2] > 0), strict=True)
        settings = {"sample_weight": weight, **self.settings}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class may not be predicted at all
            return float(self.function(np.array(true), np.array(predicted), **settings))


def confusion_score(
    scorer: Any, classes: Sequence[Any], *, multilabel: bool, masks: bool
) -> ConfusionScore | None:
    """Return a scorer as a function of counts, None if it needs more than counts.

    Parameters
    ----------
    scorer : callable
        As in scikit-learn.
    classes : sequence
        The estimator's classes, two of them, or its labels.
    multilabel : bool
        Whether labels may overlap.
    masks : bool
        Whether there is a label per pixel, not per image.
    """
    function = getattr(scorer, "_score_func", None)
    if masks:
        known = isinstance(scorer, MaskScorer) and function in (dice_score, iou_score)
    else:
        known = isinstance(scorer, _Scorer) and function in _OF_LABELS
    if not known:
        return None
    settings = dict(scorer._kwargs)
    settings.pop("ignore_index", None)
    settings.pop("multilabel", None)
    if settings.get("per_image") or (masks and settings.get("average", "macro") is None):
        return None
    settings.pop("per_image", None)
    return ConfusionScore(function, scorer._sign, settings, list(classes), multilabel)
