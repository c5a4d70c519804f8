"""Small pictures for reports."""

from __future__ import annotations

import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.tuning._comparison.thumbnails import thumbnails


def test_masked_pixels_have_the_mean_brightness() -> None:
    X = np.stack([np.linspace(0, 1, 100).reshape(10, 10)] * 2)
    X[:, 3, 4] = -9999
    masked = np.ma.masked_equal(X, -9999)
    masked[1] = np.ma.masked
    pictures = thumbnails(UNetSegmenter(), masked, [0, 1])
    assert 120 <= pictures[0][3, 4] <= 135
    assert pictures[0][9, 9] == 255
    assert (pictures[1] == 0).all()
