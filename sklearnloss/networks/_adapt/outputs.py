"""The outputs of networks: one tensor of scores, several, or a dict of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from .wanted import Wanted

# Names that libraries give to the scores among several outputs.
_MAIN = ("out", "logits", "pred", "main")


class WrongOutputs(ValueError):
    """A network returns wrong outputs, regardless of the size of the images.

    Attributes
    ----------
    number : bool
        Whether the number of scores is wrong.
    """

    def __init__(self, message: str, *, number: bool = False) -> None:
        super().__init__(message)
        self.number = number


class WrongSize(ValueError):
    """A network returns scores of another size than the images, or for other ones."""


def read_outputs(raw: Any, wanted: Wanted, spatial: Sequence[int]) -> list[Tensor]:
    """Return all scores that a network returns for a batch, starting with the main ones.

    Several heads may come as a list or tuple, as a dict, or stacked along a second
    axis. Except for the first, outputs with other numbers of axes or channels are
    left out.

    Parameters
    ----------
    raw : Tensor, list, tuple or dict
        What the network returned.
    wanted : Wanted
        The data that the network is for.
    spatial : tuple of int
        Spatial shape of the batch.

    Raises
    ------
    WrongOutputs
        If the first is not a tensor of scores.
    """
    found = list(_tensors(raw, wanted))
    if not found:
        raise WrongOutputs(
            f"The network returns an object of type {type(raw).__name__}. Expected scores: a "
            f"tensor {wanted.scores}, or a list or dict of them."
        )
    main = _flattened(found[0], wanted)
    _check(main, wanted, spatial)
    others = (_flattened(each, wanted) for each in found[1:])
    return [main, *(each for each in others if _fits(each, wanted))]


def _tensors(raw: Any, wanted: Wanted) -> Iterator[Tensor]:
    if isinstance(raw, Tensor):
        stacked = wanted.per_pixel and raw.ndim == wanted.n_axes + 3
        yield from raw.unbind(1) if stacked else [raw]
    elif isinstance(raw, Mapping):
        first = [key for key in _MAIN if key in raw][:1]
        for key in [*first, *(key for key in raw if key not in first)]:
            if isinstance(raw[key], Tensor):
                yield raw[key]
    elif isinstance(raw, list | tuple):
        for each in raw:
            if isinstance(each, Tensor):
                yield each
    elif isinstance(getattr(raw, "logits", None), Tensor):
        yield raw.logits


def _flattened(scores: Tensor, wanted: Wanted) -> Tensor:
    """Return scores per image without the axes of length 1 that some networks keep."""
    left = not wanted.per_pixel and scores.ndim > 2 and all(n == 1 for n in scores.shape[2:])
    return scores.flatten(1) if left else scores


def _fits(scores: Tensor, wanted: Wanted) -> bool:
    n_axes = wanted.n_axes if wanted.per_pixel else 0
    return (
        scores.ndim == n_axes + 2
        and scores.shape[1] == wanted.n_outputs
        and scores.is_floating_point()
    )


def _check(scores: Tensor, wanted: Wanted, spatial: Sequence[int]) -> None:
    n_axes = wanted.n_axes if wanted.per_pixel else 0
    size = " x ".join(map(str, spatial))
    returned = f"The network returns scores of shape {tuple(scores.shape)} for images of {size}"
    if scores.ndim != n_axes + 2:
        other = "ImageClassifier" if wanted.per_pixel else "ImageSegmenter"
        task = "for each pixel" if wanted.per_pixel else "for each image"
        looks = (scores.ndim == 2) if wanted.per_pixel else (scores.ndim == wanted.n_axes + 2)
        hint = f" It looks like a network for {other}." if looks else ""
        raise WrongOutputs(f"{returned} pixels. Expected {wanted.scores}, scores {task}.{hint}")
    if scores.shape[1] != wanted.n_outputs:
        raise WrongOutputs(
            f"{returned} pixels, {scores.shape[1]} of them. Expected {wanted.scores}, "
            f"{wanted.n_outputs} of them.",
            number=True,
        )
    if not scores.is_floating_point():
        raise WrongOutputs(f"{returned} and dtype {scores.dtype}. Expected floating point.")
