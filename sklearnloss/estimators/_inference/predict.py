"""From images to the network's scores and the results computed from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from ..._predict.mirroring import mirrored_axes
from ..._predict.tiles import tile_shape
from ...networks._adapt.interface import as_network
from .._data.arrays import Scaling, to_network
from .._data.lazy import Samples
from .._data.rows import ArrayImages
from .._training.net import LossNet
from .._training.parameters import Mirrored
from .tiling import finish_tiles

Finish = Callable[[Tensor], np.ndarray]

# Pixels of a batch: enough to keep the device busy, and few enough that filling up
# the last batch is cheap.
_BATCH_VALUES = 2**20  # of the first layer's output, on a CPU
_OTHER_BATCH_PIXELS = 2**20
_BATCH_IMAGES = 256


class Scorer:
    """A trained network that scores an image identically whatever else is in its batch.

    The arithmetic of convolutions depends on the size of the batch. Here, that size
    depends only on the network and the size of the images: the last batch is filled
    up.

    Parameters
    ----------
    net : LossNet
        A trained net.
    scaling : Scaling or None
        The scaling of the images.
    tta : {"flip", "mirror"} or None
        Whether to average the scores over images mirrored along all spatial axes,
        or along the last.
    """

    def __init__(self, net: LossNet, scaling: Scaling | None, tta: Mirrored = None) -> None:
        self.net = net
        self.network = as_network(net.module_)
        self.scaling = scaling and scaling.to(net.device)
        self.tta = tta

    def batch_size(self, spatial: Iterable[int]) -> int:
        """Return how many images of a given shape make a batch."""
        pixels = _OTHER_BATCH_PIXELS
        if torch.device(self.net.device).type == "cpu":
            pixels = _BATCH_VALUES // self.network.values_per_pixel
        return min(_BATCH_IMAGES, max(1, pixels // max(1, math.prod(spatial))))

    def whole(self, images: Tensor) -> Tensor:
        """Return the logits of images (n, C, *spatial), one batch at most."""
        missing = self.batch_size(images.shape[2:]) - len(images)
        x = to_network(images, self.scaling, self.net.device)
        if missing > 0:
            x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
        return self._mirrored(x)[: len(images)]

    def tile(self, images: Tensor) -> Tensor:
        """Return the logits of a tile (1, C, *spatial)."""
        return self._mirrored(to_network(images, self.scaling, self.net.device))

    def _mirrored(self, x: Tensor) -> Tensor:
        """Return the mean of the scores over the mirrored images that ``tta`` requests."""
        total: Tensor | None = None
        variants = mirrored_axes(self.tta, x.ndim)
        for axes in variants:
            # A network may change its input.
            view = x.flip(axes) if axes else x.clone() if len(variants) > 1 else x
            logits = self.net.infer(view).float()
            if axes and logits.ndim == x.ndim:  # mirror scores per pixel back
                logits = logits.flip(axes)
            total = logits if total is None else total + logits
        assert total is not None
        return total / len(variants) if len(variants) > 1 else total


@torch.inference_mode()
def predict_images(
    scorer: Scorer,
    images: ArrayImages | Samples,
    finish: Finish,
    *,
    check: Callable[[Tensor], None],
    tiled: bool = False,
    tile: int | tuple[int, ...] | None = None,
) -> np.ndarray:
    """Apply a network to images, and ``finish`` to their scores.

    Parameters
    ----------
    scorer : Scorer
        The network.
    images : ArrayImages of shape (n, C, *spatial), or Samples
        In memory, or to be read.
    finish : callable
        Maps logits on the network's device to an array, image by image; with tiles,
        pixel by pixel.
    check : callable
        Raises an error for images that the network was not made for.
    tiled : bool, default=False
        Whether large images are cut into tiles.
    tile : int, tuple of int or None, default=None
        See :func:`~sklearnloss._predict.tiles.tile_shape`.

    Returns
    -------
    finished : ndarray of shape (n, ...)
        Of dtype object, with one array per image, if their shapes differ.
    """
    scorer.net._set_training(False)
    outputs, multiple = _Outputs(len(images)), scorer.network.multiple
    for batch, _ in images.batches(scorer.batch_size):
        check(batch)
        sides = tile or getattr(scorer.network, "only_size", None)
        shape = tile_shape(sides, tuple(batch.shape[2:]), multiple) if tiled else None
        if shape is None:
            outputs.add(finish(scorer.whole(batch)))
            continue
        for image in batch:
            outputs.add(finish_tiles(scorer.tile, image, shape, multiple, finish))
    return outputs.collect()


def as_numpy(logits: Tensor) -> np.ndarray:
    """Return logits as an array."""
    return logits.cpu().numpy()


class _Outputs:
    """Joins arrays, into one array if their shapes agree."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.done = 0
        self.array: np.ndarray | None = None

    def add(self, part: np.ndarray) -> None:
        """Add the results (m, ...) of the next m images."""
        if self.array is None:
            whole = len(part) == self.n
            self.array = part if whole else np.empty((self.n, *part.shape[1:]), part.dtype)
        elif self.array.dtype != object and self.array.shape[1:] != part.shape[1:]:
            self._split()
        if self.array is not part:
            for position, item in enumerate(part, self.done):
                self.array[position] = item
        self.done += len(part)

    def _split(self) -> None:
        assert self.array is not None
        items = np.empty(self.n, dtype=object)
        for position in range(self.done):
            items[position] = self.array[position]
        self.array = items

    def collect(self) -> np.ndarray:
        """Return all results."""
        assert self.array is not None
        return self.array
