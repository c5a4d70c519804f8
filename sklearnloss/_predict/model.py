"""What prediction of files needs of a model, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import numpy as np

from .._files import FileReader

Task = Literal["segmentation", "classification"]


class Model(Protocol):
    """A trained model: a fitted estimator, or an ONNX file.

    Attributes
    ----------
    task : {"segmentation", "classification"}
        Whether there is a label per pixel or per image.
    classes : list
        The labels, in the order of the probabilities.
    multilabel : bool
        Whether labels may overlap: one probability per label, each on its own.
    mask_values : list of int or None
        The values in multilabel masks where a label is not, and where it is.
    n_axes : int
        Number of spatial axes.
    n_channels : int
        Number of channels of an image.
    channels : {"first", "last"}
        The position of the channel axis in arrays of files that do not say it.
    reader : FileReader
        How files become images.
    threshold : float, list of float or None
        Probability above which a pixel or image belongs to the second of two classes, or
        to each label; None is .5 or the most probable class.
    """

    task: Task
    classes: list[Any]
    multilabel: bool
    mask_values: list[int] | None
    n_axes: int
    n_channels: int
    channels: Literal["first", "last"]
    reader: FileReader
    threshold: float | list[float] | None

    def probabilities(
        self, image: Any, *, tile: Any = None, tta: Any = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the probabilities of one image in bands along its first spatial axis.

        Parameters
        ----------
        image : ndarray of shape (C, *spatial), or anything with its shape and slices
            The image, possibly a masked array, or a scene of which parts are read.
        tile : int or tuple of int, default=None
            Largest sides of tiles; None is that of the estimator.
        tta : {"flip", "mirror"}, default=None
            Average the scores over mirrored images; None is what the estimator does.

        Yields
        ------
        start : int
            First row of the band.
        band : ndarray of shape (n_classes, rows, ...), or (n_classes,) for a label per image
        """
