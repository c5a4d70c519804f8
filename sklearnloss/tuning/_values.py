"""Free parameters: a user's range, choices or distribution as one of Optuna's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

# Quantiles of an unbounded scipy distribution end before infinity.
_TAIL = 1e-6


@dataclass(frozen=True)
class Free:
    """One parameter of the estimator that the search chooses.

    Parameters
    ----------
    key : str
        The estimator's parameter, such as "unetsegmenter__loss__gamma".
    distribution : optuna.distributions.BaseDistribution
        What is sampled.
    choices : tuple, default=None
        What the labels of a categorical distribution stand for, where Optuna's
        storages cannot hold the values themselves.
    quantile : scipy frozen distribution, default=None
        Turns what is sampled, a quantile, into the value.
    optional : bool, default=False
        Whether a default outside of the distribution may be tried first.
    """

    key: str
    distribution: BaseDistribution
    choices: tuple[Any, ...] | None = None
    quantile: Any = None
    optional: bool = False

    def decode(self, sampled: Any) -> Any:
        """Return the parameter's value for what Optuna holds."""
        if self.choices is not None:
            return self.choices[self.distribution.choices.index(sampled)]  # type: ignore[attr-defined]
        if self.quantile is not None:
            value = self.quantile.ppf(sampled)
            return value.item() if hasattr(value, "item") else value
        return sampled

    def encode(self, value: Any) -> Any:
        """Return what Optuna holds for a value.

        Raises
        ------
        LookupError
            If the value is outside of the distribution.
        """
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            behind = distribution.choices if self.choices is None else self.choices
            for label, choice in zip(distribution.choices, behind, strict=True):
                if choice is value or (type(choice) is type(value) and choice == value):
                    return label
        elif self.quantile is None and type(value) in (int, float):
            internal = distribution.to_internal_repr(value)
            if distribution._contains(internal):
                return value
        raise LookupError(f"{value!r} is not in {distribution}.")

    def values(self) -> list[Any] | None:
        """Return all that can be sampled, None if that is endless."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        if isinstance(distribution, IntDistribution):
            return list(range(distribution.low, distribution.high + 1, distribution.step))
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            n_steps = round((distribution.high - distribution.low) / distribution.step)
            return [distribution.low + k * distribution.step for k in range(n_steps + 1)]
        return None


def read_free(key: str, given: Any, *, optional: bool = False) -> Free:
    """Read what a user gave for a parameter.

    Parameters
    ----------
    key : str
        The estimator's parameter.
    given : distribution, tuple, list or other
        An Optuna distribution, a frozen scipy distribution, ``(low, high)``,
        ``(low, high, "log")``, or the choices. Anything else is the only choice.
    optional : bool, default=False
        As in :class:`Free`.

    Returns
    -------
    free : Free

    Raises
    ------
    ValueError
        If it is no range and holds no choice.
    """
    if isinstance(given, BaseDistribution):
        return Free(key, given, optional=optional)
    if hasattr(given, "rvs") and hasattr(given, "ppf"):
        return _from_scipy(key, given)
    if isinstance(given, tuple):
        return Free(key, _range(key, given), optional=optional)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    choices = tuple(given) if isinstance(given, list | range | set) else (given,)
    return _from_choices(key, choices, optional)


def _range(key: str, given: tuple[Any, ...]) -> BaseDistribution:
    low, high, *scale = given if len(given) in (2, 3) else (None, None)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
    if not numbers or scale not in ([], ["log"]) or low > high or (scale and low <= 0):
        raise ValueError(
            f"{key}: {given!r} is no range. Expected (low, high), (low, high, 'log') with "
            f"0 < low <= high, a list of choices, or a distribution of Optuna or scipy."
        )
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=bool(scale))
    return FloatDistribution(float(low), float(high), log=bool(scale))


def _from_choices(key: str, choices: tuple[Any, ...], optional: bool) -> Free:
    if not choices:
        raise ValueError(f"{key}: the list of choices is empty. Expected at least one.")
    plain = tuple(c.item() if isinstance(c, np.generic) else c for c in choices)
    if all(c is None or isinstance(c, bool | int | float | str) for c in plain):
        return Free(key, CategoricalDistribution(_distinct(plain)), optional=optional)
    labels = [f"{k}: {_short(choice)}" for k, choice in enumerate(choices)]
    return Free(key, CategoricalDistribution(labels), choices, optional=optional)


def _distinct(choices: tuple[Any, ...]) -> list[Any]:
    """Return the choices without repeats; 1, 1.0 and True are different."""
    return list({(type(choice), choice): choice for choice in choices}.values())


def _short(choice: Any) -> str:
    """Name a choice, the same in every process."""
    if isinstance(choice, tuple | list):
        return repr(choice)
    return getattr(choice, "__name__", type(choice).__name__)


def _from_scipy(key: str, frozen: Any) -> Free:
    """Return scipy's uniform, loguniform and randint as ranges, others by their quantiles."""
    kind, (low, high) = frozen.dist.name, frozen.support()
    if kind == "uniform":
        return Free(key, FloatDistribution(float(low), float(high)))
    if kind in ("loguniform", "reciprocal"):
        return Free(key, FloatDistribution(float(low), float(high), log=True))
    if kind == "randint":
        return Free(key, IntDistribution(int(low), int(high)))
    return Free(key, FloatDistribution(_TAIL, 1 - _TAIL), quantile=frozen)
