"""Fits of a loss and of its rival, and pictures of what they predict."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from loss_facts import FACTS
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray
from scipy.ndimage import label as connected
from sklearn.exceptions import ConvergenceWarning

from sklearnloss.estimators._displays.panels import FALSE, FOUND, MISSED
from sklearnloss.estimators._displays.style import COLORS as LABEL_COLORS
from sklearnloss.metrics import dice_score, iou_score

from .curves import COLORS, save, style
from .demos import DEMOS, RARE, data, rival

Array = NDArray[Any]
ZOOM = 3


@cache
def fitted(demo: str, loss: str) -> tuple[Array, Array]:
    """Return held-out predictions, and the weights of the network, of a loss as it is labeled."""
    X, y, new, _ = data(demo)
    name, _, given = loss.partition("(")
    chosen = FACTS[name].shown_with if given else {}
    settings = {f"loss__{key}": value for key, value in chosen.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = DEMOS[demo].model(name).set_params(**settings).fit(X, y)
    weights = [w.detach().numpy().ravel() for w in model.module_.parameters() if w.ndim > 1]
    return model.predict(new), np.concatenate(weights)


def shown_label(name: str) -> str:
    """Return the loss of a page's fits, with its settings if these are not the defaults."""
    fact = FACTS[name]
    settings = ", ".join(f"{key}={value!r}" for key, value in fact.shown_with.items())
    return (fact.shown_as or name) + (f"({settings})" if settings else "")


def draw_demo(name: str, demo: str, folder: Path) -> dict[str, Any]:
    """Fit a loss and its rival, draw both, and return scores and pictures."""
    shown = shown_label(name)
    losses = [rival(name), *(["dice"] if shown.startswith("dice+") else []), shown]
    if DEMOS[demo].kind == "labels":
        _draw_accuracies(name, demo, losses, folder)
    panels = _panels(name, demo, losses, folder) if DEMOS[demo].kind == "masks" else []
    scores = [(loss, _scores(demo, loss)) for loss in losses]
    if demo == "strokes":
        scores.append(("truth", ["1.000", str(_pieces(data(demo)[3])), "0", "0"]))
    return {"panels": panels, "columns": COLUMNS[demo], "scores": scores}


COLUMNS = {
    "nuclei": ["IoU", "false alarms, pixels", "misses, pixels"],
    "border": ["Dice of nuclei", "Dice of rims", "mean IoU"],
    "strokes": ["Dice", "pieces", "false alarms, pixels", "misses, pixels"],
    "weights": ["IoU", "sum of absolute weights", "sum of squares", "small weights"],
    "rare": ["balanced accuracy", "frequent digits", "3, 5 and 8"],
    "noisy": ["accuracy", "best digit", "worst digit"],
}


def _scores(demo: str, loss: str) -> list[str]:
    found, weights = fitted(demo, loss)
    truth = data(demo)[3]
    if DEMOS[demo].kind == "labels":
        rates = accuracies(truth, found)
        rare = np.isin(range(10), RARE)
        if demo == "rare":
            return _digits(rates.mean(), rates[~rare].mean(), rates[rare].mean())
        return _digits((truth == found).mean(), rates.max(), rates.min())
    if demo == "border":
        dice = np.asarray(dice_score(truth, found, average=None, labels=[0, 1, 2]))
        return _digits(dice[1], dice[2], float(iou_score(truth, found)))
    errors = [str(((found == 1) & (truth == 0)).sum()), str(((found == 0) & (truth == 1)).sum())]
    if demo == "strokes":
        return [*_digits(float(dice_score(truth, found))), str(_pieces(found)), *errors]
    if demo == "weights":
        sizes = f"{np.abs(weights).sum():.0f}", f"{(weights**2).sum():.0f}"
        return [*_digits(float(iou_score(truth, found))), *sizes, f"{small(weights):.0%}"]
    return [*_digits(float(iou_score(truth, found))), *errors]


def small(weights: Array) -> float:
    """Return the share of weights below 0.01."""
    return float((np.abs(weights) < 0.01).mean())


def _digits(*numbers: float) -> list[str]:
    return [f"{number:.3f}" for number in numbers]


