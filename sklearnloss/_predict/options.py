"""How files are predicted, and what is written."""

from __future__ import annotations

import dataclasses
import importlib.util
import numbers
from pathlib import PurePath
from typing import Any

from .._files.formats import PICTURES, suffix
from .._utils.text import did_you_mean
from .decide import check_threshold
from .model import Model
from .tiles import check_tile

FORMATS = ("png", "tiff", "npy")
# Pictures whose masks are PNG files, and kinds of files that are written as they are.
_FLAT = PICTURES - {".tif", ".tiff"}
_LIKE = {".npy": ".npy", ".npz": ".npy", ".nii": ".nii.gz", ".nii.gz": ".nii.gz"}
_TTA = ("flip", "mirror")


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of :func:`sklearnloss.predict_files` that change what is written.

    Attributes
    ----------
    probabilities, overlays, instances : bool
        What is written besides masks.
    border : int or None
        The label of borders between objects.
    min_size : int
        Least number of pixels of an object.
    threshold, tta, tile, format
        As in :func:`sklearnloss.predict_files`.
    """

    probabilities: bool = False
    overlays: bool = False
    instances: bool = False
    border: Any = None
    min_size: int = 0
    threshold: Any = None
    tta: str | None = None
    tile: Any = None
    format: str | None = None

    def checked(self, model: Model) -> Options:
        """Return the options with the model's threshold and border, if none are given.

        Raises
        ------
        ValueError
            If an option is not valid, or does not fit the model.
        ImportError
            If numbers for objects are asked for without scipy.
        """
        self._check_choice("format", self.format, FORMATS)
        self._check_choice("tta", self.tta, _TTA)
        self._check_numbers(model)
        if model.task == "classification":
            wanted = [n for n in ("probabilities", "overlays", "instances") if getattr(self, n)]
            if wanted:
                raise ValueError(
                    f"{wanted[0]}=True is for masks, but this model predicts a label per image. "
                    f"labels.csv has its probabilities."
                )
        if self.instances and importlib.util.find_spec("scipy") is None:
            raise ImportError("instances=True (--instances) needs scipy: pip install scipy")
        threshold = model.threshold if self.threshold is None else self.threshold
        threshold = check_threshold(threshold, model.classes, multilabel=model.multilabel)
        tile = self.tile
        if tile is not None:
            tile = [int(side) for side in tile] if isinstance(tile, tuple | list) else int(tile)
        return dataclasses.replace(
            self,
            threshold=threshold,
            border=self._border(model),
            min_size=int(self.min_size),
            tile=tile,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the options by name."""
        return dataclasses.asdict(self)

    def ending(self, name: PurePath, classes: list[Any], *, multilabel: bool) -> dict[str, str]:
        """Return the ending of each file that is written for an image.

        Masks are PNG files if the image is a picture other than a TIFF file and their labels
        are of 8 bits, NIfTI and .npy files if the image is one, and otherwise TIFF files.
        """
        end = suffix(name)
        like = _LIKE.get(end, ".tif")
        if self.format is not None:
            like = {"png": ".tif", "tiff": ".tif", "npy": ".npy"}[self.format]
        mask = like
        small = not multilabel and all(0 <= float(label) <= 255 for label in classes)
        if self.format == "png" or (self.format is None and small and end in _FLAT):
            mask = ".png"
        endings = {"mask": mask}
        if self.probabilities:
            endings["probabilities"] = like
        if self.instances:
            endings["objects"] = ".png" if self.format == "png" else like
        if self.overlays:
            endings["overlays"] = ".png"
        return endings

    def _check_choice(self, name: str, value: Any, choices: tuple[str, ...]) -> None:
        if value is not None and value not in choices:
            raise ValueError(
                f"{name}={value!r}: expected {', '.join(map(repr, choices))} or None."
                + (did_you_mean(value, choices) if isinstance(value, str) else "")
            )

    def _check_numbers(self, model: Model) -> None:
        if not isinstance(self.min_size, numbers.Integral) or self.min_size < 0:
            raise ValueError(f"min_size={self.min_size!r}: expected a number of pixels, 0 or more.")
        if self.min_size and not self.instances:
            raise ValueError(
                f"min_size={self.min_size} is for objects: also set instances=True (--instances)."
            )
        if self.tile is not None:
            check_tile(self.tile, model.n_axes)
        if self.format == "png" and model.task == "segmentation":
            what = "volumes" if model.n_axes == 3 else "masks with several labels per pixel"
            if model.n_axes == 3 or model.multilabel:
                raise ValueError(f"format='png' cannot hold {what}. Expected 'tiff' or 'npy'.")

    def _border(self, model: Model) -> Any:
        """Return the label of borders, None if there are none."""
        if self.border is None:
            trained = model.reader.masks == "border" and len(model.classes) == 3
            return model.classes[2] if trained and self.instances else None
        if not self.instances:
            raise ValueError(
                f"border={self.border!r} separates objects: also set instances=True (--instances)."
            )
        if model.multilabel or self.border not in model.classes[1:]:
            raise ValueError(
                f"border={self.border!r} is not the label of a border. Expected one of "
                f"{model.classes[1:]}, of a model with one label per pixel."
            )
        return model.classes[model.classes.index(self.border)]
