"""The base class of segmenters: it reads masks, finds their classes, predicts and scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from .._predict.decide import Threshold, decide
from ..losses._core.foreign import AnyLoss, loss_form
from ..metrics._masks import check_weight
from ..metrics._pairs import MaskPairs
from ._base import ImageEstimator
from ._data.axes import check_masks_shape
from ._data.dataset import TrainingData
from ._data.file_order import warn_of_order
from ._data.labels import (
    as_masks,
    code_dtype,
    count_labels,
    distinct_labels,
    encode,
    in_mask_dtype,
    on_off,
    one_label_per_pixel,
    read_masks,
)
from ._data.lazy import Samples, is_lazy
from ._data.mask_classes import (
    ObjectNumbers,
    check_classes,
    check_void,
    find_blobs,
    jpeg_names,
    number_objects,
    void_label,
)
from ._data.palettes import check_palettes
from ._data.reading import Images
from ._data.rows import ArrayImages
from ._data.survey import Survey, tally
from ._data.targets import ArrayCodes, MaskCodes
from ._inference.predict import Finish, Scorer, as_numpy, predict_images
from ._inference.probability_counts import Block
from ._training.augment_masks import MaskLabels
from ._training.torch_settings import usual_torch


class MaskEstimator(ImageEstimator):
    """An estimator of masks with one label per pixel, or with several.

    Attributes
    ----------
    mask_values_ : ndarray of shape (2,)
        The values in multilabel masks: 0, and 1 or 255.
    """

    multilabel: bool
    ignore_index: int | None
    tile: int | tuple[int, ...] | None
    mask_values_: np.ndarray
    _reads_masks = True
    _own_scoring = "iou"
    _min_images = 1
    # Whether some pixels were masked in the masks that were read last.
    _masked = False
    # Only set while masks are read: whether their labels may be object numbers.
    _numbers: ObjectNumbers | None = None

    @property
    def _ignored_label(self) -> Any:
        """The label of ignored pixels, None if there is none."""
        if self.ignore_index is None and self._masked:
            return np.ma.masked
        return self.ignore_index

    def _training_images(self, X: Any, y: Any, *, reset: bool) -> Images:
        if reset:  # an earlier fit must not affect this one
            self.__dict__.pop("mask_values_", None)
        self.__dict__.pop("_masked", None)
        if reset and self.classes is None and not self.multilabel:
            self._numbers = ObjectNumbers()
        try:
            return super()._training_images(X, y, reset=reset)
        except Exception:
            self.__dict__.pop("_numbers", None)
            raise

    def _read_targets(
        self, y: Any, images: Images, weight: Tensor | None, classes: Any
    ) -> ArrayCodes | MaskCodes:
        try:
            if images.survey is None:
                return self._read_masks_in_memory(y, images, classes)
            return self._read_lazy_masks(images.survey, classes)
        finally:
            self.__dict__.pop("_numbers", None)

    def _read_masks_in_memory(self, y: Any, images: Images, classes: Any) -> ArrayCodes:
        masks = self._read_masks(y, images)
        if np.ma.is_masked(masks):
            self._masked = True
        labels = distinct_labels(masks)
        if self._numbers is not None:
            self._numbers = number_objects(masks, labels, self.ignore_index)
        n_labels = masks.shape[1] if self.multilabel else 1
        values = self._find_classes(labels, n_labels, classes, {masks.dtype})
        codes = encode(masks, values, self.ignore_index)
        return ArrayCodes(codes, len(self.classes_), self.multilabel)

    def _read_lazy_masks(self, survey: Survey, classes: Any) -> MaskCodes:
        numbers = sorted({len(mask) for mask in survey.seen})
        if len(numbers) > 1:
            raise ValueError(f"y has masks of {numbers} labels. Expected the same number in all.")
        parts = [part for mask in survey.seen for part, _ in mask]
        dtypes = {part.dtype for part in parts}
        labels = np.unique(np.concatenate(parts))
        files, images = survey.samples.mask_files(), survey.samples.image_files()
        if len(files) == len(images):
            warn_of_order(images, files)
        reader = self._file_reader
        in_classes = reader.masks == "classes" and reader.colors is None
        if classes is None and not self.multilabel and in_classes:
            check_palettes(files)
        jpegs = jpeg_names(files) if in_classes else []
        values = self._find_classes(labels, len(survey.seen[0]), classes, dtypes, jpegs)
        encode(labels, values, self.ignore_index)  # raises for a label that is not a class
        counts = tally(survey.seen, values)
        counts = counts.swapaxes(1, 2) if self.multilabel else counts[:, 0]

        def encode_mask(target: Any, shape: tuple[int, ...]) -> Tensor:
            return encode(self._read_mask(target, shape), values, self.ignore_index)[0]

        return MaskCodes(encode_mask, code_dtype(values), counts)

    def _look(self, target: Any, shape: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
        (mask,) = self._read_mask(target, shape)
        if np.ma.is_masked(mask):
            self._masked = True
        if self.multilabel:
            return [count_labels(channel) for channel in mask]
        labels, counts = count_labels(mask)
        if self._numbers is not None:
            here = [each for each in labels.tolist() if each != self.ignore_index]
            self._numbers.add(find_blobs(mask, here, look=not self._numbers.disproved))
        return [(labels, counts)]

    def _find_classes(
        self,
        labels: np.ndarray,
        n_labels: int,
        classes: Any,
        dtypes: Collection[np.dtype[Any]],
        jpegs: Sequence[str] = (),
    ) -> np.ndarray:
        """Set ``classes_`` from the labels that occur; return the values of codes 0, 1, ..."""
        if self.multilabel:
            labels = in_mask_dtype(labels, dtypes)
            return self._find_multilabel(labels, n_labels, classes)
        if classes is not None:
            labels = np.unique(np.asarray(classes))
        labels = in_mask_dtype(labels, dtypes)
        if self.ignore_index is not None:
            labels = labels[labels != self.ignore_index]
        if classes is None:
            check_classes(labels.tolist(), self._numbers or ObjectNumbers(), jpegs=jpegs)
            check_void(labels.tolist())
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
                f"{type(self).__name__} was fitted with multilabel={fitted}, but multilabel is now "
                f"{self.multilabel!r}. Set it back, or refit with warm_start=False."
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
            return self.mask_values_  # part of the data may lack one of them
        self.mask_values_ = on_off(labels, self.ignore_index)
        return self.mask_values_

    def _mask_labels(self) -> MaskLabels:
        values = self.mask_values_ if self.multilabel else self.classes_
        n_masks = len(self.classes_) if self.multilabel else None
        return MaskLabels(values, self.ignore_index, n_masks)

    def _read_mask(self, target: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Return the mask of an image (C, *spatial) as (1, *spatial) or (1, K, *spatial)."""
        if target is None:
            raise ValueError("there is no mask. Expected one for each image.")
        one = as_masks(target)
        if not self.multilabel:
            one = one_label_per_pixel(one, len(shape) - 1)
        return read_masks(one[None], (1, *shape[1:]), multilabel=self.multilabel)

    def _read_masks(self, y: Any, images: Images) -> np.ndarray:
        shape = (len(images), *images.shape[2:])
        check_masks_shape(
            np.shape(y), tuple(images.shape), channels=self.channels, multilabel=self.multilabel
        )
        return read_masks(y, shape, multilabel=self.multilabel)

    def _pair_masks(
        self, X: Any, y: Any, method: str, call: Callable[[Any], np.ndarray]
    ) -> MaskPairs:
        """Pair true masks with predictions, as requested by the mask scorers.

        Parameters
        ----------
        X, y : array-like, or lazily read data
            As for ``score``.
        method : {"predict", "predict_proba"}
            What to predict.
        call : callable
            Computes the predictions for images in memory.

        Returns
        -------
        pairs : MaskPairs
            Lazily read images are read and predicted one at a time, when they are needed.
        """
        self._check_fitted()
        self._check_targets(X, y)
        pairs: Iterable[tuple[np.ndarray, np.ndarray]]
        if is_lazy(X) or is_lazy(y):
            samples = self._samples(X if is_lazy(X) else self._read_images(X, reset=False), y)
            finish = self._as_labels if method == "predict" else self._as_probabilities
            n, pairs = len(samples), self._predict_samples(samples, finish)
        else:
            predicted = call(X)
            first = 2 if self.multilabel or method == "predict_proba" else 1
            shape = (len(predicted), *predicted.shape[first:])
            masks = read_masks(y, shape, multilabel=self.multilabel)
            n, pairs = len(masks), zip(masks, predicted, strict=True)
        return MaskPairs(
            ((self._check_void(true), pred) for true, pred in pairs),
            n,
            ignore_index=self.ignore_index,
            multilabel=self.multilabel,
            classes=self.classes_,
        )

    def _check_void(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask; raise an error if it seems to hold a label of pixels to ignore."""
        if self.multilabel or self.ignore_index is not None or np.ma.getmask(mask).all():
            return mask
        ends = {int(mask.min()), int(mask.max())} - set(self.classes_.tolist())
        void = void_label(sorted({*map(int, self.classes_), *ends})) if ends else None
        if void in ends:
            raise ValueError(
                f"y holds the label {void}, which is not among the classes "
                f"{self.classes_.tolist()} and often marks pixels to ignore. Set "
                f"ignore_index={void} if it does."
            )
        return mask

    @usual_torch()
    def _finished(self, X: Any, finish: Finish) -> np.ndarray:
        """Return the results of ``finish`` on the logits of images."""
        self._check_fitted()
        return predict_images(
            Scorer(self.net_, self.scaling_, self.tta),
            self._new_images(X),
            finish,
            check=self._check_image_shape,
            tiled=True,
            tile=self.tile,
        )

    def _check_image_shape(self, images: Images | Tensor) -> None:
        """Raise an error unless images have the channels and axes of those in ``fit``."""
        _, n_channels, *spatial = images.shape
        if n_channels != self.input_shape_[0] or len(spatial) + 1 != len(self.input_shape_):
            super()._check_image_shape(images)

    def _predict_samples(
        self, samples: Samples, finish: Finish
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        scorer = Scorer(self.net_, self.scaling_, self.tta)
        for images, targets in samples.batches(scorer.batch_size):
            predicted = self._finished(ArrayImages(images), finish)
            shape = tuple(images.shape[1:])
            for target, mask in zip(targets, predicted, strict=True):
                yield self._read_mask(target, shape)[0], mask

    def _blocks(self, X: Any, y: Any, finish: Finish, sample_weight: Any) -> Iterator[Block]:
        images = X
        if not is_lazy(X):
            images = self._read_images(X, reset=False)
            y = y if is_lazy(y) else self._read_masks(y, images)
        samples = self._samples(images, y)
        weight = check_weight(sample_weight, len(samples))
        values = self.mask_values_ if self.multilabel else self.classes_
        for (mask, result), w in zip(
            self._predict_samples(samples, finish), weight.tolist(), strict=True
        ):
            codes = encode(mask[None], values, self.ignore_index)[0].numpy()
            yield Block(codes, result, w)

    def _log_scores(self, logits: Tensor) -> Tensor:
        if self.multilabel or logits.shape[1] == 1 or loss_form(self.loss_) != "sigmoid":
            return logits
        return F.logsigmoid(logits)  # p / sum p after the softmax, also if all underflow

    def _as_probabilities(self, logits: Tensor) -> np.ndarray:
        scores = self._tempered(logits)
        if self.multilabel:
            return as_numpy(scores.sigmoid())
        if scores.shape[1] == 1:
            p = scores.sigmoid()
            return as_numpy(torch.cat([1 - p, p], 1))
        return as_numpy(scores.softmax(1))

    def _as_labels(self, logits: Tensor, threshold: Threshold = None) -> np.ndarray:
        threshold = self._read_threshold(threshold)
        if threshold is not None:
            proba = self._as_probabilities(logits)
            codes = decide(proba, threshold, multilabel=self.multilabel, axis=1)
        elif self.multilabel:
            codes = as_numpy((logits > 0).byte())
        elif logits.shape[1] == 1:
            codes = as_numpy((logits[:, 0] > 0).byte())
        else:
            codes = as_numpy(logits.argmax(1))
        labels: np.ndarray = (self.mask_values_ if self.multilabel else self.classes_)[codes]
        return labels

    def _n_channels(self, loss: AnyLoss) -> int:
        n_classes = len(self.classes_)
        if self.multilabel:
            return n_classes
        return 1 if n_classes == 2 and loss_form(loss) != "softmax" else n_classes

    def _is_masks(self, n_channels: int) -> bool:
        return self.multilabel or n_channels == 1

    def _split(self, data: TrainingData, seed: int) -> tuple[np.ndarray, np.ndarray]:
        training, held_out = train_test_split(
            np.arange(len(data)), test_size=self.validation_fraction, random_state=seed
        )
        return np.sort(training), np.sort(held_out)

    def _weigh_classes_by_sample(self, data: TrainingData, weight: Tensor) -> None:
        raise ValueError(
            f"class_weight is set, but not every term of the loss {self.loss!r} has weights per "
            f"class. Use one that does, such as 'cross_entropy', 'focal', 'bce' or, for more than "
            f"two classes, 'dice'."
        )
