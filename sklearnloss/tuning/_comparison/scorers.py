"""The scorers of a comparison, by name."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.metrics import check_scoring

from ..._utils.text import shorten, text_keys, unique_name
from ...metrics._named import named_scorers
from .._evaluation.sklearn_private import MultimetricScorer


class NamedScorers(MultimetricScorer):  # type: ignore[misc]
    """Scorers that share one prediction and return a dict of floats.

    A single scorer may return several scores, which keep their own names.
    """

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> dict[str, float]:
        """Return the scores of an estimator by name."""
        found = super().__call__(estimator, X, y)
        ((name, first), *others) = found.items()
        if isinstance(first, Mapping) and not others:
            found = first
        if not found:
            raise ValueError(f"{name} returned no scores. Expected a number, or a dict of numbers.")
        return {str(each): _number(str(each), score) for each, score in found.items()}


def read_scoring(estimator: Any, scoring: Any) -> dict[str, Any]:
    """Return scorers by name; the first one is compared.

    Raises
    ------
    TypeError, ValueError
        If there is none, or if scikit-learn does not accept it.
    """
    if isinstance(scoring, Mapping):
        named = text_keys(scoring, "scoring")
    elif scoring is None or isinstance(scoring, str) or callable(scoring):
        named = {_name(scoring): scoring}
    elif isinstance(scoring, Iterable):
        named = {}
        for each in scoring:
            named[unique_name(_name(each), named)] = each
    else:
        raise TypeError(f"scoring={scoring!r}: expected a name, a callable, or several of them.")
    if not named:
        raise ValueError("scoring is empty. Expected at least one scorer, or None.")
    return {
        name: check_scoring(estimator, named_scorers(each, estimator))
        for name, each in named.items()
    }


def _name(scorer: Any) -> str:
    if scorer is None:
        return "score"
    function = getattr(scorer, "_score_func", scorer)
    return scorer if isinstance(scorer, str) else _own_name(function)


def _own_name(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


def _number(name: str, score: Any) -> float:
    """Return a score as a float, also if it is an array or tensor of one element."""
    value = score
    if hasattr(score, "item"):
        with contextlib.suppress(ValueError, RuntimeError):  # it has several elements
            value = score.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(
            f"The scorer {name} returned {shorten(repr(score), 60)}. Expected a number, or a dict "
            f"of numbers by name."
        )
    return float(value)
