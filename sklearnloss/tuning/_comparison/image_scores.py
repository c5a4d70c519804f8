"""A score per image, for the predictions of a fitted estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.pipeline import reach_final
from ...estimators._mask_estimator import MaskEstimator
from ...metrics import iou_score

Array = NDArray[Any]


def score_images(estimator: Any, X: Any, y: Any) -> Array:
    """Return the mean IoU of each image's labels, or whether its only label is right.

    Parameters
    ----------
    estimator : fitted estimator, or pipeline that ends in one
        A segmenter of this package, or a classifier.
    X, y : array-like
        Images and their true labels; y is None if X is a torch ``Dataset`` that contains
        them.

    Returns
    -------
    scores : ndarray of shape (n,), float32
        Labels that are neither present nor predicted are ignored, as in the segmenter's
        ``score``; nan where no label is left.
    """
    final, X = reach_final(estimator, X)
    if not isinstance(final, MaskEstimator):
        truth = np.asarray(_labels(final, X) if y is None else y)
        right: Array = np.asarray(final.predict(X)) == truth.reshape(-1)
        return right.astype(np.float32)
    pairs = final._pair_masks(X, y, "predict", final.predict)
    nothing = 1.0 if final.multilabel else np.nan
    scores = pairs.score(iou_score, per_image=True, zero_division=nothing)
    return np.asarray(scores, dtype=np.float32)


def _labels(classifier: Any, X: Any) -> list[Any]:
    return [np.asarray(target).item() for _, target in classifier._samples(X)]
