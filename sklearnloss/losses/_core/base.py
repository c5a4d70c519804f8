"""The base class of every loss: a module whose settings are parameters."""

from __future__ import annotations

import copy
import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from torch import Tensor, nn

from ..._utils.text import describe, unknown_parameter

if TYPE_CHECKING:
    from .compound import CompoundLoss

Reduction = Literal["mean", "sum", "none", "sample"]
Form = Literal["any", "sigmoid", "softmax"]

FORMS: tuple[Form, ...] = ("any", "sigmoid", "softmax")
REDUCTIONS = ("mean", "sum", "none", "sample")
SWITCHES = ("batch", "include_background", "squared")


class Interval(NamedTuple):
    """An interval of numbers, parsed from a string such as ``"[0, inf)"``."""

    text: str
    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Return the interval that a string describes."""
        low, high = text[1:-1].split(",")
        return cls(text, float(low), float(high))

    def check(self, label: str, value: Any) -> None:
        """Raise a ValueError unless the value is a number in the interval.

        Zero-dimensional tensors pass unchecked: reading one would wait for the device,
        and a vmapped hyperparameter has no single value.
        """
        if isinstance(value, Tensor) and value.ndim == 0:
            return
        text, low, high = self
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        inside = is_number and (
            (value > low or (text[0] == "[" and value == low))
            and (value < high or (text[-1] == "]" and value == high))
        )
        if not inside:
            raise ValueError(f"{label}={value!r} is not a number in {text}.")


class Loss(nn.Module):
    """A loss whose constructor arguments are parameters, like those of an estimator.

    Like a Gaussian-process kernel in scikit-learn, a loss is an object that can be
    cloned, printed, searched over and combined.
    Subclasses store their constructor arguments unchanged under their own
    names, and do nothing else in ``__init__``; they may leave out
    ``super().__init__()``.

    A loss is called with raw scores: ``loss(logits, target, sample_weight=None)``.

    ================================================  ==============================
    target                                            meaning
    ================================================  ==============================
    shape of the logits ``(n, C, *spatial)``, [0, 1]  a sigmoid per channel: binary
                                                      (C = 1) or multilabel
    class indices ``(n, *spatial)``, C >= 2           softmax over axis 1
    ``(n, *spatial)`` with C = 1                      binary
    ================================================  ==============================

    Losses can be added and scaled: ``0.7 * DiceLoss() + 0.3 * FocalLoss(gamma=3)`` is a
    :class:`CompoundLoss`. The operands are copied, never shared or changed.

    Attributes
    ----------
    form : {"any", "sigmoid", "softmax"}
        Which of the two forms the loss has. "any" depends on the target's shape,
        as in the table; "softmax" takes a target of the logits' shape as class
        probabilities; "sigmoid" turns class indices into one-hot masks.
    tasks : tuple of str
        The tasks that the loss is meant for: "classification", "segmentation" or both.
    search_space : dict of str to tuple or list
        Ranges for tuning. ``(low, high)`` is a range,
        ``(low, high, "log")`` one on a logarithmic scale, a list holds choices.

    Examples
    --------
    >>> import torch
    >>> from sklearnloss.losses import Loss
    >>> class SquaredError(Loss):
    ...     def __init__(self, power=2.0):
    ...         self.power = power
    ...     def forward(self, logits, target, sample_weight=None):
    ...         return (logits.sigmoid() - target).abs().pow(self.power).mean()
    >>> loss = SquaredError()
    >>> float(loss(torch.zeros(2, 1), torch.ones(2, 1)))
    0.25
    >>> loss.set_params(power=1.0)
    SquaredError(power=1.0)
    """

    form: ClassVar[Form] = "any"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "segmentation")
    search_space: ClassVar[Mapping[str, tuple[Any, ...] | list[Any]]] = {}
    # Intervals of valid values, such as {"gamma": "[0, inf)"}, and the same, parsed.
    _intervals: ClassVar[Mapping[str, str]] = {}
    _parsed_intervals: ClassVar[Mapping[str, Interval]] = {}

    # Parameters without a meaning for class indices, and thus for classification.
    _sigmoid_only: ClassVar[tuple[str, ...]] = ()

    # NumPy numbers defer `np.float64(0.5) * loss` to __rmul__.
    __array_ufunc__ = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._parsed_intervals = {k: Interval.parse(text) for k, text in cls._intervals.items()}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Here rather than in __init__, so that a subclass may omit it.
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __init__(self) -> None:
        pass

    def bind(self, module: nn.Module, class_counts: Tensor | None = None) -> Self:
        """Bind the loss to the network that it trains; ``fit`` calls this once.

        Parameters
        ----------
        module : nn.Module
            The network whose parameters a penalty reads.
        class_counts : Tensor of shape (n_classes,), default=None
            How often each class occurs in the training data.

        Returns
        -------
        self : Loss
        """
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of nested losses as ``name__parameter``.

        Returns
        -------
        params : dict of str to object
        """
        params: dict[str, Any] = {}
        for name in self._param_names():
            value = params[name] = getattr(self, name)
            if deep and isinstance(value, Loss):
                params |= {f"{name}__{k}": v for k, v in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters in place.

        Parameters
        ----------
        **params : dict
            New values by name. ``name__parameter`` changes a copy of a nested
            loss: other references to it are not affected.

        Returns
        -------
        self : Loss

        Raises
        ------
        ValueError
            If a name is unknown; the message lists the valid ones.
        """
        nested: dict[str, dict[str, Any]] = {}
        valid = self._param_names()
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in valid:
                raise ValueError(unknown_parameter(type(self).__name__, key, self.get_params()))
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                self._replace(name, value)
        for name, changes in nested.items():
            value = getattr(self, name)
            if not isinstance(value, Loss):
                key = f"{name}__{next(iter(changes))}"
                raise ValueError(unknown_parameter(type(self).__name__, key, self.get_params()))
            self._replace(name, copy.deepcopy(value).set_params(**changes))
        return self

    def _replace(self, name: str, value: Any) -> None:
        # nn.Module does not allow replacing a submodule by anything else.
        self._modules.pop(name, None)
        self._parameters.pop(name, None)
        setattr(self, name, value)

    @classmethod
    def _param_names(cls) -> list[str]:
        skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return [p.name for p in parameters if p.kind not in skipped]

    def _check_params(self) -> None:
        """Raise a ValueError for the first parameter with an invalid value."""
        label = type(self).__name__
        for name, interval in self._parsed_intervals.items():
            interval.check(f"{label}: {name}", getattr(self, name))
        reduction = getattr(self, "reduction", "mean")
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"{label}: reduction={reduction!r} is unknown. "
                f"Expected one of {', '.join(map(repr, REDUCTIONS))}."
            )
        own = vars(self)  # a failing attribute lookup is slow in nn.Module
        for name in SWITCHES:
            value = own.get(name, False)
            if value not in (True, False):
                raise ValueError(f"{label}: {name}={value!r} is neither True nor False.")
        ignored = getattr(self, "ignore_index", None)
        if ignored is not None and not _is_whole(ignored):
            raise ValueError(
                f"{label}: ignore_index={ignored!r} is unknown. Expected None or a whole number."
            )

    def __add__(self, other: Loss | nn.Module | Callable[..., Tensor]) -> CompoundLoss:
        from .compound import add

        return add(self, other)

    def __radd__(self, other: Any) -> Loss:
        from .compound import add

        if isinstance(other, (int, float)) and other == 0:  # the start value of sum()
            return copy.deepcopy(self)
        return add(other, self)

    def __mul__(self, weight: float | Tensor) -> CompoundLoss:
        from .compound import scale

        return scale(self, weight)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        given = [
            f"{name}={describe(value)}"
            for name, value in self.get_params(deep=False).items()
            if not _is_same(value, defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(given)})"


def _is_same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    if isinstance(value, (bool, numbers.Real, str)) and isinstance(default, type(value)):
        return bool(value == default)
    return False


def _is_whole(value: Any) -> bool:
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_integer or (isinstance(value, float) and value.is_integer())
