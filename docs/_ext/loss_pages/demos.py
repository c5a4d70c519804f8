"""The small fits that pages show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import load_nuclei

Array = NDArray[Any]
RARE, FEW = (3, 5, 8), 20
ERRORS = (
    "Blue: found. Red: false alarm. Yellow: missed. The scores are those of the whole held-out "
    "part."
)


@dataclass(frozen=True)
class Demo:
    """A task on which two losses are compared.

    Attributes
    ----------
    title, text, legend, alt : str
        What the page says about it.
    kind : {"masks", "labels"}
        What is predicted.
    lr : float
        Learning rate.
    epochs : int
        Passes over the training images.
    """

    title: str
    text: str
    kind: str
    lr: float
    legend: str = ""
    alt: str = ""
    epochs: int = 5

    def model(self, loss: str) -> Any:
        """Return the estimator."""
        if self.kind == "labels":
            return ResNetClassifier(
                loss, width=8, max_epochs=self.epochs, lr=self.lr, random_state=0
            )
        return UNetSegmenter(
            loss,
            width=8,
            depth=2,
            batch_size=4,
            max_epochs=self.epochs,
            lr=self.lr,
            random_state=0,
        )


DEMOS = {
    "nuclei": Demo(
        "On one image, in five epochs",
        "A microscopy image of cell nuclei (`load_nuclei(border=False)`). A small U-Net (width 8, "
        "depth 2) learned from 48 tiles of 64 x 64 pixels, three quarters of the image; the "
        "picture is from the fourth.",
        "masks",
        1e-2,
        ERRORS,
    ),
    "border": Demo(
        "With a rare class, in five epochs",
        "The same image with a third class, a rim of one pixel inside each nucleus, which 4 % of "
        "the pixels belong to (`load_nuclei()`). The network is the same.",
        "masks",
        1e-2,
        "Truth and masks: green is nucleus, pink is rim. The scores are those of the whole "
        "held-out part.",
    ),
    "strokes": Demo(
        "On thin lines, in five epochs",
        "Generated images of branching lines, one to three pixels wide, in noise. A small U-Net "
        "(width 8, depth 2) learned from 48 images of 64 x 64 pixels; the picture shows four "
        "others. Pieces are connected parts of the predicted masks: the closer to the truth, the "
        "fewer gaps and specks.",
        "masks",
        1e-2,
        ERRORS,
    ),
    "weights": Demo(
        "On one image, in five epochs",
        "A microscopy image of cell nuclei (`load_nuclei(border=False)`), with and without the "
        "penalty. A small U-Net (width 8, depth 2) learned from 48 tiles of 64 x 64 pixels. Small "
        "weights are those below 0.01.",
        "masks",
        1e-2,
        ERRORS,
    ),
    "rare": Demo(
        "On rare classes, in five epochs",
        "scikit-learn's digits with 20 training images each of 3, 5 and 8 and 100 of each other "
        "digit, a ResNet of width 8. Accuracy per digit on images that were not used for training:",
        "labels",
        5e-3,
        alt="Accuracy per digit, with cross entropy and with this loss",
    ),
    "noisy": Demo(
        "With wrong labels, in ten epochs",
        "scikit-learn's digits; 40 % of the training labels were replaced by random digits. A "
        "ResNet of width 8 begins to memorize them in ten epochs. Accuracy per digit on "
        "images that were not used for training, with their true labels:",
        "labels",
        5e-3,
        alt="Accuracy per digit, with cross entropy and with this loss",
        epochs=10,
    ),
}


def rival(name: str) -> str:
    """Return the loss that a page compares its loss with."""
    return "dice" if name == "cross_entropy" else "cross_entropy"


@cache
def data(demo: str) -> tuple[Array, Array, Array, Array]:
    """Return training images and targets, and held-out ones."""
    if demo in ("rare", "noisy"):
        return _digits(demo)
    if demo == "strokes":
        X, y = _strokes(64)
        return X[:48], y[:48], X[48:], y[48:]
    X, y, groups = load_nuclei(border=demo == "border")
    return X[groups < 3], y[groups < 3], X[groups == 3], y[groups == 3]


def _digits(demo: str) -> tuple[Array, Array, Array, Array]:
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8).astype(np.uint8)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))
    train: list[int] = []
    for digit in range(10):
        few = FEW if demo == "rare" and digit in RARE else 100
        train += order[y[order] == digit][:few].tolist()
    rest = np.setdiff1d(order, train)
    targets = y[train].copy()
    if demo == "noisy":
        wrong = rng.random(len(train)) < 0.4
        targets[wrong] = rng.integers(10, size=wrong.sum())
    return X[train], targets, X[rest], y[rest]


def _strokes(n_images: int, size: int = 64) -> tuple[Array, Array]:
    """Draw branching random walks of varying width and contrast, in noise."""
    rng = np.random.default_rng(0)
    masks = np.zeros((n_images, size, size), dtype=np.uint8)
    contrast = np.zeros((n_images, size, size), dtype=np.float32)
    for mask, bright in zip(masks, contrast, strict=True):
        for _ in range(3):
            place, angle = rng.uniform(0.1, 0.9, 2) * size, rng.uniform(0, 2 * np.pi)
            width = rng.integers(1, 4)
            for step in range(70):
                angle += rng.normal() * 0.25
                place = place + np.array([np.sin(angle), np.cos(angle)])
                row, column = place.astype(int)
                if not (0 <= row < size and 0 <= column < size):
                    break
                where = np.s_[row : row + width, column : column + width]
                mask[where] = 1
                bright[where] = 0.65 + 0.35 * np.sin(step / 6)
    noise = rng.normal(size=contrast.shape) * 0.25
    X = gaussian_filter(contrast, (0, 0.6, 0.6)) + noise
    return X.astype(np.float32), masks
