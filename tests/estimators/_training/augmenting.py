"""Augmentations called on batches, as training calls them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sklearnloss.estimators._data.arrays import Scaling
from sklearnloss.estimators._training.augment_check import check_augmentation
from sklearnloss.estimators._training.augment_masks import MaskLabels
from sklearnloss.estimators._training.augmentations import Augmentation

__all__ = ["Scaling", "augmented", "tried"]


def augmented(
    augment: Any,
    images: Tensor,
    masks: Tensor | None,
    seed: int = 0,
    *,
    scaling: Scaling | None = None,
    dtype: torch.dtype = torch.float32,
    **labels: Any,
) -> tuple[Tensor, Any]:
    """Return scaled images and masks that a change with a seed has changed.

    Labels say what the masks hold; without any nothing is known of it.
    """
    known = MaskLabels(**labels) if labels else None
    augmentation = Augmentation(augment, known, scaling)
    return augmentation(images, masks, torch.Generator().manual_seed(seed), dtype)


def tried(augment: Any, images: Tensor, scaling: Scaling, **labels: Any) -> None:
    """Try a change before training, as fit does."""
    augmentation = Augmentation(augment, MaskLabels(**labels))
    check_augmentation(augmentation, images, scaling, torch.device("cpu"))
