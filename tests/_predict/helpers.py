"""A model that needs no training, and folders of images."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from sklearnloss._files import FileReader
from sklearnloss._predict.inputs import find_inputs
from sklearnloss._predict.options import Options
from sklearnloss._predict.results import Predictions
from sklearnloss._predict.run import OpenModel, run


def nothing() -> None:
    """Do nothing."""


class BrightModel:
    """A model of one channel for which bright pixels are probable, in bands of 5 rows."""

    multilabel = False
    mask_values: list[int] | None = None
    channels: Literal["first", "last"] = "first"
    threshold: float | list[float] | None
    masked_value = 0  # what it takes masked pixels for

    def __init__(
        self,
        classes: tuple[Any, ...] = (0, 1),
        *,
        n_axes: int = 2,
        task: str = "segmentation",
        reader: FileReader | None = None,
        threshold: float | None = None,
        hook: Callable[[], None] = nothing,
    ) -> None:
        self.classes = list(classes)
        self.n_axes = n_axes
        self.n_channels = 1
        self.task: Any = task
        self.reader = reader or FileReader()
        self.threshold = threshold
        self.hook = hook

    def probabilities(
        self, image: Any, *, tile: Any = None, tta: Any = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the share of white, and shares of black for the other classes."""
        self.hook()
        if self.task == "classification":
            yield 0, self._share(np.mean(np.ma.filled(image[:], self.masked_value)))
            return
        for start in range(0, image.shape[1], 5):
            others = [slice(0, length) for length in image.shape[2:]]
            rows = slice(start, min(start + 5, image.shape[1]))
            read = image[(slice(None), rows, *others)][0]
            yield start, self._share(np.ma.filled(read, self.masked_value))

    def _share(self, values: Any) -> np.ndarray:
        p = np.asarray(values, np.float32) / 255
        return np.stack([1 - p, *[p / (len(self.classes) - 1)] * (len(self.classes) - 1)])


def die() -> None:
    """End the process, as when there is not enough memory."""
    os._exit(1)


def opened(model: BrightModel, digest: str = "d") -> OpenModel:
    """Return a model that can be opened in other processes."""
    return OpenModel(model, digest, lambda: pickle.dumps(functools.partial(_reopen, model)))


def _reopen(model: BrightModel, n_threads: int) -> BrightModel:
    return model


def predict(model: Any, files: Any, output: Path | None, **options: Any) -> Predictions:
    """Predict files with a model of the protocol."""
    how = {key: options.pop(key) for key in ("n_jobs", "overwrite", "verbose") if key in options}
    to_run = opened(model, options.pop("digest", "d"))
    return run(to_run, find_inputs(files, output), output, Options(**options), **how)


def picture(seed: int = 0, shape: tuple[int, ...] = (13, 17)) -> np.ndarray:
    """Return random gray levels."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def folder_of(path: Path, *names: str) -> Path:
    """Write different pictures of these names."""
    for seed, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed)).save(path / name)
    return path


def files_in(path: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
