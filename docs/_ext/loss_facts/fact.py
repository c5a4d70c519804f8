"""What a page about a loss needs beyond the class itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Form = Literal["sigmoid", "softmax", "weights"]


@dataclass(frozen=True)
class Formula:
    """A formula as it is typeset, and the same formula in NumPy.

    Attributes
    ----------
    title : str
        For which targets it holds.
    latex : str
        The formula.
    form : {"sigmoid", "softmax", "weights"}
        Which form of the loss it is; "weights" for penalties.
    value : callable
        ``value(z, t, **settings)`` computes it for one image in float64: logits z of shape
        (C, H, W), and t of the same shape or class indices (H, W). It returns numbers
        whose mean is the loss. The names of the settings are those of the class.
    """

    title: str
    latex: str
    form: Form
    value: Callable[..., Any]


@dataclass(frozen=True)
class Equality:
    """A setting in which a loss equals another one, up to a factor.

    Attributes
    ----------
    mine : dict
        Settings of this loss.
    other : str
        Name of the other loss.
    theirs : dict
        Its settings.
    factor : float
        This loss is ``factor`` times the other.
    form : {"sigmoid", "softmax"}
        The form in which it is so.
    two_classes : bool
        Whether there must be two classes, or one channel.
    """

    mine: Mapping[str, Any]
    other: str
    theirs: Mapping[str, Any] = field(default_factory=dict)
    factor: float = 1.0
    form: Form = "softmax"
    two_classes: bool = False


@dataclass(frozen=True)
class Fact:
    """What is known about a loss.

    Attributes
    ----------
    title : str
        What the loss is called.
    formulas : tuple of Formula
    symbols : dict of str to str
        LaTeX, and what it means.
    limits : tuple of str
        Range of values, and what the gradient does at the ends.
    use, avoid : tuple of str
        When to use it and when not.
    effects : dict of str to str
        What a parameter does if it grows.
    vary : tuple of (str, sequence) or None
        The parameter that the curves vary, and three values; None for one curve.
    curve : {"pixel", "image", "line", "weights"}
        What the curves show: one pixel alone, or one pixel of a small image.
    fixed : dict
        Settings of all curves.
    beside : tuple of str
        Other losses in the picture of the curves, where no parameter varies.
    demos : tuple of str
        Which fits to show.
    shown_as : str
        The loss of these fits, a name or a sum; by default the loss itself.
    shown_with : dict
        Settings of the loss in these fits, where its defaults are another loss.
    in_sum : str
        A sum that makes sense.
    equals : tuple of Equality
    neighbors : dict of str to str
        Names of related losses, and how they differ.
    epoch : str
        Duration of an epoch relative to ``bce``, as benchmarks/README.md has it.
    """

    title: str
    formulas: tuple[Formula, ...]
    symbols: Mapping[str, str]
    limits: tuple[str, ...]
    use: tuple[str, ...]
    avoid: tuple[str, ...]
    in_sum: str
    neighbors: Mapping[str, str]
    demos: tuple[str, ...]
    effects: Mapping[str, str] = field(default_factory=dict)
    vary: tuple[str, tuple[Any, ...]] | None = None
    curve: Literal["pixel", "image", "line", "weights"] = "pixel"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    shown_as: str = ""
    shown_with: Mapping[str, Any] = field(default_factory=dict)
    equals: tuple[Equality, ...] = ()
    epoch: str = "0.99 to 1.02"
