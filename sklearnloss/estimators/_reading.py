"""How an estimator reads images: at once, or when they are needed."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from ._dataset import TrainingData
from ._images import read_images
from ._lazy import LazyData, Samples, has_targets, is_lazy
from ._rows import RowImages, Rows, read_rows
from ._survey import Survey

#: What :meth:`fit` is given, as it was read or will be.
Images = Tensor | RowImages | Survey


class ImageReadingMixin(BaseEstimator):  # type: ignore[misc]
    """Turn what users have into tensors (n, C, *spatial), or into :class:`Samples`."""

    image_shape: tuple[int, ...] | None
    channels: Any
    input_shape_: tuple[int, ...]
    _reads_masks: ClassVar[bool] = False

    def _training_images(self, X: Any, y: Any, *, reset: bool) -> Images:
        """Return images, or a survey of those that are read batch by batch."""
        lazy = is_lazy(X)
        if not lazy:
            images = self._read_images(X, reset=reset, min_samples=2)
            if not (self._reads_masks and is_lazy(y)):
                return images
            X = images
        survey = Survey(self._samples(X, y), self._look, any_size=self._reads_masks)
        if lazy and reset:
            self.n_features_in_ = survey.shape[1]
            self.__dict__.pop("feature_names_in_", None)
        return survey

    def _new_images(self, X: Any) -> Tensor | RowImages | Samples:
        """Return images to predict, or how to read them."""
        if isinstance(X, Samples):
            return X
        if is_lazy(X):
            return self._samples(X)
        images = self._read_images(X, reset=False)
        rows = getattr(X, "ndim", 3) == 2 and self.image_shape is None
        if rows and tuple(images.shape[1:]) != self.input_shape_:
            raise ValueError(
                f"X of shape {tuple(X.shape)} is read as {len(images)} images of one row, but "
                f"{type(self).__name__} was fitted on images of shape {self.input_shape_}. If it "
                f"is one image, pass X[None]; if its rows are images, set image_shape."
            )
        return images

    def _as_dataset(self, X: Any) -> TrainingData:
        """Return images, without targets, as the net takes them."""
        images = self._new_images(X)
        codes = torch.zeros(len(images), dtype=torch.uint8)
        if isinstance(images, Samples):
            return LazyData(images, codes)
        self._check_image_shape(images)
        if isinstance(images, RowImages):
            return TrainingData(images.whole, codes, rows=torch.from_numpy(images.rows))
        return TrainingData(images, codes)

    def _check_targets(self, X: Any, y: Any) -> None:
        """Raise a ValueError if there are no targets."""
        if y is None and not has_targets(X):
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )

    def _samples(self, X: Any, y: Any = None) -> Samples:
        return Samples(
            X,
            y,
            image_shape=self.image_shape,
            channels=self.channels,
            masks=self._reads_masks,
            ready=isinstance(X, (Tensor, RowImages)),
        )

    def _look(self, target: Any, shape: tuple[int, ...]) -> Any:
        """Return what is kept of a target when samples are surveyed."""
        return target

    def _read_images(self, X: Any, *, reset: bool, min_samples: int = 1) -> Tensor | RowImages:
        read = read_rows if isinstance(X, Rows) else read_images
        return read(
            self,
            X,
            reset=reset,
            image_shape=self.image_shape,
            channels=self.channels,
            min_samples=min_samples,
        )

    def _check_image_shape(self, images: Images) -> None:
        """Raise unless images are like those of ``fit``."""
        if tuple(images.shape[1:]) != self.input_shape_:
            raise ValueError(
                f"X holds images of shape {tuple(images.shape[1:])} (channels first), but "
                f"{type(self).__name__} was fitted on images of shape {self.input_shape_}."
            )
