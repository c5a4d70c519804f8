"""Several trained nets as one, whose scores are logarithms of averaged probabilities."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...losses import CrossEntropyLoss
from ...networks._adapt.interface import as_network
from .._data.arrays import Scaling

#: Instead of the logarithm of 0, whose differences would be undefined.
LOG_OF_ZERO = -1e4

#: Weights that do not add up to 1 by this are rounded.
_ROUNDING = 1e-5


class AveragedNet:
    """Trained nets whose probabilities are averaged; it predicts in the place of one net.

    Parameters
    ----------
    models : list of fitted estimators
        Each takes images as the first one scales them, and scales them as it needs.
    weights : list of float
        One for each model; they add up to 1.
    classes : ndarray
        The labels of all models. A model that does not know one gives it probability 0.
    disagreement : bool, default=False
        Whether the scores are the disagreement of the models instead: the weight of those
        that decide otherwise than their average.
    """

    def __init__(
        self,
        models: Sequence[Any],
        weights: Sequence[float],
        classes: np.ndarray,
        *,
        disagreement: bool = False,
    ) -> None:
        first = models[0]
        self.models = list(models)
        self.weights = list(weights)
        self.classes = classes
        self.disagreement = disagreement
        self.device = first.net_.device
        self.criterion_ = first.net_.criterion_
        self.scaling_: Scaling | None = first.scaling_
        self.class_counts_: Tensor | None = None
        self.n_channels_ = len(classes)

    @property
    def module_(self) -> nn.ModuleList:
        """All networks, with what tiles and batches have to be for all of them."""
        networks = [as_network(model.net_.module_) for model in self.models]
        together: Any = nn.ModuleList([model.net_.module_ for model in self.models])
        together.multiple = math.lcm(*(network.multiple for network in networks))
        together.values_per_pixel = max(network.values_per_pixel for network in networks)
        sizes = [getattr(network, "only_size", None) for network in networks]
        together.only_size = next((size for size in sizes if size is not None), None)
        # Everything else that predictions depend on, for their digest.
        together.register_buffer("weights", torch.tensor(self.weights, dtype=torch.float64))
        for k, model in enumerate(self.models):
            scaling = {} if model.scaling_ is None else model.scaling_._asdict()
            for name, values in scaling.items():
                together.register_buffer(f"{name}_{k}", values)
        return together  # type: ignore[no-any-return]

    def _set_training(self, training: bool = True) -> None:
        for model in self.models:
            model.net_._set_training(training)

    def infer(self, x: Tensor) -> Tensor:
        """Return scores (n, C, *spatial) that a softmax, or a sigmoid if labels overlap, undoes.

        As a disagreement, of shape (n, 1, *spatial), or (n, K, *spatial) if labels overlap.
        """
        total: Tensor | None = None
        votes: Tensor | None = None
        for model, weight in zip(self.models, self.weights, strict=True):
            log_p = self._log_probabilities(model, self._rescaled(model, x))
            part = log_p + math.log(weight)
            total = part if total is None else torch.logaddexp(total, part)
            if self.disagreement:
                vote = weight * self._decided(log_p)
                votes = vote if votes is None else votes + vote
        assert total is not None
        if votes is not None:
            against = 1 - self._summed(votes * self._decided(total))
            return against.where(against > _ROUNDING, 0.0)
        if not self._is_multilabel:
            return total
        absent, present = total.chunk(2, 1)
        return present - absent

    @property
    def _is_multilabel(self) -> bool:
        return bool(getattr(self.models[0], "multilabel", False))

    def _rescaled(self, model: Any, x: Tensor) -> Tensor:
        """Return images as a model scales them, from those as the first model does."""
        theirs, ours = model.scaling_, self.scaling_
        if _same_scaling(theirs, ours):
            return x.clone()  # a network may change its input
        raw = x if ours is None else ours.to(x.device).undo(x)
        return (raw if theirs is None else theirs.to(x.device).apply(raw)).contiguous()

    def _log_probabilities(self, model: Any, x: Tensor) -> Tensor:
        """Return logarithms of probabilities; of overlapping labels, absent ones come first."""
        scores = model._tempered(model.net_.infer(x).float())
        if self._is_multilabel or (model._reads_masks and scores.shape[1] == 1):
            log_p = torch.cat([F.logsigmoid(-scores), F.logsigmoid(scores)], 1)
            if self._is_multilabel:
                return log_p
        else:
            log_p = scores.log_softmax(1)
        if len(model.classes_) == len(self.classes):
            return log_p.clamp(min=LOG_OF_ZERO)
        whole = log_p.new_full((len(log_p), len(self.classes), *log_p.shape[2:]), LOG_OF_ZERO)
        whole[:, torch.from_numpy(np.searchsorted(self.classes, model.classes_))] = log_p
        return whole.clamp(min=LOG_OF_ZERO)

    def _decided(self, log_p: Tensor) -> Tensor:
        """Return 1 for the most probable class, or for present or absent, and 0 for others."""
        if self._is_multilabel:
            absent, present = log_p.chunk(2, 1)
            decided = torch.cat([present <= absent, present > absent], 1)
            return decided.to(log_p.dtype)
        return torch.zeros_like(log_p).scatter_(1, log_p.argmax(1, keepdim=True), 1.0)

    def _summed(self, values: Tensor) -> Tensor:
        """Add up over the classes, or over absent and present."""
        if self._is_multilabel:
            absent, present = values.chunk(2, 1)
            return absent + present
        return values.sum(1, keepdim=True)


def averaged_model(
    models: Sequence[Any], weights: Sequence[float], *, disagreement: bool = False
) -> Any:
    """Return an estimator that predicts the average of several fitted ones.

    It is a copy of the first one, and shares how images and masks are read, sizes of tiles,
    and ``score``. It can only predict and score.

    Parameters
    ----------
    models : list of fitted estimators
        Of one task. They are not changed.
    weights : list of float
        Weights of their probabilities; they add up to 1.
    disagreement : bool, default=False
        Whether its scores are the disagreement, see :class:`AveragedNet`.
    """
    first = models[0]
    classes = union_of_classes(models)
    model = copy.copy(first)
    model.net_ = AveragedNet(models, weights, classes, disagreement=disagreement)
    model.classes_ = classes
    model.threshold_ = model.temperature_ = None
    return with_softmax(model)


def with_softmax(model: Any) -> Any:
    """Let a copy of an estimator turn scores into probabilities by a softmax, and return it.

    Labels that may overlap are turned by sigmoids, whatever the loss.
    """
    model.loss_ = CrossEntropyLoss()
    return model


def union_of_classes(models: Sequence[Any]) -> np.ndarray:
    """Return the labels of all models; names of overlapping labels keep their order."""
    found = [model.classes_ for model in models]
    if all(np.array_equal(found[0], labels) for labels in found):
        return np.asarray(found[0])
    return np.unique(np.concatenate(found))


def _same_scaling(first: Scaling | None, second: Scaling | None) -> bool:
    if first is None or second is None:
        return first is second
    pairs = zip(first, second, strict=True)
    return first is second or all(torch.equal(a.cpu(), b.cpu()) for a, b in pairs)
