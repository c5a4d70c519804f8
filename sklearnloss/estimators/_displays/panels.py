"""Masks as pictures: the color of each pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .planes import Row
from .style import COLORS

Array = NDArray[Any]

# Colors that differ in hue and in lightness, also for color-blind readers.
FOUND, FALSE, MISSED = "#56B4E9", "#D55E00", "#F0E442"
BACKGROUND, NEUTRAL = "#FFFFFF", "#808080"


class Key(NamedTuple):
    """An entry of the legend."""

    color: Any
    alpha: float
    name: str


class Palette:
    """Colors of labels and of errors.

    Parameters
    ----------
    colors : sequence of matplotlib colors
        Colors of the labels.
    names : sequence of str
        Names of the labels, for the legend.
    background : str
        Name of the background.
    alpha : float
        Opacity of labels, in [0, 1].
    """

    def __init__(
        self, colors: Sequence[Any], names: Sequence[str], background: str, alpha: float
    ) -> None:
        self.labels = [Key(color, alpha, name) for color, name in zip(colors, names, strict=True)]
        strong = min(1.0, 1.7 * alpha)
        self.outcomes = [
            Key(FOUND, 0.8 * alpha, "true positive"),
            Key(FALSE, strong, "false positive"),
            Key(MISSED, strong, "false negative"),
        ]
        self.wrong = [Key(BACKGROUND, strong, background)] + [
            Key(color, strong, name) for color, _, name in self.labels
        ]
        self.ignored = Key(NEUTRAL, strong, "ignored")

    def paint(self, panel: str, row: Row) -> tuple[Array, set[str]]:
        """Return the overlay of an image, and the names of its colors.

        Parameters
        ----------
        panel : {"image", "truth", "prediction", "errors"}
            The panel to draw.
        row : Row
            The image.

        Returns
        -------
        overlay : ndarray of shape (H, W, 4)
            Colors and opacities in [0, 1].
        names : set of str
            Names of the colors that may occur in it.
        """
        codes, keys = self._codes(panel, row)
        names = {
            key.name for k, key in enumerate(keys, 1) if keys is not self.labels or k in row.shown
        }
        if panel in ("truth", "errors") and row.truth is not None:
            ignored = row.truth == len(self.labels) + 1
            if ignored.any():
                codes = np.where(ignored, len(keys) + 1, codes)
                keys = [*keys, self.ignored]
                names.add(self.ignored.name)
        table = np.array([(0, 0, 0, 0), *(_rgba(key) for key in keys)])
        return table[codes], names

    def legend(self, names: set[str]) -> list[Key]:
        """Return the legend entries with the given names."""
        known = [*self.labels, *self.outcomes, self.wrong[0], self.ignored]
        return [key for key in known if key.name and key.name in names]

    def _codes(self, panel: str, row: Row) -> tuple[Array, list[Key]]:
        """Return, for each pixel, 0 or the number of its legend entry."""
        if panel == "image":
            return np.zeros(row.prediction.shape, dtype=int), []
        if panel == "errors" and row.is_binary:
            true, found = row.truth == row.shown[0], row.prediction == row.shown[0]
            return np.select([true & found, found & ~true, true & ~found], [1, 2, 3]), self.outcomes
        if panel == "errors":
            assert row.truth is not None
            wrong = row.truth != row.prediction
            return np.where(wrong, row.truth + 1, 0), self.wrong
        codes = row.truth if panel == "truth" else row.prediction
        assert codes is not None
        return np.where(np.isin(codes, row.shown), codes, 0), self.labels


def label_colors(n: int) -> Sequence[Any]:
    """Return colors of n labels, from a color map if there are too many to distinguish."""
    order = (2, 3, 1, 0, 4, 6, 5)  # colors of errors last
    if n <= len(order):
        return [COLORS[k] for k in order[:n]]
    import matplotlib as mpl

    return list(mpl.colormaps["viridis"](np.linspace(0.1, 1, n)))


def _rgba(key: Key) -> Iterable[float]:
    from matplotlib.colors import to_rgba

    return to_rgba(key.color, key.alpha)
