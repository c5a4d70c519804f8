"""A fitted estimator as the model that predicts files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from ..._files import FileReader
from ..._predict.tiles import blended_bands, tile_shape
from .._data.arrays import as_image, is_masked
from .._data.rows import ArrayImages
from .._training.torch_settings import usual_torch
from .predict import Scorer
from .tiling import TorchArrays


class FileModel:
    """A fitted estimator, as :class:`sklearnloss._predict.model.Model`.

    Parameters
    ----------
    estimator : ImageSegmenter, UNetSegmenter, ImageClassifier, ResNetClassifier or LossEnsemble
        A fitted estimator.

    Raises
    ------
    TypeError
        If it is something else.
    """

    task: Literal["segmentation", "classification"]
    threshold: float | list[float] | None

    def __init__(self, estimator: Any) -> None:
        estimator = getattr(estimator, "_average", estimator)  # of an ensemble
        if not hasattr(estimator, "_reads_masks"):
            hint = " Pass its last step, model[-1]." if isinstance(estimator, Pipeline) else ""
            raise TypeError(
                f"model is a {type(estimator).__name__}. Expected a fitted estimator of "
                f"sklearnloss, or the path of a .safetensors or .onnx file.{hint}"
            )
        estimator._check_fitted()
        self.estimator = estimator
        self.task = "segmentation" if estimator._reads_masks else "classification"
        self.classes: list[Any] = estimator.classes_.tolist()
        self.multilabel = bool(getattr(estimator, "multilabel", False))
        self.mask_values = estimator.mask_values_.tolist() if self.multilabel else None
        self.n_axes = len(estimator.input_shape_) - 1
        self.n_channels = int(estimator.input_shape_[0])
        self.channels: Literal["first", "last"] = estimator.channels
        self.reader: FileReader = getattr(estimator, "reader", None) or FileReader()
        threshold = estimator.threshold_
        self.threshold = None if threshold is None else np.asarray(threshold).tolist()

    def probabilities(
        self, image: Any, *, tile: Any = None, tta: Any = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the probabilities of one image in bands; see :class:`Model`."""
        model = self.estimator
        scorer = Scorer(model.net_, model.scaling_, model.tta if tta is None else tta)
        scorer.net._set_training(False)
        windows = _Windows(model, image)
        bands = self._logits(scorer, windows, tile or getattr(model, "tile", None))
        while True:
            with usual_torch(), torch.inference_mode():
                found = next(bands, None)
                if found is None:
                    return
                start, logits = found
                band = model._as_probabilities(logits[None])[0]
            yield start, band

    def _logits(self, scorer: Scorer, image: _Windows, tile: Any) -> Iterator[tuple[int, Tensor]]:
        sides = tile or getattr(scorer.network, "only_size", None)
        multiple = scorer.network.multiple
        tiled = self.task == "segmentation"
        shape = tile_shape(sides, image.shape[1:], multiple) if tiled else None
        if shape is None:
            logits = scorer.whole(image[(slice(None),)][None])[0]
            yield 0, logits if tiled else logits.cpu()
        else:
            yield from blended_bands(scorer.tile, image, shape, multiple, TorchArrays())

    def digest(self) -> str:
        """Return a digest of everything that predictions depend on.

        An estimator and the file that it was saved to have the same one.
        """
        model = self.estimator
        found = hashlib.sha256()
        settings = {
            "classes": self.classes,
            "channels": self.channels,
            "tta": model.tta,
            "tile": getattr(model, "tile", None),
            "reader": sorted(self.reader.get_params().items(), key=lambda item: item[0]),
            "threshold": self.threshold,
            "temperature": model.temperature_,
        }
        found.update(repr(settings).encode())
        for name, tensor in sorted(_tensors(model).items()):
            values = tensor.detach().cpu().contiguous()
            found.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
            found.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()


def reopened(estimator: Any, n_threads: int) -> FileModel:
    """Return an estimator as a model in a process that may use a number of threads."""
    torch.set_num_threads(n_threads)
    return FileModel(estimator)


def _tensors(model: Any) -> Mapping[str, Tensor]:
    scaling = {} if model.scaling_ is None else model.scaling_._asdict()
    return {**model.net_.module_.state_dict(), **{f"scaling.{k}": v for k, v in scaling.items()}}


class _Windows:
    """An image (C, *spatial) whose slices are checked tensors, filled where it is masked."""

    def __init__(self, model: Any, image: Any) -> None:
        self.model = model
        self.image = image
        self.shape: tuple[int, ...] = tuple(image.shape)
        model._check_image_shape(torch.empty((1, *self.shape), device="meta"))
        self._units_are_checked = False

    def __getitem__(self, window: tuple[slice, ...]) -> Tensor:
        values = self.image[window]
        tensor = as_image(values, tuple(values.shape), "first", "the image")
        if is_masked(values):
            tensor = self.model._fill(tensor[None])[0]
        if not self._units_are_checked:
            self._check_units(tensor, np.asarray(values).dtype)
        return tensor

    def _check_units(self, tensor: Tensor, dtype: np.dtype[Any]) -> None:
        self.model._check_units(ArrayImages(tensor[None], dtype=str(dtype)))
        self._units_are_checked = True
