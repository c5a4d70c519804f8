"""The temperature by which scores are divided so that probabilities fit held-out data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from torch import Tensor
from torch.nn import functional as F

from .probability_counts import Block

Array = NDArray[Any]

LOWEST, HIGHEST = 0.01, 100.0
_N_POINTS = 17


def best_temperature(blocks: Callable[[], Iterable[Block]], *, binary: bool) -> float:
    r"""Return the temperature T with the lowest log loss. ::

        L(b) = sum_i w_i [log sum_k exp(b u_ik) - b u_iy],   b = 1 / T

    L is convex in b. Its first two derivatives are computed at 17 values of b in one pass over
    the data, then at 17 values in the interval in which the first one changes its sign. The
    root of their interpolation is correct to about eight digits.

    Parameters
    ----------
    blocks : callable
        Returns an iterator over all blocks of scores, in float64 or float32; called twice.
    binary : bool
        Whether each score is that of a label against its absence, for a sigmoid.

    Returns
    -------
    temperature : float
        From .01 to 100. A warning is given at the ends, where the loss has no minimum.
    """
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(2):
        points = np.geomspace(low, high, _N_POINTS)
        slope, curvature = _derivatives(blocks(), points, binary=binary)
        if slope[-1] <= 0 or slope[0] >= 0:
            return _without_minimum(sharp=bool(slope[-1] <= 0 and slope[0] < 0))
        after = int((slope > 0).argmax())
        low, high = points[after - 1], points[after]
    roots = CubicHermiteSpline(
        [low, high], slope[[after - 1, after]], curvature[[after - 1, after]]
    ).roots(extrapolate=False)
    inside = roots[(roots >= low) & (roots <= high)]
    return float(1 / (inside[0] if len(inside) else high))


def _without_minimum(*, sharp: bool) -> float:
    """Return the end of the range that is best, with a warning."""
    if sharp:
        found, why = LOWEST, "the scores separate the classes of this data without an error"
    else:
        found, why = HIGHEST, "the scores say less about this data than no scores at all"
    warnings.warn(
        f"No temperature has the lowest log loss: {why}. temperature_ is set to {found:g}, the end "
        f"of its range. Pass more held-out images, none of which the network was trained on.",
        UserWarning,
        stacklevel=4,
    )
    return found


def _derivatives(blocks: Iterable[Block], points: Array, *, binary: bool) -> tuple[Array, Array]:
    """Return the first and the second derivative of the log loss at several values of b."""
    total = torch.zeros(2, len(points), dtype=torch.float64)
    for block in blocks:
        scores, codes, weight = _kept(block, binary=binary)
        of_truth = scores[0] * codes if binary else scores.gather(0, codes[None])[0]
        for k, b in enumerate(points.tolist()):
            if binary:
                p = torch.sigmoid(b * scores[0])
                mean, variance = p * scores[0], p * (1 - p) * scores[0].square()
            else:
                p = F.softmax(b * scores, 0)
                mean = (p * scores).sum(0)
                variance = (p * (scores - mean).square()).sum(0)
            total[0, k] += (weight * (mean - of_truth)).sum()
            total[1, k] += (weight * variance).sum()
    slope, curvature = total.numpy()
    return slope, curvature


def _kept(block: Block, *, binary: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return scores (n_classes or 1, n), codes (n,) and weights (n,) of pixels that count."""
    n_classes = len(block.values)
    codes = torch.from_numpy(np.ascontiguousarray(block.codes)).long()
    scores = torch.from_numpy(np.ascontiguousarray(block.values)).double()
    weight = torch.from_numpy(np.broadcast_to(block.weight, block.codes.shape).astype(float))
    if binary:
        kept = codes <= 1
        return scores.reshape(codes.shape)[kept][None], codes[kept], weight[kept]
    kept = (codes >= 0) & (codes < n_classes)
    return scores[:, kept], codes[kept], weight[kept]
