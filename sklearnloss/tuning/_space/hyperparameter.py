"""Free parameters: conversion of a user's range, choices or distribution to Optuna's."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ..._utils.text import shorten
from .._evaluation.fingerprint import in_order
from .._evaluation.identity import short

# Keeps the quantiles of an unbounded scipy distribution finite.
_TAIL = 1e-6


@dataclass(frozen=True)
class Free:
    """A parameter of the estimator whose value the search chooses.

    Parameters
    ----------
    key : str
        The estimator's parameter, such as "unetsegmenter__loss__gamma".
    distribution : optuna.distributions.BaseDistribution
        The distribution to sample from.
    choices : tuple, default=None
        The values that the labels of a categorical distribution stand for, if Optuna's
        storages cannot hold the values themselves.
    quantile : scipy frozen distribution, default=None
        Converts the sampled quantile into the value.
    optional : bool, default=False
        Whether a default outside the distribution may be tried first.
    """

    key: str
    distribution: BaseDistribution
    choices: tuple[Any, ...] | None = None
    quantile: Any = None
    optional: bool = False

    def decode(self, sampled: Any) -> Any:
        """Return the parameter's value for Optuna's value."""
        if self.choices is not None:
            return self.choices[self.distribution.choices.index(sampled)]  # type: ignore[attr-defined]
        if self.quantile is not None:
            value = self.quantile.ppf(sampled)
            return int(value) if _is_discrete(self.quantile) else float(value)
        return sampled

    def encode(self, value: Any) -> Any:
        """Return Optuna's value for the parameter's value.

        Raises
        ------
        LookupError
            If the value is outside the distribution.
        """
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            behind = distribution.choices if self.choices is None else self.choices
            for label, choice in zip(distribution.choices, behind, strict=True):
                if choice is value or (type(choice) is type(value) and _equal(choice, value)):
                    return label
        elif self.quantile is None and _is_number(value) and distribution._contains(float(value)):
            return self._on_grid(float(value))
        raise LookupError(f"{value!r} is not in {distribution}.")

    def find(self, value: Any) -> Any:
        """Return Optuna's value as :meth:`encode` does, also for a scipy distribution.

        Raises
        ------
        LookupError
            If the value is outside the distribution.
        """
        if self.quantile is None:
            return self.encode(value)
        if _is_number(value):
            sampled = float(self.quantile.cdf(value))
            if self.distribution._contains(sampled):
                found = self.decode(sampled)
                if math.isclose(found, value, rel_tol=1e-9, abs_tol=1e-12):
                    return sampled
        raise LookupError(f"{value!r} is not in {self.range()}.")

    def range(self) -> str:
        """Return the range as a user would write it."""
        distribution: Any = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return short(list(self.choices or distribution.choices))
        if self.quantile is not None:
            name, low, median, high = quantiles_of(self.quantile)[:4]
            return f"{name} with quantiles {low:.4g}, {median:.4g}, {high:.4g}"
        more = ["'log'"] if distribution.log else []
        more += [f"step {distribution.step}"] if distribution.step not in (None, 1) else []
        return f"({', '.join([f'{distribution.low:g}', f'{distribution.high:g}', *more])})"

    def _on_grid(self, value: float) -> int | float:
        """Return a number as Optuna samples it, of the same type and without rounding errors."""
        if isinstance(self.distribution, IntDistribution):
            return round(value)
        steps = self.values()
        return value if steps is None else float(min(steps, key=lambda step: abs(step - value)))

    def values(self) -> list[Any] | None:
        """Return all values that can be sampled, None if their number is infinite."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        if isinstance(distribution, IntDistribution):
            return [*range(distribution.low, distribution.high + 1, distribution.step)]
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            low, high, step = distribution.low, distribution.high, distribution.step
            return [min(low + k * step, high) for k in range(round((high - low) / step) + 1)]
        return None


def quantiles_of(distribution: Any) -> list[Any]:
    """Return values that distinguish one scipy distribution from another."""
    name = getattr(distribution, "dist", distribution).name
    return [name, *distribution.ppf([0.1, 0.5, 0.9]), *distribution.support()]


