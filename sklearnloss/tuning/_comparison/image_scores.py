"""A score per image, for the predictions of a fitted estimator, and what is kept of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.pipeline import reach_final
from ...estimators._mask_estimator import MaskEstimator
from ...metrics import iou_score
from ...metrics._pairs import MaskPairs
from .held_out import HeldOutMasks, Record, label_record

Array = NDArray[Any]


def score_images(
    estimator: Any, X: Any, y: Any, positions: Array | None = None
) -> tuple[Array, Record | None]:
    """Return the mean IoU of each image's labels, or whether its only label is right.

    Parameters
    ----------
    estimator : fitted estimator, or pipeline that ends in one
        A segmenter of this package, or a classifier.
    X, y : array-like
        Images and their true labels; y is None if X is a torch ``Dataset`` that contains
        them.
    positions : ndarray of shape (n,), int, default=None
        Positions of the images in all data; by default 0, 1, ...

    Returns
    -------
    scores : ndarray of shape (n,), float32
        Labels that are neither present nor predicted are ignored, as in the segmenter's
        ``score``; nan where no label is left.
    record : dict or None
        What a report needs of the same predictions: confusion counts, and a few
        predictions. None for more than 100 classes.
    """
    final, X = reach_final(estimator, X)
    if not isinstance(final, MaskEstimator):
        truth = np.asarray(_labels(final, X) if y is None else y).reshape(-1)
        predicted = np.asarray(final.predict(X))
        right: Array = predicted == truth
        where = np.arange(len(right)) if positions is None else positions
        return right.astype(np.float32), label_record(final, truth, predicted, where)
    pairs = final._pair_masks(X, y, "predict", final.predict)
    kept = HeldOutMasks(final)
    watched = MaskPairs(
        kept.watch(pairs),
        len(pairs),
        ignore_index=pairs.ignore_index,
        multilabel=pairs.multilabel,
        classes=pairs.classes,
    )
    nothing = 1.0 if final.multilabel else np.nan
    scores = watched.score(iou_score, per_image=True, zero_division=nothing)
    scores = np.asarray(scores, dtype=np.float32)
    where = np.arange(len(scores)) if positions is None else positions
    return scores, kept.record(scores, where)


def _labels(classifier: Any, X: Any) -> list[Any]:
    return [np.asarray(target).item() for _, target in classifier._samples(X)]
