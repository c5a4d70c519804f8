"""Selects images and masks for a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..._utils.text import did_you_mean
from .._data.labels import as_masks as as_array
from .._data.labels import distinct_labels, read_masks
from .._data.lazy import _as_list, is_lazy

Array = NDArray[Any]
Select = Literal["first", "best", "worst"] | ArrayLike


def candidates(select: Select, n_images: int, n: int) -> list[int]:
    """Return the indices of those of n images that may be drawn.

    Raises
    ------
    ValueError
        If the selection is invalid.
    """
    if n_images < 1:
        raise ValueError(f"n_images={n_images!r}: expected at least 1.")
    if isinstance(select, str):
        if select not in ("first", "best", "worst"):
            raise ValueError(
                f"select={select!r}: expected 'first', 'best', 'worst' or indices of images."
                + did_you_mean(select, ("first", "best", "worst"))
            )
        return list(range(min(n_images, n) if select == "first" else n))
    numbers = np.atleast_1d(np.asarray(select))
    whole = np.issubdtype(numbers.dtype, np.integer)
    if numbers.size == 0 or not whole or numbers.min() < 0 or numbers.max() >= n:
        raise ValueError(f"select={select!r}: expected indices of images from 0 to {n - 1}.")
    return [int(number) for number in numbers]


def take(values: Any, positions: Sequence[int]) -> list[Any]:
    """Return some images or masks, or their paths."""
    if is_lazy(values):
        listed = _as_list(values)
        values = values if listed is None else listed
    elif not isinstance(values, Tensor):
        values = as_array(values)
    return [values[position] for position in positions]


def as_masks(masks: Sequence[Any], images: Sequence[Array], multilabel: bool) -> list[Array]:
    """Validate masks of images (C, *spatial), and return them as (*spatial) or (K, *spatial)."""
    return [
        read_masks(as_array(mask)[None], (1, *image.shape[1:]), multilabel=multilabel)[0]
        for mask, image in zip(masks, images, strict=True)
    ]


def occurring(masks: Sequence[Any], ignore: int | None, multilabel: bool) -> Array:
    """Return the sorted labels that occur in masks; for multilabel masks, the channels."""
    if multilabel:
        return np.arange(len(masks[0]))
    found = np.unique(np.concatenate([distinct_labels(as_array(mask)) for mask in masks]))
    return found if ignore is None else found[found != ignore]
