"""The small pictures of the page "Which loss?", one for each problem.

python docs/draw_problems.py          # names the pictures and their sizes
python docs/draw_problems.py --write  # draws them into docs/images/problems

They have a background of their own, so that they look the same on light and dark pages.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, Polygon, Rectangle
from PIL import Image

FOLDER = Path(__file__).parent / "images" / "problems"
GROUND, PALE, OBJECT, OTHER = "#1f2d3a", "#3d5468", "#9cc7ea", "#7fd1ae"
MISSED, FALSE, TRUTH = "#ffd54a", "#ff8a4c", "#ffffff"
WIDTH, HEIGHT = 16, 9

Draw = Callable[[Axes], None]


def thin(ax: Axes) -> None:
    """A vessel that branches; a part of it is missed, so that it is cut."""
    trunk = [(0, 2), (3, 3.2), (6, 3.4), (9, 5), (12, 5.3), (16, 7.6)]
    branches = [
        [(3, 3.2), (5, 6), (8, 7.4), (10, 9)],
        [(6, 3.4), (8, 2), (11, 1.8), (13, 0)],
        [(12, 5.3), (14, 4), (16, 3.6)],
        [(5, 6), (3.6, 9)],
    ]
    _line(ax, trunk, OBJECT, 5)
    for branch in branches:
        _line(ax, branch, OBJECT, 2.5)
    _line(ax, [(9.9, 5.12), (11.3, 5.26)], GROUND, 7)
    _line(ax, [(9.9, 5.12), (11.3, 5.26)], MISSED, 2.5, dashed=True)


def small(ax: Axes) -> None:
    """Three tiny objects in a large organ."""
    ax.add_patch(Ellipse((8, 4.5), 13.5, 7.6, color=PALE))
    for x, y, radius in ((4.6, 5.6, 0.42), (9.4, 3.1, 0.34), (11.8, 5.7, 0.26)):
        ax.add_patch(Circle((x, y), radius, color=MISSED))


def touching(ax: Axes) -> None:
    """Cells that touch, with the border between them."""
    cells = [((4.4, 5.2), 5.2, 5.0, 20), ((8.4, 3.6), 4.6, 5.4, -30), ((12, 5.4), 4.8, 4.8, 10)]
    for center, width, height, angle in cells:
        ax.add_patch(
            Ellipse(center, width, height, angle=angle, facecolor=OBJECT, edgecolor=FALSE, lw=3.5)
        )


def noisy(ax: Axes) -> None:
    """An object, and an outline that misses a part of it and holds what is none."""
    ax.add_patch(Ellipse((7.2, 4.6), 7.6, 5.4, angle=15, color=OBJECT))
    angles = np.linspace(0, 2 * np.pi, 73)[:-1]
    radii = 1 + 0.12 * np.sin(3 * angles) + 0.1 * np.cos(5 * angles + 1)
    points = np.column_stack(
        [9.2 + 3.9 * radii * np.cos(angles), 4.4 + 2.7 * radii * np.sin(angles)]
    )
    ax.add_patch(Polygon(points, fill=False, edgecolor=FALSE, lw=3, ls=(0, (3, 1.4))))


def empty(ax: Axes) -> None:
    """Three images, of which only one holds the object."""
    for x in (0.9, 5.9, 10.9):
        ax.add_patch(Rectangle((x, 2.1), 4.2, 4.8, facecolor=PALE, edgecolor="#6d8496", lw=1.5))
    ax.add_patch(Circle((8.4, 4.2), 1.1, color=OBJECT))


def tail(ax: Axes) -> None:
    """Numbers of images per class: a few common classes and many rare ones."""
    for k, height in enumerate((7, 4.6, 3, 2, 1.4, 1, 0.7, 0.5, 0.4, 0.3)):
        color = OBJECT if k < 4 else MISSED
        ax.add_patch(Rectangle((1.2 + 1.4 * k, 1), 1.0, height, color=color))


def blurred(ax: Axes) -> None:
    """An object whose border is a wide gradient, and two possible outlines."""
    steps = mpl.colors.LinearSegmentedColormap.from_list("", [GROUND, OBJECT])
    for k, scale in enumerate(np.linspace(1.15, 0.55, 9)):
        ax.add_patch(Ellipse((8, 4.5), 10 * scale, 6.6 * scale, color=steps((k + 1) / 9)))
    for scale, color in ((0.98, TRUTH), (0.72, FALSE)):
        ax.add_patch(
            Ellipse((8, 4.5), 10 * scale, 6.6 * scale, fill=False, ec=color, lw=2.5, ls=(0, (3, 2)))
        )


def several(ax: Axes) -> None:
    """Two labels that overlap."""
    ax.add_patch(Ellipse((6.2, 4.8), 8, 6, color=OBJECT, alpha=0.75))
    ax.add_patch(Ellipse((10.2, 4.1), 7, 5.4, color=FALSE, alpha=0.65))


def misses(ax: Axes) -> None:
    """A pair of scales on which one miss outweighs several false alarms."""
    ax.plot([8, 8], [1.2, 6], color=TRUTH, lw=3)
    ax.plot([5.6, 10.4], [1.2, 1.2], color=TRUTH, lw=3)
    ax.plot([3, 13], [5.2, 6.8], color=TRUTH, lw=3, solid_capstyle="round")
    ax.add_patch(Circle((3, 3.75), 1.45, color=MISSED))
    ax.text(3, 3.72, "miss", ha="center", va="center", fontsize=15, weight="bold", color=GROUND)
    for x in (11.6, 12.75, 13.9):
        ax.add_patch(Circle((x, 6.1), 0.5, color=FALSE))
    ax.text(12.5, 4.2, "false alarms", ha="center", va="center", fontsize=16, color=FALSE)


def calibrated(ax: Axes) -> None:
    """A reliability diagram of a model that is too sure."""
    x = np.linspace(0, 1, 40)
    ax.plot([3.5, 3.5, 12.5], [8.2, 1.2, 1.2], color="#8fa3b3", lw=2)
    ax.plot(3.5 + 9 * x, 1.2 + 7 * x, color=TRUTH, lw=2, ls=(0, (4, 2)))
    ax.plot(3.5 + 9 * x, 1.2 + 7 * (0.16 + 0.68 * x**1.35), color=FALSE, lw=4)
    ax.text(
        2.85, 4.7, "frequency", rotation=90, ha="center", va="center", fontsize=15, color=PALE_TEXT
    )
    ax.text(8, 0.5, "probability", ha="center", va="center", fontsize=15, color=PALE_TEXT)


def imbalance(ax: Axes) -> None:
    """Fifty images of a common class, four of a rare one."""
    rare = {9, 25, 38, 47}
    for k in range(50):
        row, column = divmod(k, 10)
        color = MISSED if k in rare else PALE
        ax.add_patch(Rectangle((1.7 + 1.28 * column, 1.45 + 1.28 * row), 0.96, 0.96, color=color))


def unknown(ax: Axes) -> None:
    """A question mark."""
    for x, y, w, h, angle in (
        (3.6, 5.4, 4.4, 3.4, 20),
        (12.4, 5.6, 4.2, 4.6, -20),
        (8, 2, 5, 2, 0),
    ):
        ax.add_patch(Ellipse((x, y), w, h, angle=angle, color=PALE))
    ax.text(8, 4.6, "?", ha="center", va="center", fontsize=52, weight="bold", color=OBJECT)


PALE_TEXT = "#b9c7d3"
PROBLEMS: dict[str, Draw] = {
    "thin": thin,
    "small": small,
    "touching": touching,
    "noisy": noisy,
    "empty": empty,
    "tail": tail,
    "blurred": blurred,
    "several": several,
    "misses": misses,
    "calibrated": calibrated,
    "imbalance": imbalance,
    "unknown": unknown,
}


def _line(
    ax: Axes, points: list[tuple[float, float]], color: str, width: float, *, dashed: bool = False
) -> None:
    x, y = zip(*points, strict=True)
    style = (0, (1.2, 1)) if dashed else "-"
    ax.plot(x, y, color=color, lw=width, ls=style, solid_capstyle="round", solid_joinstyle="round")


def picture(draw: Draw) -> bytes:
    """Return a problem's picture as a PNG file of 480 x 270 pixels."""
    figure = Figure(figsize=(4.8, 2.7), dpi=100, facecolor=GROUND)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    ax.axis("off")
    draw(ax)
    file = BytesIO()
    figure.savefig(file, format="png", facecolor=GROUND)
    small_file = BytesIO()
    Image.open(file).convert("RGB").quantize(64).save(small_file, format="png", optimize=True)
    return small_file.getvalue()


def main(arguments: list[str]) -> None:
    """Draw all pictures, and write them if asked to."""
    for name, draw in PROBLEMS.items():
        content = picture(draw)
        print(f"{name}.png: {len(content)} bytes")
        if "--write" in arguments:
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / f"{name}.png").write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1:])
