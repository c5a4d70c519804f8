"""Soft counts in numpy, for formulas written down a second time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .cases import Case


class Counts(NamedTuple):
    """Soft counts of each sample and class, shape (n, C), in float64."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray


def maps(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return p and t of shape (n, C, pixels)."""
    z = case.logits.detach().numpy()
    n, n_classes = z.shape[:2]
    z = z.reshape(n, n_classes, -1)
    if n_classes == 1:
        return 1 / (1 + np.exp(-z)), case.target.numpy().reshape(z.shape).astype(float)
    e = np.exp(z - z.max(1, keepdims=True))
    t = np.moveaxis(np.eye(n_classes)[case.target.numpy().reshape(n, -1)], -1, 1)
    return e / e.sum(1, keepdims=True), t


def counts(case: Case) -> Counts:
    """Count softly."""
    p, t = maps(case)
    return Counts(
        (p * t).sum(2), (p * (1 - t)).sum(2), ((1 - p) * t).sum(2), ((1 - p) * (1 - t)).sum(2)
    )
