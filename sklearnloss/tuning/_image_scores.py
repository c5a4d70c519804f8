"""A score per image, of what a fitted estimator predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators._drawing import reach_final
from ..estimators._lazy import Samples, is_lazy
from ..estimators._mask_targets import MaskEstimator
from ..metrics import iou_score

Array = NDArray[Any]

# Images read at a time, where they are read one by one.
_BATCH = 8


def score_images(estimator: Any, X: Any, y: Any) -> Array:
    """Return the mean IoU of each image's labels, or whether its one label is right.

    Parameters
    ----------
    estimator : fitted estimator, or pipeline that ends in one
        A segmenter of this package, or a classifier.
    X, y : array-like
        Images with what is true of them; y is None if X is a torch ``Dataset`` that
        has it.

    Returns
    -------
    scores : ndarray of shape (n,), float32
        Labels that are neither there nor predicted do not count, as in the
        segmenter's ``score``; nan where nothing counts.
    """
    final, X = reach_final(estimator, X)
    if not isinstance(final, MaskEstimator):
        truth = np.asarray(_labels(final, X) if y is None else y)
        right: Array = np.asarray(final.predict(X)) == truth.reshape(-1)
        return right.astype(np.float32)
    if is_lazy(X) or is_lazy(y):
        return _score_lazily(final, X, y)
    return _iou(final, y, final.predict(X))


def _labels(classifier: Any, X: Any) -> list[Any]:
    return [np.asarray(target).item() for _, target in classifier._samples(X)]


def _iou(segmenter: Any, true: Any, predicted: Array) -> Array:
    scores = iou_score(
        true,
        predicted,
        per_image=True,
        ignore_index=segmenter.ignore_index,
        multilabel=segmenter.multilabel,
        zero_division=1.0 if segmenter.multilabel else np.nan,
    )
    return np.asarray(scores, dtype=np.float32)


def _score_lazily(segmenter: Any, X: Any, y: Any) -> Array:
    images = X if is_lazy(X) else segmenter._read_images(X, reset=False)
    scores = []
    for batch, targets in segmenter._samples(images, y).batches(lambda shape: _BATCH):
        shape = tuple(batch.shape[1:])
        true = np.concatenate([segmenter._read_mask(target, shape) for target in targets])
        scores.append(_iou(segmenter, true, segmenter.predict(Samples(batch, ready=True))))
    return np.concatenate(scores)
