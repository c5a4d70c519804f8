"""A baseline: a model that gives the same answer for every image and pixel."""

from __future__ import annotations

import copy
from typing import Any

import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from ...losses._core.foreign import loss_form


def constant_model(model: Any) -> Any:
    """Return a copy of a fitted model that only knows how frequent the labels are.

    It predicts the most frequent label of the training data, with the frequencies as
    probabilities; multilabel masks are empty. It shares everything else with the model:
    how images and masks are read, which pixels are ignored, and ``score``.

    Parameters
    ----------
    model : UNetSegmenter, ResNetClassifier, or Pipeline that ends in one
        A fitted model. It is not changed.

    Returns
    -------
    constant : estimator
        Of the model's class. It can only predict and score.

    Examples
    --------
    >>> from sklearnloss import ResNetClassifier
    >>> from sklearnloss.estimators._inference.constant_model import constant_model
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(4, 8, 8)), ["cat", "dog", "cat", "cat"]
    >>> model = ResNetClassifier(width=4, max_epochs=1).fit(X, y)
    >>> constant_model(model).predict(X)
    array(['cat', 'cat', 'cat', 'cat'], dtype='<U3')
    """
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        constant = copy.copy(model)
        constant.steps = [*model.steps[:-1], (name, constant_model(last))]
        return constant
    constant = copy.copy(model)
    constant.threshold_ = constant.temperature_ = None
    constant.net_ = _ConstantNet(model.net_, _constant_scores(model), masks=model._reads_masks)
    return constant


def _constant_scores(model: Any) -> Tensor:
    """Return one score for each of the network's channels."""
    n_channels = model.net_.n_channels_
    if getattr(model, "multilabel", False):
        return torch.full((n_channels,), -20.0)
    counts = model.net_.class_counts_.double().clamp(min=1e-9)
    share = counts / counts.sum()
    if n_channels == 1:
        return torch.log(share[1:] / share[:1]).float()
    scores: Tensor = share.logit() if loss_form(model.loss_) == "sigmoid" else share.log()
    return scores.float()


class _ConstantNet:
    """A replacement for a trained net, with scores that do not depend on the image."""

    def __init__(self, net: Any, scores: Tensor, *, masks: bool) -> None:
        self._net = net
        self._scores = scores
        self._masks = masks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def infer(self, x: Tensor) -> Tensor:
        """Return scores of shape (n, C), or (n, C, *spatial) if the net's scores do."""
        scores = self._scores.to(x.device)
        if not self._masks:
            return scores.expand(len(x), -1)
        spatial = x.shape[2:]
        return scores.reshape(1, -1, *[1] * len(spatial)).expand(len(x), -1, *spatial).contiguous()