def _pieces(masks: Array) -> int:
    """Count the connected parts of masks, over corners, too."""
    return sum(int(connected(mask, np.ones((3, 3)))[1]) for mask in masks)


def accuracies(truth: Array, found: Array) -> Array:
    """Return the accuracy of each digit."""
    return np.array([(found[truth == digit] == digit).mean() for digit in range(10)])


def _mosaic(tiles: Array) -> Array:
    """Join 2 x 2 tiles of the held-out quadrant, which has four in a row; else the first four."""
    if len(tiles) == 16 and tiles.shape[1:] == (64, 64):
        chosen = tiles.reshape(4, 4, 64, 64)[1:3, 1:3]
    else:
        chosen = tiles[:4].reshape(2, 2, *tiles.shape[1:])
    joined: Array = chosen.swapaxes(1, 2).reshape(128, 128)
    return joined


def _panels(name: str, demo: str, losses: list[str], folder: Path) -> list[tuple[str, str, str]]:
    """Write the pictures, and return their names, titles and captions."""
    image, truth = _mosaic(data(demo)[2].squeeze()), _mosaic(data(demo)[3])
    low, high = np.percentile(image, (0.5, 99.5))
    gray = np.clip((image - low) / (high - low), 0, 1)[..., None].repeat(3, -1)
    shown = [
        ("image", "image", "held out", gray),
        ("truth", "truth", "true mask", _paint(gray, truth)),
    ]
    for number, loss in enumerate(losses):
        found = _mosaic(fitted(demo, loss)[0])
        picture = _paint(gray, found) if demo == "border" else _errors(gray, truth, found)
        first = COLUMNS[demo][1 if demo == "border" else 0]
        score = _scores(demo, loss)[1 if demo == "border" else 0]
        shown.append((str(number), f"`{loss}`", f"{first} {score}", picture))
    panels = []
    for key, title, caption, picture in shown:
        path = f"{name}-{demo}-{key}.png"
        imsave(folder / path, np.kron(picture, np.ones((ZOOM, ZOOM, 1))))
        panels.append((path, title, caption))
    return panels


def _paint(gray: Array, mask: Array) -> Array:
    """Color the classes of a mask as SegmentationDisplay does."""
    picture = gray.copy()
    for value, color in ((1, LABEL_COLORS[2]), (2, LABEL_COLORS[3])):
        _blend(picture, mask == value, color, 0.55)
    return picture


def _errors(gray: Array, truth: Array, found: Array) -> Array:
    """Color what is found, falsely found and missed."""
    picture = gray.copy()
    _blend(picture, (truth == 1) & (found == 1), FOUND, 0.45)
    _blend(picture, (truth == 0) & (found == 1), FALSE, 0.95)
    _blend(picture, (truth == 1) & (found == 0), MISSED, 0.95)
    return picture


def _blend(picture: Array, where: Array, color: Any, alpha: float) -> None:
    picture[where] = (1 - alpha) * picture[where] + alpha * np.array(to_rgb(color))


def _draw_accuracies(name: str, demo: str, losses: list[str], folder: Path) -> None:
    """Draw the accuracy of each digit, a bar for each loss."""
    truth = data(demo)[3]
    for mode in ("light", "dark"):
        with style(mode):
            figure = Figure(figsize=(6.6, 2.7), layout="constrained")
            axes = figure.subplots()
            width = 0.8 / len(losses)
            for k, loss in enumerate(losses):
                places = np.arange(10) + (k - (len(losses) - 1) / 2) * width
                rates = accuracies(truth, fitted(demo, loss)[0])
                axes.bar(places, rates, width * 0.92, label=loss, color=COLORS[mode][k])
            marks = [f"{digit}\n(rare)" if digit in RARE else str(digit) for digit in range(10)]
            axes.set_xticks(range(10), marks if demo == "rare" else list(map(str, range(10))))
            axes.set(ylim=(0, 1), ylabel="accuracy")
            axes.grid(axis="y", alpha=0.18)
            figure.legend(loc="outside upper center", ncols=len(losses))
            save(figure, folder / f"{name}-{demo}-{mode}.svg")
