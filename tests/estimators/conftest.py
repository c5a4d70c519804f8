from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import make_digit_scenes

Data = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def digits() -> Data:
    """60 digits of three classes, 8 x 8."""
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:60].reshape(-1, 8, 8).astype(np.float32), y[:60]


@pytest.fixture(scope="session")
def scenes() -> Data:
    """12 images of 16 x 16 pixels with masks of three classes."""
    return make_digit_scenes(12, size=16, n_digits=3, classes=(0, 1), random_state=0)


@pytest.fixture(scope="session")
def binary_scenes(scenes: Data) -> Data:
    """The same with masks of two classes."""
    return scenes[0], (scenes[1] > 0).astype(np.uint8)


def classifier(*args: Any, **params: Any) -> ResNetClassifier:
    """Return a classifier that trains in a moment."""
    defaults = {"width": 4, "max_epochs": 1, "batch_size": 16, "random_state": 0}
    return ResNetClassifier(*args, **{**defaults, **params})


def segmenter(*args: Any, **params: Any) -> UNetSegmenter:
    """Return a segmenter that trains in a moment."""
    defaults = {"width": 4, "depth": 2, "max_epochs": 1, "batch_size": 4, "random_state": 0}
    return UNetSegmenter(*args, **{**defaults, **params})
