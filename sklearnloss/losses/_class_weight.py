"""Weights per class, in every form a user has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from ._device import as_like
from ._inputs import can_look_at

if TYPE_CHECKING:
    import numpy as np

ClassWeight: TypeAlias = (
    "float | Sequence[float] | Mapping[int, float] | Tensor | np.ndarray[Any, Any]"
)


def class_vector(
    value: ClassWeight, n_classes: int, like: Tensor, label: str, *, high: float = float("inf")
) -> Tensor:
    """Return one weight per class as a tensor of shape (n_classes,).

    Parameters
    ----------
    value : float, sequence, dict of class index to weight or Tensor
        What the user gave; classes that a dict leaves out weigh 1.
    n_classes : int
        The length that is expected.
    like : Tensor
        Gives dtype and device.
    label : str
        How errors name the parameter.
    high : float, default=inf
        The largest legal weight.
    """
    if isinstance(value, str):
        raise ValueError(
            f"{label}={value!r} cannot be resolved without the data: the estimator's own "
            f"class_weight does that. Here, give one number per class."
        )
    if isinstance(value, Mapping):
        foreign = [key for key in value if key not in range(n_classes)]
        if foreign:
            raise ValueError(
                f"{label} names the class {foreign[0]!r}, but the classes are 0 to {n_classes - 1}."
            )
        value = [value.get(c, 1.0) for c in range(n_classes)]
    vector = as_like(value, like)
    if isinstance(value, int | float) and 0 <= value <= high:  # checked without tensors
        return vector.expand(n_classes)
    if vector.ndim == 0:
        vector = vector.expand(n_classes)
    if vector.shape != (n_classes,):
        raise ValueError(
            f"{label} has shape {tuple(vector.shape)}, but there are {n_classes} classes: "
            f"expected ({n_classes},)."
        )
    if can_look_at(vector) and not bool(((vector >= 0) & (vector <= high)).all()):
        raise ValueError(f"{label} must lie between 0 and {high}, got {vector.tolist()}.")
    return vector


def per_channel(value: ClassWeight, z: Tensor, label: str, *, high: float = float("inf")) -> Tensor:
    """Return one weight per channel, shaped to multiply z of shape (n, C, *spatial)."""
    vector = class_vector(value, z.shape[1], z, label, high=high)
    return vector.reshape(-1, *[1] * (z.ndim - 2))
