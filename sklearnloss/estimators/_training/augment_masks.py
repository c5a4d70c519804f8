"""Conversion of masks for the user's transforms: from codes to labels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...losses._core.transfer import send
from .._data.labels import IGNORED, code_dtype


class MaskLabels:
    """The labels that codes stand for.

    Parameters
    ----------
    values : array-like of shape (n_codes,)
        The label of each code, sorted.
    ignored : int, default=None
        The label of ignored pixels.
    n_masks : int, default=None
        Masks per image, for multilabel masks: (n, n_masks, *spatial).
    """

    def __init__(self, values: Any, ignored: int | None = None, n_masks: int | None = None) -> None:
        self.values: np.ndarray = np.asarray(values).astype(np.int64)
        self.ignored = ignored
        self.n_masks = n_masks
        self.dtype = code_dtype(self.values)
        self.ignored_code = IGNORED[self.dtype]
        #: Whether labels are their own codes.
        self.same = np.array_equal(self.values, np.arange(len(self.values))) and (
            ignored is None or ignored == self.ignored_code
        )

    def from_codes(self, codes: Tensor) -> Tensor:
        """Return masks of labels: the codes themselves if they are identical, otherwise int64."""
        if self.same:
            return codes
        table = send(torch.from_numpy(np.append(self.values, self.ignored or 0)), codes.device)
        position = codes.long()
        return table[torch.where(position == self.ignored_code, len(self.values), position)]

    def to_codes(self, masks: Any, images: Tensor, *, strict: bool) -> Tensor:
        """Return the codes of masks that a transform returned.

        Parameters
        ----------
        masks : Tensor or ndarray of shape (n, *spatial) or (n, 1, *spatial)
            Labels, of any real dtype; multilabel masks are (n, n_masks, *spatial).
        images : Tensor of shape (n, C, *spatial)
            The images that they belong to.
        strict : bool
            Whether to check all values, which waits for a GPU. Otherwise, invalid labels get
            a code that is not a class, which every loss rejects.

        Raises
        ------
        ValueError
            If the shape differs, or there are fractions or other labels.
        """
        masks = self._check_shape(_as_tensor(masks), images).to(images.device)
        whole = masks
        if masks.is_floating_point():
            whole = masks.round()
            if strict and not bool((whole == masks).all()):
                raise ValueError(
                    f"augment returns masks with fractions, as {masks[whole != masks][0]:.3g}, "
                    f"but masks hold labels. Move masks without interpolation ('nearest')."
                )
        labels = whole.long()
        known, codes = self._look_up(labels)
        if masks.is_floating_point():
            known &= whole == masks
        if strict and not bool(known.all()):
            self._refuse_label(int(labels[~known][0]))
        no_class = self.ignored_code - 1 if self.ignored_code > 0 else len(self.values)
        return torch.where(known, codes, no_class).to(self.dtype)

    def _look_up(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return which labels are known, and their codes."""
        values = send(torch.from_numpy(self.values), labels.device)
        codes = torch.searchsorted(values, labels.contiguous()).clamp(max=len(values) - 1)
        known = values[codes] == labels
        if self.ignored is not None:
            skipped = labels == self.ignored
            known = known | skipped
            codes = torch.where(skipped, self.ignored_code, codes)
        return known, codes

    def _check_shape(self, masks: Tensor, images: Tensor) -> Tensor:
        n, _, *spatial = images.shape
        expected = (n, *spatial) if self.n_masks is None else (n, self.n_masks, *spatial)
        if self.n_masks is None and masks.shape == (n, 1, *spatial):
            masks = masks.squeeze(1)
        if masks.shape == expected:
            return masks
        channels = self.n_masks is None and masks.ndim == images.ndim
        raise ValueError(
            f"augment returns masks of shape {tuple(masks.shape)} with images of shape "
            f"{tuple(images.shape)}. Expected masks of shape {expected}"
            + (": a label per pixel, not a channel per class." if channels else ".")
        )

    def _refuse_label(self, label: int) -> None:
        ignored = "" if self.ignored is None else f" and ignore_index is {self.ignored}"
        raise ValueError(
            f"augment returns masks with the label {label}, but the classes are "
            f"{self.values.tolist()}{ignored}. Move masks without interpolation ('nearest'), and "
            f"fill new pixels at the edges with one of these, or set ignore_index={label}."
        )


def _as_tensor(masks: Any) -> Tensor:
    if isinstance(masks, np.ndarray) and masks.dtype.kind in "biuf":
        masks = torch.from_numpy(np.ascontiguousarray(masks))
    if not isinstance(masks, Tensor) or masks.is_complex():
        raise ValueError(
            f"augment returns masks of type {type(masks).__name__}. Expected a tensor or an array "
            f"of labels."
        )
    return masks.as_subclass(Tensor)
