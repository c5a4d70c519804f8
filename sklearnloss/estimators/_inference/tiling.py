"""Large images in overlapping tiles, blended on the network's device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..._predict.tiles import blended_bands


class TorchArrays:
    """Scores in tensors, which stay on their device."""

    def zeros(self, scores: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return zeros of the dtype, and on the device, of some scores."""
        return scores.new_zeros(shape)

    def weights(self, weights: np.ndarray, scores: Tensor) -> Tensor:
        """Return weights on the device of the scores."""
        return torch.from_numpy(weights).to(scores.device)

    def copy(self, scores: Tensor) -> Tensor:
        """Return a copy."""
        return scores.clone()


def finish_tiles(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    shape: tuple[int, ...],
    multiple: int,
    finish: Callable[[Tensor], np.ndarray],
) -> np.ndarray:
    """Score an image tile by tile, blend the scores, and finish them in bands.

    Only one band of scores, as high as a tile, is in memory.

    Parameters
    ----------
    score : callable
        Maps (1, C, *spatial) to logits (1, n_channels, *spatial).
    image : Tensor of shape (C, *spatial)
        The image.
    shape : tuple of int
        Shape of the tiles.
    multiple : int
        Tiles start at multiples of this.
    finish : callable
        Maps logits (1, n_channels, *spatial) to an array (1, ..., *spatial), pixel by
        pixel.

    Returns
    -------
    finished : ndarray of shape (1, ..., *spatial)
    """
    height, *_ = spatial = image.shape[1:]
    finished: np.ndarray | None = None
    for start, band in blended_bands(score, image, shape, multiple, TorchArrays()):
        part = finish(band[None])
        lead = part.shape[: part.ndim - len(spatial)]
        if finished is None:
            finished = np.empty((*lead, *spatial), part.dtype)
        rows = slice(start, min(start + band.shape[1], height))
        finished[(*[slice(None)] * len(lead), rows)] = part
    assert finished is not None
    return finished