def read_free(key: str, given: Any, *, optional: bool = False) -> Free:
    """Convert a user's range, choices or distribution of a parameter.

    Parameters
    ----------
    key : str
        The estimator's parameter.
    given : distribution, tuple, list or other collection
        An Optuna distribution, a frozen scipy distribution, ``(low, high)``,
        ``(low, high, "log")``, or the choices: a list, a range, a set, or a
        one-dimensional array or pandas Series.
    optional : bool, default=False
        As in :class:`Free`.

    Returns
    -------
    free : Free

    Raises
    ------
    TypeError
        If it is a single value, or a generator.
    ValueError
        If it is not a range, or there are no choices.
    """
    if isinstance(given, BaseDistribution):
        return Free(key, given, optional=optional)
    if hasattr(given, "rvs"):
        return _from_scipy(key, given)
    if isinstance(given, tuple):
        return Free(key, _range(key, given), optional=optional)
    return _from_choices(key, read_choices(key, given), optional)


def read_choices(key: str, given: Any) -> tuple[Any, ...]:
    """Return the elements of a list, range, set, 1-D array or Series.

    Raises
    ------
    TypeError
        If it is anything else, as in scikit-learn's searches.
    ValueError
        If it is an array with more than one dimension.
    """
    if isinstance(given, set | frozenset):
        return tuple(in_order(given))
    if hasattr(given, "ndim") and hasattr(given, "shape"):  # an array, a tensor, a Series
        array = given if hasattr(given, "tolist") else np.asarray(given)
        if array.ndim != 1:
            raise ValueError(
                f"{key}: an array of shape {tuple(array.shape)} is not a list of choices. Expected "
                f"one dimension."
            )
        return tuple(array.tolist())
    if isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray):
        return tuple(given)
    raise TypeError(
        f"{key}: {shorten(repr(given))}, of type "
        f"{type(given).__name__}, is not a list of choices. Expected a list (of one element for a "
        f"single value), a range (low, high) or (low, high, 'log'), or a distribution of "
        f"Optuna or scipy."
    )


def _range(key: str, given: tuple[Any, ...]) -> BaseDistribution:
    plain = [value.item() if isinstance(value, np.generic) else value for value in given]
    low, high, *scale = plain if len(plain) in (2, 3) else [math.nan, math.nan]
    finite = all(type(value) in (int, float) and math.isfinite(value) for value in (low, high))
    if not finite or scale not in ([], ["log"]) or low > high or (scale and low <= 0):
        raise ValueError(
            f"{key}: {given!r} is not a range. Expected (low, high), (low, high, 'log') with "
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
    """Return a name for a choice that is the same in every process."""
    if isinstance(choice, tuple | list):
        return f"({', '.join(_short(item) for item in choice)})"
    if choice is None or isinstance(choice, bool | int | float | str):
        return repr(choice)
    return getattr(choice, "__name__", type(choice).__name__)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _equal(one: Any, other: Any) -> bool:
    """Compare two values of one type; arrays are equal if all of their elements are."""
    return bool(np.all(one == other))


def _from_scipy(key: str, given: Any) -> Free:
    """Return scipy's uniform, loguniform and randint as ranges, others by their quantiles."""
    if not hasattr(given, "ppf") or not hasattr(given, "support"):
        raise ValueError(
            f"{key}: {given!r} can be sampled, but has no quantiles. Expected a frozen "
            f"distribution of scipy.stats, such as loguniform(1e-4, 1e-1), or a list of choices."
        )
    kind, (low, high) = getattr(given, "dist", given).name, given.support()
    if kind == "uniform":
        return Free(key, FloatDistribution(float(low), float(high)))
    # With loc=, it is not uniform in the logarithm of the sampled value.
    plain = low > 0 and math.isclose(given.median(), math.sqrt(low * high), rel_tol=1e-9)
    if kind in ("loguniform", "reciprocal") and plain:
        return Free(key, FloatDistribution(float(low), float(high), log=True))
    if kind == "randint":
        return Free(key, IntDistribution(int(low), int(high)))
    return Free(key, FloatDistribution(_TAIL, 1 - _TAIL), quantile=given)


def _is_discrete(distribution: Any) -> bool:
    return hasattr(getattr(distribution, "dist", distribution), "pmf")
