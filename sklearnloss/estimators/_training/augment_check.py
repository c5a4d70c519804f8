"""A trial of an augmentation before training: do images and masks move together?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..._utils.guides import AUGMENTATION
from .._data.arrays import Scaling, to_network
from .augment_compare import compare, reduce
from .augment_masks import MaskLabels
from .augmentations import Augmentation

if TYPE_CHECKING:
    from .._data.dataset import TrainingData


# Calls, each with this many images: enough to detect changes to every third image.
_CALLS, _IMAGES = 12, 2
# Sides that images are reduced to, for alternating calls; by number of axes.
_SIDES = {1: (192, 64), 2: (48, 16), 3: (24, 12)}
# Width of the pattern's cells, in pixels of the reduced image.
_CELL = 4


def make_augmentation(
    estimator: Any, data: TrainingData, device: torch.device, *, again: bool
) -> Augmentation | None:
    """Return the augmentation that an estimator requests, after a trial if it is the user's own.

    Parameters
    ----------
    estimator : Any
        The estimator, with its labels and scaling.
    data : TrainingData
        The training data.
    device : torch.device
        The device of the training.
    again : bool
        Whether training continues; then known augmentations are not tried again.
    """
    if estimator.augment is None:
        return None
    scaling = estimator.scaling_
    augmentation = Augmentation(estimator.augment, estimator._mask_labels(), scaling)
    last = estimator.net_.augment_ if again else None
    tried = last is not None and last.given is estimator.augment
    if augmentation.callables and not tried:
        images, _, _ = data.batch(slice(0, 1))
        check_augmentation(augmentation, images, scaling, device)
    return augmentation


def check_augmentation(
    augmentation: Augmentation, image: Tensor, scaling: Scaling | None, device: torch.device
) -> None:
    """Try an augmentation on images that show their masks, and raise an error if they diverge.

    A mask of random cells is drawn into its image: one level for the first class, and
    another one for the rest. The results are reduced to about 48 pixels along each axis
    in half of the calls, and to 16 in the others, in which cells are larger, and are
    compared in two ways.

    - Overall: the covariance of image and mask within small blocks, summed over the
      image and divided by their standard deviations, is 1 for a pair that moved together,
      and about 0 if one of them was flipped, rotated or moved far. They do not match if it
      is below 0.3, or below 0.8 for large cells, which blur hardly changes. Two images of
      each kind are enough.
    - Locally: a block of the image was moved if it fits the mask clearly better two or
      three pixels away than in its own place. An image with more than a fifth of such
      blocks does not match. Three images are enough.

    Other changes are allowed:

    - Noise, lighting and erased parts cancel: they are drawn again, identically, for a
      second image with the two levels swapped, and the difference of both is compared.
    - Contrast, inversion and other maps of intensities scale the covariance and the
      deviations within a block alike.
    - Blur and interpolation lower the covariance of small cells only, and no other place
      fits better.
    - Movements of 2 % of the side, or of a pixel, are tolerated.

    Augmentations that consist only of library transforms are not compared: they are
    called with both. In all cases, labels, shapes and values are checked.

    Parameters
    ----------
    augmentation : Augmentation
        The augmentation to try.
    image : Tensor of shape (1, C, *spatial)
        An image of the training data, for its shape, dtype and range.
    scaling : Scaling or None
        The scaling of the images.
    device : torch.device
        The device of the training.

    Raises
    ------
    ValueError
        If images and masks diverge; if masks get other labels, or fractions; if the
        resulting images do not depend on the original ones, or are not finite.
    """
    levels = _choose_levels(to_network(image, scaling, device))
    trials = [_try(augmentation, image, levels, call) for call in range(_CALLS)]
    if all(torch.equal(trial.shown, trial.control) for trial in trials):
        raise ValueError("augment returns the same images for any input.")
    if augmentation.labels is not None:
        _refuse_invented_labels(trials, augmentation.labels)
        if not all(change.is_trusted for change in augmentation.callables):
            _refuse_parted(trials, augmentation.labels)


class _Trial(NamedTuple):
    """The results of two calls with the same random draws.

    Attributes
    ----------
    side : int
        The size that images are reduced to.
    shown, control : Tensor of shape (n, C, *spatial)
        The images with both contrasts.
    codes : Tensor of shape (n, *spatial) or (n, K, *spatial), or None
        The masks.
    other : Tensor of the shape of codes, or None
        The masks of the control: the same, or, in every other trial, masks that
        contained only the first class.
    """

    side: int
    shown: Tensor
    control: Tensor
    codes: Tensor | None
    other: Tensor | None


def _choose_levels(image: Tensor) -> Tensor:
    """Return two levels for each channel, (2, C, 1, ...), that are plausible for an image."""
    axes = tuple(range(2, image.ndim))
    low, high = image.amin(axes, keepdim=True), image.amax(axes, keepdim=True)
    flat = high - low < 1e-6
    low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    # Not symmetric, so that mirrored intensities can be distinguished.
    return torch.cat([low + share * (high - low) for share in (0.85, 0.35)])


def _try(augmentation: Augmentation, image: Tensor, levels: Tensor, call: int) -> _Trial:
    side = _SIDES[image.ndim - 2][call >= _CALLS // 2]
    cells = _draw_cells(tuple(image.shape[2:]), side, call).to(levels.device)
    codes = other = None
    if augmentation.labels is not None:
        codes = _draw_codes(cells, augmentation.labels, side, call)
        other = codes.clone() if call % 2 else torch.zeros_like(codes)
    (shown, codes), (control, other) = (
        augmentation(
            torch.where(cells.unsqueeze(1), inside, outside),
            masks,
            torch.Generator().manual_seed(call),
            image.dtype,
            strict=True,
        )
        for inside, outside, masks in zip(levels, levels.flip(0), (codes, other), strict=True)
    )
    if not bool(shown.isfinite().all()):
        raise ValueError("augment returns images with NaN or infinity.")
    return _Trial(side, shown, control, codes, other)


def _draw_codes(cells: Tensor, labels: MaskLabels, side: int, call: int) -> Tensor:
    """Return masks of the first class with cells of another; some pixels may be ignored."""
    foreground = 1 if call % 2 else len(labels.values) - 1
    codes = torch.where(cells, foreground, 0).to(labels.dtype)
    if labels.ignored is not None and call % 2:
        spatial = tuple(cells.shape[1:])
        skipped = _draw_cells(spatial, side, 1000 + call) & _draw_cells(spatial, side, 2000 + call)
        codes[skipped.to(codes.device)] = labels.ignored_code
    if labels.n_masks is None:
        return codes
    return codes.unsqueeze(1).repeat(1, labels.n_masks, *[1] * (cells.ndim - 1))


def _draw_cells(spatial: tuple[int, ...], side: int, seed: int) -> Tensor:
    """Draw a pattern (n, *spatial) of on and off in cells."""
    widths = [_CELL * factor for factor in _factors(spatial, side)]
    shape = [-(-length // width) for length, width in zip(spatial, widths, strict=True)]
    generator = torch.Generator().manual_seed(seed)
    cells = torch.rand(_IMAGES, *shape, generator=generator) < 0.5
    for axis, (length, width) in enumerate(zip(spatial, widths, strict=True), start=1):
        cells = cells.repeat_interleave(width, axis).narrow(axis, 0, length)
    return cells


def _factors(spatial: tuple[int, ...], side: int) -> tuple[int, ...]:
    """Return how many pixels are merged into one along each axis."""
    return tuple(max(1, length // side) for length in spatial)


def _refuse_invented_labels(trials: list[_Trial], labels: MaskLabels) -> None:
    """Reject interpolated masks: other labels appear between the first and the last class.

    Filled-in labels are not evidence for this: they also appear in masks of one class.
    """
    last = len(labels.values) - 1
    for trial in trials[::2]:
        codes, filled = _distinct(trial.codes), _distinct(trial.other)
        invented = codes - filled - {0, last, labels.ignored_code}
        if invented and last in codes:
            first, new, other = labels.values[[0, min(invented), last]].tolist()
            raise ValueError(
                f"augment returns masks with the label {new} where they had only {first} and "
                f"{other}: they are interpolated. Move masks without interpolation ('nearest'). "
                f"See {AUGMENTATION}."
            )


def _distinct(codes: Tensor | None) -> set[int]:
    return set() if codes is None else set(codes.unique().tolist())


def _refuse_parted(trials: list[_Trial], labels: MaskLabels) -> None:
    """Reject an augmentation if too many images do not match their masks."""
    same_draws = all(_equal(trial.codes, trial.other) for trial in trials[1::2])
    pairs = [_compare(trial, labels, same_draws) for trial in trials]
    overall, moved = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    fine, coarse = overall.abs().split(_CALLS // 2)  # nan where nothing is visible
    unlike = torch.cat([fine < 0.3, coarse < 0.8])
    if int((fine < 0.3).sum()) < 2 or int((coarse < 0.8).sum()) < 2:
        unlike.zero_()
    n_failed, n = int((unlike | moved).sum()), moved.numel()
    if n_failed < 3:
        return
    raise ValueError(
        f"augment moves images but not their masks, or moves them differently: in a trial, "
        f"{n_failed} of {n} images no longer matched their masks. Use the same flips, rotations "
        f"and shifts for both, drawn once: (images, masks) -> (images, masks). Transforms of "
        f"torchvision.transforms.v2, albumentations and kornia may be passed directly. See "
        f"{AUGMENTATION}."
    )


def _equal(first: Tensor | None, second: Tensor | None) -> bool:
    return first is not None and second is not None and torch.equal(first, second)


def _compare(trial: _Trial, labels: MaskLabels, same_draws: bool) -> tuple[Tensor, Tensor]:
    """Compare the images of a trial with its masks: see :func:`compare`.

    Parameters
    ----------
    trial : _Trial
        The results of a trial.
    labels : MaskLabels
        The labels of the masks.
    same_draws : bool
        Whether the control was changed in the same way as the images.
    """
    assert trial.codes is not None
    image, codes = trial.shown.cpu(), trial.codes.cpu()  # not all devices support float64
    if same_draws and image.shape == trial.control.shape:
        image = image - trial.control.cpu()
    factors = _factors(tuple(image.shape[2:]), trial.side)
    mask, weight = (
        layer.double().reshape(len(image), -1, *image.shape[2:]).mean(1, keepdim=True)
        for layer in (codes != 0, codes != labels.ignored_code)
    )
    image = image / image.abs().amax().clamp(min=1e-12)
    return compare(*(reduce(layer, factors) for layer in (image, mask, weight)))
