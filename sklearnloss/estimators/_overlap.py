"""Intersection over union of masks that come one by one, of any sizes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..metrics._counts import count_pixels


class Overlap:
    """Counts of pixels by label, added up over images.

    Parameters
    ----------
    ignore_index : int or None
        Pixels with this true label do not count.
    multilabel : bool
        Whether there is a mask per label.
    """

    def __init__(self, ignore_index: int | None, *, multilabel: bool) -> None:
        self.ignore_index = ignore_index
        self.multilabel = multilabel
        # True positives, predicted and true pixels.
        self.counts: defaultdict[Any, np.ndarray] = defaultdict(lambda: np.zeros(3))

    def add(self, true: np.ndarray, predicted: np.ndarray, weight: float = 1.0) -> None:
        """Add one image, masks of shape (1, *spatial) or (1, K, *spatial)."""
        if self.multilabel:
            labels = np.arange(true.shape[1])
        else:
            labels = np.union1d(true, predicted)
            labels = labels[labels != self.ignore_index]
        counts = count_pixels(
            true,
            predicted,
            labels=labels,
            ignore_index=self.ignore_index,
            multilabel=self.multilabel,
        )
        for label, of_label in zip(labels.tolist(), np.concatenate(counts).T, strict=True):
            self.counts[label] += weight * of_label

    def iou(self) -> float:
        """Return the mean over the labels, as :func:`~sklearnloss.metrics.iou_score` does."""
        tp, predicted, true = np.array(list(self.counts.values())).T
        below = predicted + true - tp
        if not self.multilabel:  # a label of which nothing counts does not occur
            tp, below = tp[below > 0], below[below > 0]
        return float(np.where(below > 0, tp / np.maximum(below, 1e-300), 1.0).mean())
