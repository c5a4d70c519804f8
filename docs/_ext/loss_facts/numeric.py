"""The functions that formulas are written with, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x))."""
    return np.logaddexp(0, x)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """Return the softmax over the first axis."""
    powers = np.exp(z - z.max(0))
    return powers / powers.sum(0)


def one_hot(y: Array, n_classes: int) -> Array:
    """Return a mask for each class, (C, H, W)."""
    return (np.arange(n_classes)[:, None, None] == y).astype(float)


def at_label(values: Array, y: Array) -> Array:
    """Return the value of each pixel's class: (C, H, W) -> (H, W)."""
    return np.take_along_axis(values, y[None], 0)[0]


def p_label(z: Array, y: Array) -> Array:
    """Return p_y, the softmax probability of each pixel's class."""
    return at_label(softmax(z), y)


def masks(z: Array, t: Array) -> tuple[Array, Array]:
    """Return probabilities and true masks of shape (C, H, W)."""
    if t.ndim == z.ndim:
        return sigmoid(z), t
    return softmax(z), one_hot(t, len(z))


def counts(z: Array, t: Array) -> tuple[Array, Array, Array]:
    """Return TP, FP and FN of each class."""
    p, t = masks(z, t)
    found = np.minimum(p, t)
    return tuple(each.sum((1, 2)) for each in (found, p - found, t - found))
