"""A model whose predictions for some images are already known, to be scored like any other."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._data.lazy import Samples
from .averaged_net import LOG_OF_ZERO, with_softmax
from .predict import Finish, _Outputs


def with_predictions(model: Any, probabilities: Sequence[np.ndarray]) -> Any:
    """Return a copy of a fitted model that gives known probabilities, in order.

    Parameters
    ----------
    model : ImageClassifier, ImageSegmenter, ResNetClassifier or UNetSegmenter
        It reads the masks, and knows the classes. It is not changed.
    probabilities : sequence of ndarray of shape (n_classes, *spatial)
        For each of the images that it will be asked to predict.

    Returns
    -------
    stored : estimator
        Of a subclass of the model's class. Scorers that only call ``predict``,
        ``predict_proba`` or ``score`` for exactly these images take it for a model.
    """
    stored = with_softmax(copy.copy(model))
    stored.threshold_ = stored.temperature_ = None
    stored.__class__ = _class_for(type(model))
    multilabel = bool(getattr(model, "multilabel", False))
    stored._stored = [_scores(each, multilabel=multilabel) for each in probabilities]
    return stored


def _scores(proba: np.ndarray, *, multilabel: bool) -> Tensor:
    """Return the scores that a softmax, or a sigmoid, turns into probabilities."""
    values = torch.from_numpy(np.asarray(proba, dtype=np.float32))
    log_p = values.log().clamp(min=LOG_OF_ZERO)
    return log_p - (1 - values).log().clamp(min=LOG_OF_ZERO) if multilabel else log_p


class _StoredMasks:
    """Scores of masks, instead of those of the network."""

    _stored: list[Tensor]

    def _finished(self, X: Any, finish: Finish) -> np.ndarray:
        outputs = _Outputs(len(self._stored))
        for scores in self._stored:
            outputs.add(finish(scores[None]))
        return outputs.collect()

    def _predict_samples(
        self: Any, samples: Samples, finish: Finish
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        stored = iter(self._stored)
        for images, targets in samples.batches(lambda spatial: 1):
            for target in targets:
                mask = self._read_mask(target, tuple(images.shape[1:]))[0]
                yield mask, finish(next(stored)[None])[0]


class _StoredLabels:
    """Scores of labels, instead of those of the network."""

    _stored: list[Tensor]

    def _scores(self, X: Any) -> Tensor:
        return torch.stack(self._stored)


def _class_for(cls: type) -> type:
    mixin = _StoredMasks if cls._reads_masks else _StoredLabels  # type: ignore[attr-defined]
    return type(cls.__name__, (mixin, cls), {})
