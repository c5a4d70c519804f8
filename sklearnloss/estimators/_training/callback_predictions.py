"""Predictions of the net for callbacks during training, on any data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from skorch.utils import to_device
from torch import Tensor

from ...metrics import iou_score
from ...metrics._pairs import MaskPairs
from .._data.dataset import TrainingData
from .checkpoints import CheckpointedNet


class PredictingNet(CheckpointedNet):
    """A net that predicts for skorch's scoring callbacks and for the user's callbacks.

    The training data have codes 0 to n_classes - 1 as targets, and so do the predictions
    for them. For any other data the estimator predicts: in the user's labels, for
    images in the user's layout.

    Attributes
    ----------
    ignore_code_ : int or None
        The code of ignored pixels.
    multilabel_ : bool
        Whether each channel is a separate label.
    n_channels_ : int
        The number of scores of the network.
    """

    ignore_code_: int | None = None
    multilabel_: bool = False
    n_channels_: int

    @property
    def classes_(self) -> np.ndarray:
        """The codes of the classes."""
        binary = self.criterion_.masks and self.n_channels_ == 1 and not self.multilabel_
        return np.arange(2 if binary else self.n_channels_)

    @property
    def ignore_index(self) -> int | None:
        """The code of ignored pixels, for scorers."""
        return self.ignore_code_

    @property
    def multilabel(self) -> bool:
        """Whether each channel is a separate label, for scorers."""
        return self.multilabel_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"  # scorers then ask for probabilities
        return tags

    def predict(self, X: Any) -> np.ndarray:
        """Return codes for the training data, labels for any other data."""
        if not self._is_own(X):
            return self._estimator("predict").predict(X)  # type: ignore[no-any-return]
        logits = torch.cat(list(self.forward_iter(X)))
        if self.multilabel_:
            codes = (logits > 0).byte()
        else:
            codes = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).byte()
        return codes.cpu().numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the same probabilities as the estimator."""
        estimator = self._estimator("predict_proba")
        if not self._is_own(X):
            return estimator.predict_proba(X)  # type: ignore[no-any-return]
        logits = torch.cat(list(self.forward_iter(X))).detach().float().cpu()
        return estimator._as_probabilities(logits)  # type: ignore[no-any-return]

    def score(self, X: Any, y: Any) -> float:
        """Return the accuracy, or for masks the mean intersection over union."""
        if not self._is_own(X):
            return self._estimator("score").score(X, y)  # type: ignore[no-any-return]
        predicted = self.predict(X)
        if not self._estimator("score")._reads_masks:
            return float(np.mean(predicted == y))
        ignored, multilabel = self.ignore_code_, self.multilabel_
        return float(iou_score(y, predicted, ignore_index=ignored, multilabel=multilabel))

    def _pair_masks(
        self, X: Any, y: Any, method: str, call: Callable[[Any], np.ndarray]
    ) -> MaskPairs:
        """Pair true masks with predictions, as requested by the mask scorers."""
        if not self._is_own(X):
            estimator = self._estimator(method)
            pairs: MaskPairs = estimator._pair_masks(X, y, method, call)
            return pairs
        if y is None:
            raise ValueError("There are no true masks to score: use_caching=False passes none.")
        y = np.asarray(y)
        return MaskPairs(
            zip(y, call(X), strict=True),
            len(y),
            ignore_index=self.ignore_code_,
            multilabel=self.multilabel_,
        )

    def forward_iter(self, X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Tensor]:
        """Yield the logits of images, batch by batch and in order."""
        batches: Any = [(X, None)] if self._is_batch(X) else self.get_iterator(self.get_dataset(X))
        for batch in batches:
            yield to_device(self.evaluation_step(batch, training=training), device=device)

    def get_dataset(self, X: Any, y: Any = None) -> TrainingData:
        """Return images in the form used for training."""
        if isinstance(X, TrainingData):
            return X
        dataset: TrainingData = self._estimator("forward")._as_dataset(X)
        return dataset

    def _is_own(self, X: Any) -> bool:
        """Return whether these are training data, or the current batch."""
        return isinstance(X, TrainingData) or self._is_batch(X)

    def _is_batch(self, X: Any) -> bool:
        return self.training_ is not None and X is not None and X is self.training_.inputs

    def _estimator(self, method: str) -> Any:
        if self.training_ is None or self.training_.estimator is None:
            raise RuntimeError(
                f"net.{method} accepts images in callbacks only, while the net is trained. Use the "
                f"estimator's predict, predict_proba or decision_function, or apply its module_ to "
                f"scaled images."
            )
        return self.training_.estimator
