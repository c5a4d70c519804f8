"""The parameters that all estimators share, each declared once."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ..._files import FileReader

Mirrored = Literal["flip", "mirror"] | None
# Stands for a default that differs between estimators.
OWN = object()


class Number(Interval):  # type: ignore[misc]
    """An interval of numbers that excludes True and False."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is a number within the interval."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


def _whole_number(least: int) -> Number:
    return Number(numbers.Integral, least, None, closed="left")


def _real_number(closed: str, most: float | None = None) -> Number:
    return Number(numbers.Real, 0, most, closed=closed)


_between_0_and_1 = _real_number("neither", 1)


@dataclass(frozen=True)
class Parameter:
    """Properties of a parameter besides its name and its type.

    Attributes
    ----------
    default : object
        The default in signatures; ``OWN`` if it differs between estimators.
    allowed : list or None
        Constraints that scikit-learn checks before a fit; None if the fit checks it elsewhere.
    may_be_code : bool
        Whether it matters in training only and may be code, which files do not store.
    resumable : bool
        Whether it may change before a fit continues from a checkpoint.
    used_after_fit : bool
        Whether predictions need it; it is then checked again, since it may have changed.
    """

    default: Any
    allowed: list[Any] | None = None
    may_be_code: bool = False
    resumable: bool = False
    used_after_fit: bool = False


class SharedParameters:
    """The parameters that all estimators share, except for their loss."""

    weights: Annotated[
        Any,
        Parameter(
            None,
            [str, os.PathLike, Mapping, HasMethods("state_dict"), None],
            may_be_code=True,
            resumable=True,
        ),
    ]
    freeze: Annotated[
        str | list[str] | tuple[str, ...] | None, Parameter(None, [str, list, tuple, None])
    ]
    freeze_epochs: Annotated[int | None, Parameter(None, [_whole_number(1), None])]
    lr_scale: Annotated[
        dict[str, float] | float | None, Parameter(None, [Mapping, _between_0_and_1, None])
    ]
    image_shape: Annotated[
        tuple[int, ...] | None, Parameter(None, [tuple, list, None], used_after_fit=True)
    ]
    channels: Annotated[
        str, Parameter("first", [StrOptions({"first", "last"})], used_after_fit=True)
    ]
    reader: Annotated[FileReader | None, Parameter(None, [FileReader, None], used_after_fit=True)]
    optimizer: Annotated[Any, Parameter("adamw", may_be_code=True)]
    lr: Annotated[float, Parameter(3e-3, [_real_number("neither")])]
    weight_decay: Annotated[float, Parameter(0.1, [_real_number("left")])]
    scheduler: Annotated[
        Any,
        Parameter(
            "onecycle", [StrOptions({"onecycle", "cosine"}), callable, None], may_be_code=True
        ),
    ]
    max_epochs: Annotated[int, Parameter(20, [_whole_number(1)], resumable=True)]
    batch_size: Annotated[int, Parameter(OWN, [_whole_number(1)])]
    class_weight: Annotated[Any, Parameter(None)]
    classes: Annotated[Any, Parameter(None, ["array-like", None])]
    augment: Annotated[Any, Parameter(None, may_be_code=True)]
    normalize: Annotated[str | None, Parameter("auto", [StrOptions({"auto", "imagenet"}), None])]
    early_stopping: Annotated[bool, Parameter(False, ["boolean"])]
    validation_fraction: Annotated[float, Parameter(0.1, [_real_number("neither", 1)])]
    n_iter_no_change: Annotated[int, Parameter(10, [_whole_number(1)])]
    clip_norm: Annotated[float | None, Parameter(None, [_real_number("neither"), None])]
    precision: Annotated[str, Parameter("auto", [StrOptions({"auto", "float32", "bfloat16"})])]
    compile: Annotated[bool, Parameter(False, ["boolean"], resumable=True)]
    deterministic: Annotated[bool, Parameter(False, ["boolean"])]
    device: Annotated[Any, Parameter("auto", resumable=True)]
    warm_start: Annotated[bool, Parameter(False, ["boolean"], resumable=True)]
    tta: Annotated[
        Mirrored,
        Parameter(
            None, [StrOptions({"flip", "mirror"}), None], resumable=True, used_after_fit=True
        ),
    ]
    random_state: Annotated[
        Any, Parameter(None, ["random_state"], may_be_code=True, resumable=True)
    ]
    callbacks: Annotated[
        Any, Parameter(None, [list, tuple, None], may_be_code=True, resumable=True)
    ]
    net_params: Annotated[dict[str, Any] | None, Parameter(None, [dict, None], may_be_code=True)]
    verbose: Annotated[int, Parameter(0, ["verbose"], resumable=True)]


PARAMETERS: dict[str, Parameter] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(SharedParameters, include_extras=True).items()
}
CONSTRAINTS = {name: each.allowed for name, each in PARAMETERS.items() if each.allowed is not None}
MAY_BE_CODE = {name for name, each in PARAMETERS.items() if each.may_be_code}
# The segmenter has additional ones.
RESUMABLE = {name for name, each in PARAMETERS.items() if each.resumable} | {"tile"}
USED_AFTER_FIT = {name for name, each in PARAMETERS.items() if each.used_after_fit} | {
    *("ignore_index", "multilabel", "tile"),
}
