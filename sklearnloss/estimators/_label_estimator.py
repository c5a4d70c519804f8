"""The base class of classifiers: it reads labels, predicts and scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from .._predict.decide import decide
from ..losses._core.foreign import AnyLoss, loss_form
from ..metrics._masks import check_weight
from ._base import ImageEstimator
from ._data.dataset import TrainingData
from ._data.labels import encode, one_label, read_labels
from ._data.reading import Images
from ._data.targets import ArrayCodes
from ._inference.predict import Finish
from ._inference.probability_counts import Block
from ._loss_parameter import resolve_loss


class LabelEstimator(ClassifierMixin, ImageEstimator):  # type: ignore[misc]
    """An estimator of one label per image."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like
            Images of the shape used in ``fit``. Masked pixels get the mean of their channel
            in the training images.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), float64
            The columns are in the order of ``classes_``. The softmax of the scores; after
            training with a sigmoid loss, the sigmoids normalized over the classes.
        """
        return self._as_probabilities(self._scores(X))

    def predict(self, X: Any, threshold: Any = None) -> np.ndarray:
        """Return the most probable labels.

        Parameters
        ----------
        X : array-like
            Images of the shape used in ``fit``. Masked pixels get the mean of their channel
            in the training images.
        threshold : float, default=None
            Probability above which an image belongs to the second of two classes. None is
            ``threshold_``, or .5 if it was not chosen.

        Returns
        -------
        labels : ndarray of shape (n,)
        """
        self._check_fitted()
        limit = self._read_threshold(threshold)
        scores = self._scores(X)
        if limit is None:
            codes = scores.argmax(1).numpy()
        else:
            codes = decide(self._as_probabilities(scores), limit, axis=1)
        labels: np.ndarray = self.classes_[codes]
        return labels

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's raw scores.

        Parameters
        ----------
        X : array-like
            Images of the shape used in ``fit``. Masked pixels get the mean of their channel
            in the training images.

        Returns
        -------
        scores : ndarray of shape (n, n_classes), or (n,) for two classes
            For two classes, the second score minus the first.
        """
        logits = self._scores(X).numpy()
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like
            Images of the shape used in ``fit``. Masked pixels get the mean of their channel
            in the training images.
        y : array-like of shape (n,)
            True labels. Not needed if X is a torch ``Dataset`` that has them.
        sample_weight : array-like of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        score : float
        """
        self._check_targets(X, y)
        if y is None:
            y = self._labels_of(X)
        accuracy: float = super().score(X, y, sample_weight)
        return accuracy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _read_targets(
        self, y: Any, images: Images, weight: Tensor | None, classes: Any
    ) -> ArrayCodes:
        if y is None and images.survey is not None:
            y = [one_label(target, k) for k, target in enumerate(images.survey.seen)]
        labels = read_labels(y)
        if len(labels) != len(images):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has "
                f"{len(images)}, y has {len(labels)}."
            )
        present = labels if weight is None else labels[weight.numpy() > 0]
        known = np.unique(present) if classes is None else np.unique(np.asarray(classes))
        if len(known) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes, but the data has only one "
                f"class: {known.tolist()}."
            )
        self.classes_ = known if classes is not None else np.unique(labels)
        return ArrayCodes(encode(labels, self.classes_), len(self.classes_))

    def _blocks(self, X: Any, y: Any, finish: Finish, sample_weight: Any) -> Iterator[Block]:
        labels = read_labels(self._labels_of(X) if y is None else y)
        codes = encode(labels, self.classes_).numpy()
        weight = check_weight(sample_weight, len(labels))
        results = finish(self._scores(X))
        if len(labels) != len(results):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has "
                f"{len(results)}, y has {len(labels)}."
            )
        yield Block(codes, results.T, weight)

    def _labels_of(self, X: Any) -> list[Any]:
        """Return the labels of a Dataset of pairs."""
        return [one_label(target, k) for k, (_, target) in enumerate(self._samples(X))]

    def _log_scores(self, logits: Tensor) -> Tensor:
        logits = logits.double()
        # p / sum p after the softmax, also if all underflow
        return F.logsigmoid(logits) if loss_form(self.loss_) == "sigmoid" else logits

    def _as_probabilities(self, logits: Tensor) -> np.ndarray:
        return self._tempered(logits).softmax(1).numpy()

    def _resolve_loss(self) -> AnyLoss:
        return resolve_loss(self.loss, self._loss_params)

    def _n_channels(self, loss: AnyLoss) -> int:
        return len(self.classes_)

    def _is_masks(self, n_channels: int) -> bool:
        return False

    def _split(self, data: TrainingData, seed: int) -> tuple[np.ndarray, np.ndarray]:
        codes = data.y.numpy()
        indices = np.arange(len(codes))
        n_classes = len(np.unique(codes))
        n_held_out = int(np.ceil(self.validation_fraction * len(codes)))
        rare = np.bincount(codes).min() < 2 or not (
            n_classes <= n_held_out <= len(codes) - n_classes
        )
        training, held_out = train_test_split(
            indices,
            test_size=self.validation_fraction,
            random_state=seed,
            stratify=None if rare else codes,
        )
        return np.sort(training), np.sort(held_out)

    def _weigh_classes_by_sample(self, data: TrainingData, weight: Tensor) -> None:
        by_class = weight[data.y.long()]
        data.weight = by_class if data.weight is None else data.weight * by_class
