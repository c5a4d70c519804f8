"""The panels of a figure of masks, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.text import did_you_mean
from .panels import Palette, label_colors
from .planes import Row, as_picture, channel_codes, mask_codes, mean_dice, plane

Array = NDArray[Any]
PANELS = ("image", "truth", "prediction", "errors")


class MaskViews:
    """The contents of a mask display, as rows and colors to draw."""

    images: Sequence[Array]
    y_true: Sequence[Array] | None
    y_pred: Sequence[Array]
    labels: Array
    display_labels: list[str]
    indices: Sequence[int]
    ignore_index: int | None
    multilabel: bool
    include_background: bool
    dice: Array | None

    @property
    def _foreground(self) -> Array:
        """The labels that have colors and scores."""
        return self.labels if self.include_background else self.labels[1:]

    def _views(self, panels: str | Sequence[str] | None) -> list[str]:
        possible = PANELS if self.y_true is not None else ("image", "prediction")
        views = [panels] if isinstance(panels, str) else list(panels or possible)
        for view in views:
            if view not in PANELS:
                raise ValueError(
                    f"panels={panels!r}: expected some of {', '.join(map(repr, PANELS))}."
                    + did_you_mean(str(view), PANELS)
                )
            if view not in possible:
                raise ValueError(f"The panel {view!r} needs true masks, but there are none.")
        return views

    def _palette(self, alpha: float, colors: Sequence[Any] | None) -> Palette:
        names = self.display_labels[len(self.labels) - len(self._foreground) :]
        if colors is None:
            colors = label_colors(len(names))
        if len(colors) != len(names):
            raise ValueError(
                f"colors has {len(colors)} colors, expected {len(names)}, for: {', '.join(names)}."
            )
        background = "" if self.include_background else "".join(self.display_labels[:1])
        return Palette(colors, names, background, alpha)

    def _rows(self, label: Any, slice_index: int | None) -> list[Row]:
        """Return the rows to draw: images, or labels of images."""
        columns = list(range(len(self._foreground)))
        if label is not None:
            columns = [k for k in columns if self._foreground[k] == label]
            if not columns:
                raise ValueError(f"label={label!r}: expected one of {self._foreground.tolist()}.")
        sets = [[k] for k in columns] if self.multilabel else [columns]
        numbers = range(len(self.images))
        return [self._row(k, shown, slice_index) for k in numbers for shown in sets]

    def _row(self, k: int, shown: list[int], slice_index: int | None) -> Row:
        image, title = self.images[k], f"image {self.indices[k]}"
        if self.multilabel:
            title = f"{title}, {self.display_labels[shown[0]]}"

        def codes(mask: Array, ignore: int | None) -> Array:
            mask = plane(mask, image.ndim - 1, slice_index)
            if self.multilabel:
                return channel_codes(mask, shown[0], ignore)
            return mask_codes(mask, self._foreground, ignore)

        return Row(
            as_picture(plane(image, image.ndim - 1, slice_index)),
            None if self.y_true is None else codes(self.y_true[k], self.ignore_index),
            codes(self.y_pred[k], None),
            [column + 1 for column in shown],
            title,
            np.nan if self.dice is None else mean_dice(self.dice[k][shown]),
        )
