"""Curves of a loss and its gradient, in a light and a dark version."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from loss_facts import FACTS
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from sklearnloss.losses import Loss, LossDisplay, get_loss

Array = NDArray[Any]
# Colors of Okabe and Ito for color-blind readers; the last one is lighter on dark paper.
COLORS = {"light": ("#0072B2", "#D55E00", "#009E73"), "dark": ("#56B4E9", "#E69F00", "#3DDBA8")}
INK = {"light": "#333333", "dark": "#d8d8d8"}
N_POINTS = 81


@contextmanager
def style(mode: str) -> Iterator[None]:
    """Draw with colors for light or dark paper, without a background."""
    ink = INK[mode]
    settings: dict[str, Any] = {
        "svg.hashsalt": "losses",
        "savefig.transparent": True,
        "font.size": 11,
        "axes.prop_cycle": mpl.cycler(color=COLORS[mode]),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "grid.color": ink,
    }
    keys = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    with mpl.rc_context({**settings, **dict.fromkeys(keys, ink)}):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, with the same bytes each time."""
    figure.savefig(path, format="svg", metadata={"Date": None})


def draw_curves(name: str, folder: Path) -> None:
    """Draw the curves of a loss."""
    kind = FACTS[name].curve
    losses = configured(name)
    if kind == "weights":
        _draw_weights(name, folder)
        return
    curves = [
        _pixel_curves(losses, target) if kind == "pixel" else _image_curves(losses, kind, target)
        for target in (1.0, 0.0)
    ]
    for mode in ("light", "dark"):
        with style(mode):
            figures = new_figures()
            axes = [figure.axes[0] for figure in figures]
            for display, line in zip(curves, ("-", "--"), strict=True):
                for each in axes:
                    each.set_prop_cycle(color=COLORS[mode])
                display.plot(ax=axes, linestyle=line, linewidth=1.8)
            finish(name, mode, figures, len(losses), folder)


def new_figures() -> list[Figure]:
    """Return a figure for the values and one for the gradients."""
    figures = [Figure(figsize=(4.4, 3.3), layout="constrained") for _ in range(2)]
    for figure in figures:
        figure.subplots()
    return figures


def finish(name: str, mode: str, figures: list[Figure], n_losses: int, folder: Path) -> None:
    """Label the axes and save both figures."""
    for figure, title in zip(figures, ("loss", "gradient"), strict=True):
        axes = figure.axes[0]
        axes.set(title="", ylabel=title)
        axes.grid(alpha=0.18)
        axes.legend().remove()
        lines = axes.lines[:n_losses]
        wide = sum(len(str(line.get_label())) + 6 for line in lines) > 56
        figure.legend(
            handles=lines,
            loc="outside upper center",
            ncols=1 if wide else n_losses,
            fontsize=9,
            columnspacing=1.2,
            handlelength=1.5,
        )
        save(figure, folder / f"{name}-{title}-{mode}.svg")


def configured(name: str) -> dict[str, Loss]:
    """Return the losses that a page draws, by label."""
    fact = FACTS[name]
    if fact.vary is None:
        names = fact.beside or (name,)
        return {each: copy.deepcopy(get_loss(each)) for each in names}  # type: ignore[misc]
    key, values = fact.vary
    found = {}
    for value in values:
        loss = get_loss(name)
        assert isinstance(loss, Loss)
        shown = f"{value:g}" if isinstance(value, (int, float)) else value
        found[f"{key} = {shown}"] = loss.set_params(**fact.fixed, **{key: value})
    return found


def _pixel_curves(losses: dict[str, Loss], target: float) -> LossDisplay:
    from matplotlib.pyplot import close

    display = LossDisplay.from_loss(losses, target=target, n_points=N_POINTS)
    close(display.figure_)
    return display


def small_image(kind: str) -> tuple[Tensor, Tensor, tuple[int, int], tuple[int, int]]:
    """Return logits and mask of a small image, and an object's and a background pixel."""
    mask = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    if kind == "line":
        mask[..., 3:6, :] = 1
        return 4 * (2 * mask - 1), mask, (4, 6), (9, 6)
    mask[..., 2:7, 2:7] = 1
    return 2 * (2 * mask - 1), mask, (4, 4), (10, 10)


def _image_curves(losses: dict[str, Loss], kind: str, target: float) -> LossDisplay:
    z, mask, inside, outside = small_image(kind)
    row, column = inside if target else outside
    logits = torch.linspace(-6, 6, N_POINTS, dtype=torch.float64)
    values, gradients = {}, {}
    for label, loss in losses.items():
        values[label], gradients[label] = _one_pixel(loss, z, mask, (row, column), logits)
    return LossDisplay(logits, values, gradients, target)


def _one_pixel(
    loss: Callable[..., Tensor], z: Tensor, mask: Tensor, pixel: tuple[int, int], logits: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the loss of an image, and its derivative by one pixel, at each of its logits."""
    place = (0, 0, *pixel)
    values, gradients = [], []
    for logit in logits:
        varied = z.clone()
        varied[place] = logit
        varied.requires_grad_()
        value = loss(varied, mask)
        values.append(value.detach())
        gradients.append(torch.autograd.grad(value, varied)[0][place])
    return torch.stack(values), torch.stack(gradients)


def _draw_weights(name: str, folder: Path) -> None:
    weight = np.linspace(-2, 2, N_POINTS)
    curves = {"l1": (np.abs(weight), np.sign(weight)), "l2": (weight**2, 2 * weight)}
    for mode in ("light", "dark"):
        with style(mode):
            figures = new_figures()
            for label, pair in curves.items():
                for figure, values in zip(figures, pair, strict=True):
                    axes = figure.axes[0]
                    axes.plot(weight, values, label=label, linewidth=2.2 if label == name else 1.4)
                    axes.set_xlabel("weight")
            finish(name, mode, figures, len(curves), folder)
