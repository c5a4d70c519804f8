"""Masks to score, and MONAI's view of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

#: MONAI 1.6 calls itself with an argument that it has deprecated.
monai_warns = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")


def blobs(seed: int, shape: tuple[int, ...], n_classes: int = 3) -> np.ndarray:
    """Return smooth random masks (n, *spatial)."""
    noise = np.random.default_rng(seed).normal(size=(n_classes, *shape))
    smooth = [gaussian_filter(x, (0, *[1.5] * (len(shape) - 1))) for x in noise]
    masks: np.ndarray = np.argmax(smooth, axis=0)
    return masks


def pair(shape: tuple[int, ...], n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return true masks and predictions that resemble them."""
    true, other = blobs(0, shape, n_classes), blobs(1, shape, n_classes)
    return true, np.where(blobs(2, shape, 4) == 0, other, true)


def one_hot(masks: np.ndarray, n_classes: int = 3) -> torch.Tensor:
    """Return (n, n_classes, *spatial) as MONAI wants it."""
    return torch.from_numpy(np.stack([masks == k for k in range(n_classes)], axis=1)).float()


def empty_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return masks of 3 x 4 pixels where label 1 is absent, missed, and found."""
    true, pred = np.zeros((2, 3, 3, 4), int)
    true[1, 1, 1] = true[2, 1, 1] = pred[2, 1, 1] = 1
    return true, pred


def same(a: Any, b: Any) -> None:
    """Compare in the float32 of MONAI."""
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
