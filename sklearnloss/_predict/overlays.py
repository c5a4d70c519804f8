"""Pictures of images with the outlines of what was predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

# Colors that people with any color vision can tell apart (Okabe and Ito, 2008), without the
# gray levels.
_COLORS = np.array(
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [213, 94, 0], [204, 121, 167]],
    np.uint8,
)


def draw_overlay(image: Any, regions: Array, kinds: Array | None = None) -> Array:
    """Draw the outlines of regions on an image.

    Parameters
    ----------
    image : ndarray of shape (C, *spatial)
        With 2 or 3 spatial axes; of a volume, the slice with most of the regions is drawn.
        With 3 channels it is in color, otherwise the first channel is gray. Unless it is a
        picture of 8 bits, its percentiles 1 and 99 become black and white.
    regions : ndarray of shape (*spatial) or (K, *spatial)
        The number of the region at each pixel; 0 is the background and has no outline. There
        are several if labels overlap.
    kinds : ndarray of int, default=None
        The number of the color of each region, from 1, by the number of the region. By default
        it is the number of the region.

    Returns
    -------
    picture : ndarray of shape (H, W, 3), uint8
    """
    image = np.ma.atleast_1d(image) if np.ma.isMaskedArray(image) else np.asarray(image)
    layers = regions[None] if regions.ndim == image.ndim - 1 else regions
    if image.ndim == 4:
        shown = int((layers != 0).sum(axis=(0, 2, 3)).argmax())
        image, layers = image[:, shown], layers[:, shown]
    picture: Array = _as_colors(image)
    for channel, layer in enumerate(layers):
        edge = _inner_edge(layer)
        region = layer[edge].astype(np.int64)
        color = region if kinds is None else kinds[region]
        picture[edge] = _COLORS[(color + (channel if len(layers) > 1 else 0) - 1) % len(_COLORS)]
    return picture


def _inner_edge(regions: Array) -> Array:
    """Return which pixels of regions have another region, or none, beside them."""
    edge = np.zeros(regions.shape, bool)
    for axis in range(regions.ndim):
        one = (slice(None),) * axis
        differs = regions[(*one, slice(1, None))] != regions[(*one, slice(None, -1))]
        edge[(*one, slice(1, None))] |= differs
        edge[(*one, slice(None, -1))] |= differs
    return np.asarray(edge & (regions != 0))


def _as_colors(image: Any) -> Array:
    shown = image if len(image) == 3 else image[:1]
    if shown.dtype != np.uint8:
        shown = np.stack([_stretched(channel) for channel in shown])
    filled = np.ma.filled(shown, 0)
    return np.ascontiguousarray(np.broadcast_to(np.moveaxis(filled, 0, -1), (*filled.shape[1:], 3)))


def _stretched(channel: Any) -> Array:
    """Return a channel as 8 bits, with its percentiles 1 and 99 as black and white."""
    known = np.ma.compressed(channel) if np.ma.isMaskedArray(channel) else channel
    known = known[np.isfinite(known)].astype(float)
    low, high = np.percentile(known, [1, 99]) if known.size else (0, 1)
    if low == high:  # few pixels are bright or dark
        low, high = (known.min(), known.max()) if known.size else (0, 1)
    values = np.nan_to_num(np.ma.filled(channel.astype(float), low), nan=low)
    return np.asarray(np.clip((values - low) / (high - low or 1) * 255, 0, 255).astype(np.uint8))
