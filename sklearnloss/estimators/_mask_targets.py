"""How the segmenter reads masks: their classes, their codes, their counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ._augment_masks import MaskLabels
from ._base import ImageEstimator
from ._class_weight import count_positives
from ._labels import code_dtype, count_labels, distinct_labels, encode, on_off, read_masks
from ._lazy import LazyCodes
from ._net import TrainingData
from ._reading import Images
from ._rows import RowImages
from ._survey import Survey, tally


class MaskEstimator(ImageEstimator):
    """An estimator of masks, of one label per pixel or of several.

    Attributes
    ----------
    mask_values_ : ndarray of shape (2,)
        What multilabel masks hold: 0, and 1 or 255.
    """

    multilabel: bool
    ignore_index: int | None
    mask_values_: np.ndarray
    _reads_masks = True

    def _training_images(self, X: Any, y: Any, *, reset: bool) -> Images:
        if reset:  # an earlier fit has no say in this one
            self.__dict__.pop("mask_values_", None)
        return super()._training_images(X, y, reset=reset)

    def _read_targets(
        self, y: Any, images: Images, weight: Tensor | None, classes: Any
    ) -> Tensor | LazyCodes:
        if isinstance(images, Survey):
            return self._read_lazy_masks(images, classes)
        masks = self._read_masks(y, images)
        n_labels = masks.shape[1] if self.multilabel else 1
        values = self._find_classes(distinct_labels(masks), n_labels, classes)
        return encode(masks, values, self.ignore_index)

    def _read_lazy_masks(self, survey: Survey, classes: Any) -> LazyCodes:
        numbers = sorted({len(mask) for mask in survey.seen})
        if len(numbers) > 1:
            raise ValueError(f"y has masks of {numbers} labels. Expected the same number in all.")
        labels = np.unique(np.concatenate([part for mask in survey.seen for part, _ in mask]))
        values = self._find_classes(labels, len(survey.seen[0]), classes)
        encode(labels, values, self.ignore_index)  # raises for a label that is no class
        counts = tally(survey.seen, values)
        counts = counts.swapaxes(1, 2) if self.multilabel else counts[:, 0]

        def encode_mask(target: Any, shape: tuple[int, ...]) -> Tensor:
            return encode(self._read_mask(target, shape), values, self.ignore_index)[0]

        return LazyCodes(encode_mask, code_dtype(values), counts)

    def _look(self, target: Any, shape: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
        (mask,) = self._read_mask(target, shape)
        return [count_labels(channel) for channel in (mask if self.multilabel else [mask])]

    def _find_classes(self, labels: np.ndarray, n_labels: int, classes: Any) -> np.ndarray:
        """Set ``classes_`` from the labels that occur; return the values of codes 0, 1, ..."""
        if self.multilabel:
            return self._find_multilabel(labels, n_labels, classes)
        if classes is not None:
            labels = np.unique(np.asarray(classes))
        if self.ignore_index is not None:
            labels = labels[labels != self.ignore_index]
        if len(labels) < 2:
            raise ValueError(
                f"{type(self).__name__} needs masks of at least 2 classes, but y has only one "
                f"class: {labels.tolist()}. Pass classes= if this part of the data lacks some."
            )
        self.classes_ = labels
        return labels

    def _check_fitted(self) -> None:
        super()._check_fitted()
        fitted = hasattr(self, "mask_values_")
        if self.multilabel != fitted:
            raise ValueError(
                f"{type(self).__name__} was fitted with multilabel={fitted}, but multilabel is "
                f"{self.multilabel!r} now. Set it back, or fit anew with warm_start=False."
            )

    def _find_multilabel(self, labels: np.ndarray, n_labels: int, classes: Any) -> np.ndarray:
        names = np.arange(n_labels) if classes is None else np.asarray(classes)
        if names.shape != (n_labels,):
            raise ValueError(
                f"y has masks of {n_labels} labels, but classes={names.tolist()} names "
                f"{len(names)}."
            )
        self.classes_ = names
        if hasattr(self, "mask_values_") and set(labels.tolist()) <= {*self.mask_values_.tolist()}:
            return self.mask_values_  # a part of the data may lack one of them
        self.mask_values_ = on_off(labels, self.ignore_index)
        return self.mask_values_

    def _mask_labels(self) -> MaskLabels:
        values = self.mask_values_ if self.multilabel else self.classes_
        n_masks = len(self.classes_) if self.multilabel else None
        return MaskLabels(values, self.ignore_index, n_masks)

    def _read_mask(self, target: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Return the mask of an image (C, *spatial) as (1, *spatial) or (1, K, *spatial)."""
        one = target if isinstance(target, Tensor) else np.asarray(target)
        return read_masks(one[None], (1, *shape[1:]), multilabel=self.multilabel)

    def _read_masks(self, y: Any, images: Tensor | RowImages) -> np.ndarray:
        shape = (len(images), *images.shape[2:])
        return read_masks(y, shape, multilabel=self.multilabel)

    def _class_counts(self, data: TrainingData) -> np.ndarray:
        if self.multilabel and data.class_counts() is None:
            return count_positives(data.y)
        return super()._class_counts(data)
