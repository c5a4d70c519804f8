"""Predictions of images by models that were not trained on them, and scores of their averages."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...estimators._inference.stored_predictions import with_predictions
from .._evaluation.fit_and_score import FoldFit
from .._evaluation.sklearn_private import score
from .selection import Counts, simplest


class Probabilities(Sequence[np.ndarray]):
    """Probabilities of images in half precision, in a file that vanishes with this object.

    Parameters
    ----------
    images : sequence of ndarray of shape (n_classes, *spatial)
        The probabilities of each image; sizes may differ.
    folder : str
        Where the file is.
    """

    def __init__(self, images: Sequence[np.ndarray], folder: str) -> None:
        self.shapes = [np.shape(image) for image in images]
        sizes = [math.prod(shape) for shape in self.shapes]
        self.ends = np.cumsum([0, *sizes])
        self._file = _temporary_file(folder)
        total = max(1, int(self.ends[-1]))
        self._values = np.memmap(self._file, np.float16, "w+", shape=(total,))
        for k, image in enumerate(images):
            self._values[self.ends[k] : self.ends[k + 1]] = np.ravel(image)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, k: Any) -> Any:
        return self._values[self.ends[k] : self.ends[k + 1]].reshape(self.shapes[k])

    def close(self) -> None:
        """Give the space on the disk back."""
        del self._values
        self._file.close()


def _temporary_file(folder: str) -> Any:
    """Open a file without a name: in a folder or, if that cannot be written, elsewhere."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()


class OutOfFold:
    """Scores of averages of candidates, on the images that their models were not trained on.

    Parameters
    ----------
    folds : list of FoldFit
        The held-out part of each fold, and how it is scored.
    folder : str
        A folder for temporary files.
    """

    def __init__(self, folds: Sequence[FoldFit], folder: str) -> None:
        self.folds = list(folds)
        self.folder = folder
        self._readers: list[Any] = []  # a model for each fold, which reads masks
        self._known: list[list[Probabilities]] = []  # by candidate and fold
        self._scores: dict[tuple[Counts, int], float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def add(self, models: Sequence[Any]) -> None:
        """Predict with a candidate's models, one for each fold."""
        self._known.append(
            [
                Probabilities(model.predict_proba(fold.X), self.folder)
                for model, fold in zip(models, self.folds, strict=True)
            ]
        )
        self._readers = self._readers or list(models)

    def fold_score(self, counts: Counts, fold: int) -> float:
        """Return the score of averaged candidates on one fold.

        Parameters
        ----------
        counts : tuple of int
            How often each candidate is in the average.
        fold : int
            The fold.
        """
        key = simplest(counts), fold
        if key not in self._scores:
            model = with_predictions(self._readers[fold], list(self._averages(*key)))
            value = self.score_model(model, fold)
            # An average whose score is undefined is not chosen.
            self._scores[key] = value if math.isfinite(value) else -math.inf
        return self._scores[key]

    def score_model(self, model: Any, fold: int) -> float:
        """Return the score of a model on the held-out images of a fold."""
        part = self.folds[fold]
        return float(score(model, part.X, part.y, part.data.scorer, part.score_params, "raise"))

    def _averages(self, counts: Counts, fold: int) -> Iterator[np.ndarray]:
        chosen = [(count, self._known[k][fold]) for k, count in enumerate(counts) if count]
        total = sum(counts)
        for images in zip(*(each for _, each in chosen), strict=True):
            parts = zip(chosen, images, strict=True)
            mean = sum(count / total * image.astype(np.float32) for (count, _), image in parts)
            yield np.asarray(mean)

    def close(self) -> None:
        """Give the space on the disk back."""
        for candidate in self._known:
            for each in candidate:
                with contextlib.suppress(OSError):
                    each.close()
