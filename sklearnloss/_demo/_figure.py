"""The picture: what each loss paints, and how it scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import load_nuclei
from ._evaluate import Evaluation
from ._table import BASELINE, ranking, top_group
from ._tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]

COLORS = np.array([[16, 18, 34], [56, 138, 190], [255, 178, 56]]) / 255
LEADER, OTHER, INK = "#d9822b", "#7d8ca3", "#1d2433"
CROP = np.s_[256:386, 0:220]


def draw(
    path: Path, segmentation: tuple[Task, Evaluation], classification: tuple[Task, Evaluation]
) -> None:
    """Write the figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    order = ranking(segmentation[1])
    figure = Figure(figsize=(15, 9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=[1.35, 1])  # type: ignore[misc]
    panels = above.subplots(2, 4).ravel()
    _draw_masks(list(panels), segmentation[0], segmentation[1], order)
    above.suptitle(
        "Same network, same data, same seed: only the loss differs",
        fontsize=15,
        fontweight="bold",
        color=INK,
    )
    below.supxlabel(
        "A dot per held-out fold, a bar at the mean, a dotted line at cross entropy; orange: the "
        "losses that cannot be told from the best",
        fontsize=10,
        color=INK,
    )
    left, middle, right = below.subplots(1, 3)
    _draw_scores(left, *segmentation, title="Nuclei: mean Dice")
    _draw_border(middle, *segmentation)
    _draw_scores(right, *classification, title="Digits: balanced accuracy")
    figure.savefig(path)


def _draw_masks(panels: list[Axes], task: Task, evaluation: Evaluation, order: list[str]) -> None:
    image, _ = load_nuclei(instances=True)
    panels[0].imshow(image[CROP], cmap="gray", vmax=110)
    panels[0].set_title("image", fontsize=12, color=INK)
    panels[1].imshow(COLORS[_assemble(task.y)[CROP]])
    panels[1].set_title("annotation", fontsize=12, color=INK)
    group = top_group(task, evaluation)
    for panel, name in zip(panels[2:], order, strict=False):
        panel.imshow(COLORS[_assemble(evaluation.predictions[name])[CROP]])
        border = evaluation.parts[name][:, 2].mean()
        panel.set_title(
            f"{name}: border Dice {border:.2f}",
            fontsize=12,
            color=LEADER if name in group else INK,
            fontweight="bold" if name in group else "normal",
        )
    for panel in panels:
        panel.set_axis_off()


def _assemble(tiles: Array) -> Array:
    """Put the tiles back where they were cut."""
    n = int(np.sqrt(len(tiles)))
    side = tiles.shape[1]
    return tiles.reshape(n, n, side, side).swapaxes(1, 2).reshape(n * side, n * side)


def _draw_scores(axes: Axes, task: Task, evaluation: Evaluation, title: str) -> None:
    _draw_folds(axes, task, evaluation, evaluation.scores)
    axes.set_title(title, fontsize=12, color=INK, loc="left")


def _draw_border(axes: Axes, task: Task, evaluation: Evaluation) -> None:
    border = {name: parts[:, 2] for name, parts in evaluation.parts.items()}
    _draw_folds(axes, task, evaluation, border)
    axes.set_title("Nuclei: Dice of the rare border", fontsize=12, color=INK, loc="left")


def _draw_folds(axes: Axes, task: Task, evaluation: Evaluation, scores: dict[str, Array]) -> None:
    """A dot per fold, a line at the mean; the best at the top, its group in colour."""
    order, group = ranking(evaluation)[::-1], top_group(task, evaluation)
    for row, name in enumerate(order):
        color = LEADER if name in group else OTHER
        axes.plot(scores[name], np.full(len(scores[name]), row), "o", color=color, alpha=0.55, ms=6)
        axes.plot([scores[name].mean()] * 2, [row - 0.3, row + 0.3], color=color, lw=3)
    axes.axvline(scores[BASELINE].mean(), color=OTHER, lw=1, ls=":", zorder=0)
    axes.set_yticks(range(len(order)), order)
    axes.tick_params(colors=INK, labelsize=10)
    axes.grid(axis="x", color="#e3e7ee", zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
