"""How estimators read images: all at once, or on demand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from ..._files import FileReader
from .arrays import Scaling, given_dtype, is_masked, read_images
from .axes import channels_advice, looks_like, mask_fits
from .check_images import check_images
from .dataset import TrainingData
from .imagenet import check_white
from .lazy import Samples, has_targets, is_lazy
from .rows import ArrayImages, Rows, read_rows
from .survey import Survey
from .targets import ArrayCodes, Targets

#: The images passed to :meth:`fit`, either in memory or to be read.
Images = ArrayImages | Survey


class ImageReadingMixin(BaseEstimator):  # type: ignore[misc]
    """Convert the user's data to tensors (n, C, *spatial), or to :class:`Samples`."""

    reader: FileReader | None
    image_shape: tuple[int, ...] | None
    channels: Any
    normalize: str | None
    input_shape_: tuple[int, ...]
    scaling_: Scaling | None
    # For masks only.
    ignore_index: int | None = None
    multilabel: bool = False
    _reads_masks: ClassVar[bool] = False
    _min_images: ClassVar[int] = 2

    def _training_images(self, X: Any, y: Any, *, reset: bool) -> Images:
        """Return images, or a survey of images that are read batch by batch."""
        if self._reads_masks:
            self._check_several(X, y)
        lazy = is_lazy(X)
        if not lazy:
            images = self._read_images(X, reset=reset, min_samples=self._min_images)
            if not (self._reads_masks and is_lazy(y)):
                if reset and not self._reads_masks:
                    self._warn_of_axes(tuple(images.shape[1:]))
                return images
            X = images
        samples = self._samples(X, y, fitted=not reset)
        survey = Survey(
            samples,
            self._look,
            any_size=self._reads_masks,
            kept=self._kept_pixels(),
            min_samples=self._min_images,
        )
        if lazy and reset:
            self.n_features_in_ = survey.shape[1]
            self.__dict__.pop("feature_names_in_", None)
            if samples.of_arrays and not self._reads_masks:  # masks would show it
                self._warn_of_axes(survey.shape[1:])
        return survey

    def _new_images(self, X: Any) -> ArrayImages | Samples:
        """Return images to predict, in memory or to be read."""
        if isinstance(X, (ArrayImages, Samples)):
            return X
        check_images(X)
        if is_lazy(X):
            samples = self._samples(X)
            self._check_units_of_first(samples)
            return samples
        read = self._read_images(X, reset=False)
        self._check_units(read)
        images = read.filled(self._fill)
        rows = getattr(X, "ndim", 3) == 2 and self.image_shape is None
        if rows and tuple(images.shape[1:]) != self.input_shape_:
            raise ValueError(
                f"X of shape {tuple(X.shape)} is read as {len(images)} images of one row, but "
                f"{type(self).__name__} was fitted on images of shape {self.input_shape_}. If it "
                f"is one image, pass X[None]; if its rows are images, set image_shape."
            )
        return images

    def _check_units(self, images: Images) -> None:
        """Raise a ValueError if white is another value than in ``fit``, where that is known."""
        if self.normalize == "imagenet" and self.scaling_ is not None:
            check_white(self.scaling_, images.dtypes, images.extremes())

    def _check_units_of_first(self, samples: Samples) -> None:
        """Do the same for images that are read later, by the first of them."""
        if self.normalize == "imagenet" and self.scaling_ is not None and len(samples):
            image = next(iter(samples))[0]
            dtype = str(samples.dtype(0, image)).removeprefix("torch.")
            first = ArrayImages(image[None], dtype=dtype)
            check_white(self.scaling_, first.dtypes, first.extremes())

    def _learn_scaling(self, images: Images, targets: Targets) -> Scaling | None:
        """Return the scaling of images before they enter the network."""
        if self.normalize is None:
            return None
        if self.normalize == "imagenet":
            return images.imagenet_scaling()
        codes = None if self._ignored_label is None else targets.in_memory(None)
        return images.scaling(None if codes is None else codes.kept())

    def _fill(self, images: Tensor) -> Tensor:
        """Replace NaN in images (n, C, *spatial) by the mean of the channel."""
        if self.scaling_ is not None:
            return self.scaling_.fill(images)
        if images.isnan().any():
            raise ValueError(
                "X has masked pixels, which become the mean of their channel, but with "
                "normalize=None it is not known. Set normalize='auto', or fill them: X.filled(0)."
            )
        return images

    def _as_dataset(self, X: Any) -> TrainingData:
        """Return images without targets, in the form that the net expects."""
        images = self._new_images(X)
        if isinstance(images, ArrayImages):
            self._check_image_shape(images)
        return TrainingData(images, ArrayCodes(torch.zeros(len(images), dtype=torch.uint8), 1))

    def _check_targets(self, X: Any, y: Any) -> None:
        """Raise an error if images or targets are missing."""
        check_images(X)
        if y is None and not has_targets(X):
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )

    def _samples(self, X: Any, y: Any = None, *, fitted: bool = True) -> Samples:
        """Return samples that read images one by one.

        Parameters
        ----------
        X, y : list, Dataset or array-like
            Images, with or without targets.
        fitted : bool, default=True
            Whether they must have the format of the images in ``fit``.
        """
        like = getattr(self, "input_shape_", None) if fitted else None
        return Samples(
            X,
            y,
            image_shape=self.image_shape,
            channels=self.channels,
            masks=self._reads_masks,
            multilabel=self.multilabel,
            ready=isinstance(X, ArrayImages),
            n_axes=None if like is None else len(like) - 1,
            fill=None if like is None else self._fill,
            reader=self._file_reader,
        )

    @property
    def _file_reader(self) -> FileReader:
        """What reads files."""
        return FileReader() if self.reader is None else self.reader

    def _check_several(self, X: Any, y: Any) -> None:
        """Raise a ValueError if X may be one image and y its mask."""
        image, mask = (tuple(getattr(values, "shape", ())) for values in (X, y))
        if len(mask) != 2 or len(image) not in (2, 3) or mask not in (image, image[1:], image[:-1]):
            return
        if len(image) == 3 and mask_fits(mask[1:], image[1:], multilabel=False):
            return
        if len(image) == 2 and self.image_shape is not None:
            return
        rows = "" if len(image) == 3 else f" If they are rows, set image_shape={(1, image[1])}."
        raise ValueError(
            f"X has shape {image} and y {mask}. If they are one image and its mask, pass X[None] "
            f"and y[None].{rows}"
        )

    def _kept_pixels(self) -> Callable[[Any], np.ndarray | None] | None:
        """Return a function from a mask to the pixels for the scaling, None if all are used."""
        ignored = self.ignore_index
        if not self._reads_masks:
            return None

        def kept(target: Any) -> np.ndarray | None:
            hidden = np.ma.getmask(target)
            if ignored is None and not hidden.any():
                return None
            mask = np.asarray(target.cpu() if isinstance(target, Tensor) else target)
            counted = np.asarray(~hidden & (mask != ignored))
            return np.asarray(counted.any(0)) if self.multilabel else counted

        return kept

    def _warn_of_axes(self, shape: tuple[int, ...]) -> None:
        """Warn if images of shape (C, *spatial) may have been meant to have other axes."""
        advice = looks_like(shape)
        if advice is None or self.channels != "first" or self.image_shape is not None:
            return
        n_channels, *spatial = shape
        warnings.warn(
            f"X is read as images of {n_channels} channels and {' x '.join(map(str, spatial))} "
            f"pixels. {advice} If this is right, confirm it with image_shape={shape}.",
            UserWarning,
            stacklevel=5,
        )

    def _look(self, target: Any, shape: tuple[int, ...]) -> Any:
        """Return what to keep of a target when samples are surveyed."""
        return target

    def _read_images(self, X: Any, *, reset: bool, min_samples: int = 1) -> ArrayImages:
        options: dict[str, Any] = {
            "reset": reset,
            "image_shape": self.image_shape,
            "channels": self.channels,
            "min_samples": min_samples,
        }
        if isinstance(X, Rows):
            return read_rows(self, X, **options)
        tensor = read_images(self, X, **options)
        return ArrayImages(tensor, masked=is_masked(X), dtype=given_dtype(X))

    def _check_image_shape(self, images: Images | Tensor) -> None:
        """Raise an error unless images are like those in ``fit``."""
        if tuple(images.shape[1:]) != self.input_shape_:
            raise ValueError(
                f"X holds images of shape {tuple(images.shape[1:])} (channels first), but "
                f"{type(self).__name__} was fitted on images of shape {self.input_shape_}."
                + channels_advice(images.shape[1], self.input_shape_[0])
            )
