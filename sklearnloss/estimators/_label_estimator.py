"""The base class of classifiers: it reads labels, predicts and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from ..losses._core.foreign import AnyLoss, loss_form
from ._base import ImageEstimator
from ._data.dataset import TrainingData
from ._data.labels import encode, one_label, read_labels
from ._data.reading import Images
from ._data.targets import ArrayCodes
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

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels.

        Parameters
        ----------
        X : array-like
            Images of the shape used in ``fit``. Masked pixels get the mean of their channel
            in the training images.

        Returns
        -------
        labels : ndarray of shape (n,)
        """
        codes = self._scores(X).argmax(1).numpy()
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
            y = [one_label(target, k) for k, (_, target) in enumerate(self._samples(X))]
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

    def _as_probabilities(self, logits: Tensor) -> np.ndarray:
        logits = logits.double()
        if loss_form(self.loss_) == "sigmoid":
            return F.logsigmoid(logits).softmax(1).numpy()  # p / sum p, also if all underflow
        return logits.softmax(1).numpy()

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
