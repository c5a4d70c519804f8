"""The picture: the masks that each loss predicts, and both comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from ..datasets import load_nuclei
from ..tuning import LossComparison
from ._tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]

COLORS = np.array([[16, 18, 34], [56, 138, 190], [255, 178, 56]]) / 255
INK = "#1d2433"
# A part of the whole image, and the quadrant that it lies in.
CROP, QUADRANT = np.s_[256:386, 0:220], 2


def draw(
    path: Path,
    segmentation: tuple[Task, LossComparison],
    classification: tuple[Task, LossComparison],
    *,
    n_jobs: int,
    seed: int,
) -> None:
    """Write the picture; its masks are predicted by one more fit per loss."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 12), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    above, *below = figure.subfigures(3, 1, height_ratios=[1.7, 1, 1])  # type: ignore[misc]
    above.suptitle(
        "Same network, same data, same seeds: only the loss differs",
        fontsize=15,
        fontweight="bold",
        color=INK,
    )
    _draw_masks(list(above.subplots(2, 4).flat), *segmentation, n_jobs, seed)
    for part, (task, comparison) in zip(below, (segmentation, classification), strict=True):
        part.suptitle(task.title, fontsize=12, color=INK)
        comparison.plot(list(part.subplots(1, 2)))
    figure.savefig(path)


def _draw_masks(
    panels: list[Axes], task: Task, comparison: LossComparison, n_jobs: int, seed: int
) -> None:
    image, _ = load_nuclei(instances=True)
    panels[0].imshow(image[CROP], cmap="gray", vmax=110)
    panels[0].set_title("image", fontsize=12, color=INK)
    panels[1].imshow(COLORS[_assemble(task.y)[CROP]])
    panels[1].set_title("annotation", fontsize=12, color=INK)
    predicted = Parallel(n_jobs)(
        delayed(_predict)(task, comparison.settings_[row["loss"]], seed)
        for row in comparison.table_
    )
    for panel, row, masks in zip(panels[2:], comparison.table_, predicted, strict=True):
        panel.imshow(COLORS[_assemble(masks)[CROP]])
        title = f"{row['loss']}: border Dice {row['mean_border']:.2f}"
        panel.set_title(title, fontsize=12, color=INK)
    for panel in panels:
        panel.set_axis_off()


def _predict(task: Task, settings: dict[str, Any], seed: int) -> Array:
    """Return the masks of all tiles; the quadrant in the picture is held out."""
    train = task.splits["groups"] != QUADRANT
    model = clone(task.estimator).set_params(random_state=seed, **settings)
    masks: Array = model.fit(task.X[train], task.y[train]).predict(task.X)
    return masks


def _assemble(tiles: Array) -> Array:
    """Put the tiles back where they were cut."""
    n = int(np.sqrt(len(tiles)))
    side = tiles.shape[1]
    return tiles.reshape(n, n, side, side).swapaxes(1, 2).reshape(n * side, n * side)
