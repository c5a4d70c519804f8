"""Segmentation: the public methods of mask estimators, and their loss."""

from __future__ import annotations

import numbers
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..losses._core.foreign import AnyLoss, loss_form
from ..metrics import iou_score
from ._inference.predict import as_numpy
from ._loss_parameter import resolve_loss
from ._mask_estimator import MaskEstimator
from ._training.parameters import Number


class SegmenterBase(MaskEstimator):
    """A mask estimator with a network, whose loss may be "auto"."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MaskEstimator._parameter_constraints,
        "ignore_index": [numbers.Integral, None],
        "multilabel": ["boolean"],
        "tile": [Number(numbers.Integral, 1, None, closed="left"), tuple, list, None],
    }

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities of each pixel.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images as in :meth:`fit`; their sizes may differ from training and from each
            other. Masked pixels get the mean of their channel in the training images.

        Returns
        -------
        proba : ndarray of shape (n, n_classes, *spatial), float32
            The classes are in the order of ``classes_``. Multilabel probabilities are
            independent. If images are of different sizes, the dtype is object, with one
            array per image.
        """
        return self._finished(X, self._as_probabilities)

    def predict(self, X: Any, threshold: Any = None) -> np.ndarray:
        """Return the most probable label of each pixel, or multilabel masks.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images as in :meth:`fit`; their sizes may differ from training and from each
            other. Masked pixels get the mean of their channel in the training images.
        threshold : float, list or dict, default=None
            Probability above which a pixel belongs to the second of two classes or,
            multilabel, to each label: one number, or one for each label, in order or by
            label. None is ``threshold_``, or .5 if it was not chosen.

        Returns
        -------
        masks : ndarray of shape (n, *spatial) or, multilabel, (n, K, *spatial)
            The dtype is that of the masks in ``fit``; if these were files of several
            dtypes, the smallest that holds the labels; or object, with one mask per
            image, if X is a list of images of different sizes.
        """
        self._check_fitted()
        limits = self._read_threshold(threshold)
        return self._finished(X, partial(self._as_labels, threshold=limits))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's raw scores.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images as in :meth:`fit`; their sizes may differ from training and from each
            other. Masked pixels get the mean of their channel in the training images.

        Returns
        -------
        scores : ndarray of shape (n, n_channels, *spatial), float32
            One channel for two classes, unless the loss has only a softmax form.
        """
        return self._finished(X, as_numpy)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean intersection over union of the classes.

        Parameters
        ----------
        X : array-like
            Images.
        y : array-like of shape (n, *spatial) or, multilabel, (n, K, *spatial)
            True masks; not needed if X is a torch ``Dataset`` that has them.
        sample_weight : array-like of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        score : float
            Over all pixels of all images, averaged over the labels. Labels that neither
            occur nor are predicted are left out, except that they score 1 for multilabel
            masks.
        """
        pairs = self._pair_masks(X, y, "predict", self.predict)
        return float(pairs.score(iou_score, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def _resolve_loss(self) -> AnyLoss:
        loss = self.loss
        if isinstance(loss, str) and loss == "auto":
            sigmoid = self.multilabel or len(self.classes_) == 2
            loss = "dice+bce" if sigmoid else "dice+cross_entropy"
        resolved = resolve_loss(loss, self._loss_params)
        if self.multilabel and loss_form(resolved) == "softmax":
            raise ValueError(
                f"loss={self.loss!r} has only a softmax form, in which classes compete, but with "
                f"multilabel=True labels may overlap. Use a loss with a sigmoid form, such as "
                f"'dice+bce', 'bce', 'focal' or 'dice'."
            )
        return resolved
