"""Weights per class, in every accepted form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from .inputs import can_look_at
from .transfer import as_like, as_tensor

if TYPE_CHECKING:
    import numpy as np

ClassWeight: TypeAlias = (
    "float | Sequence[float] | Mapping[int, float] | Tensor | np.ndarray[Any, Any]"
)


# Sums of larger weights overflow in float32, and smaller ones vanish.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-30, 1e30


def class_vector(
    value: ClassWeight,
    n_classes: int,
    like: Tensor,
    label: str,
    *,
    high: float = float("inf"),
    some_positive: bool = False,
) -> Tensor:
    """Return one weight per class as a tensor of shape (n_classes,).

    Parameters
    ----------
    value : float, sequence, dict of class index to weight or Tensor
        Weights from the user; classes missing from a dict have weight 1.
    n_classes : int
        The expected length.
    like : Tensor
        Determines dtype and device.
    label : str
        Name of the parameter in errors.
    high : float, default=inf
        The largest valid weight.
    some_positive : bool, default=False
        Whether at least one weight must be positive.
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
    if isinstance(value, int | float) and SMALLEST_WEIGHT <= value <= min(high, LARGEST_WEIGHT):
        return vector.expand(n_classes)  # checked without tensors
    if vector.ndim == 0:
        vector = vector.expand(n_classes)
    if vector.shape != (n_classes,):
        raise ValueError(
            f"{label} has shape {tuple(vector.shape)}, but there are {n_classes} classes: "
            f"expected ({n_classes},)."
        )
    given = as_tensor(value).reshape(-1)  # on the CPU even if the scores are on a GPU
    if can_look_at(given):
        _check_weights(given.double(), label, high, some_positive)
    return vector


def check_weight(value: float, label: str, high: float = float("inf")) -> None:
    """Raise a ValueError unless a number is a valid weight."""
    if not SMALLEST_WEIGHT <= value <= min(high, LARGEST_WEIGHT):
        _check_weights(as_tensor(value).reshape(-1), label, high, False)


def _check_weights(given: Tensor, label: str, high: float, some_positive: bool) -> None:
    if not bool(((given >= 0) & (given <= high)).all()):
        raise ValueError(f"{label} must lie between 0 and {high}, got {given.tolist()}.")
    if some_positive and not bool(given.any()):
        raise ValueError(f"{label} is 0 for every class. Expected at least one weight above 0.")
    extreme = (given > LARGEST_WEIGHT) | ((given > 0) & (given < SMALLEST_WEIGHT))
    if bool(extreme.any()):
        raise ValueError(
            f"{label} holds {given[extreme][0].item():g}, which is out of range for float32. "
            f"Weights above 0 must lie between {SMALLEST_WEIGHT:g} and {LARGEST_WEIGHT:g}."
        )


def per_channel(
    value: ClassWeight,
    z: Tensor,
    label: str,
    *,
    high: float = float("inf"),
    some_positive: bool = False,
) -> Tensor:
    """Return one weight per channel, or for all, to multiply z of shape (n, C, *spatial)."""
    if type(value) is float and SMALLEST_WEIGHT <= value <= min(high, LARGEST_WEIGHT):
        return as_like(value, z)
    vector = class_vector(value, z.shape[1], z, label, high=high, some_positive=some_positive)
    return vector.reshape(-1, *[1] * (z.ndim - 2))
