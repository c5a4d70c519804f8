"""What results depend on: digests that tell whether it changed, and texts that say how."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from ..._utils.text import shorten
from .fingerprint import SILENT, as_text, digest

# Maximum number of differences that an error lists.
_MOST_SHOWN = 8

Entry = list[str]  # a text to show, and a digest to compare
Compare = Callable[[Any, Any], list[str]]


@dataclass
class Identity:
    """Everything on which the results in a storage depend.

    Attributes
    ----------
    digests : dict of str to str
        By subject, such as "data", "estimator", "scoring" and "random_state".
    details : dict
        By subject, text from which differences are described.
    """

    digests: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, subject: str, digested: Any, details: Any) -> None:
        """Add a subject, with the value to digest and the details to show."""
        self.digests[subject] = digest(digested)
        self.details[subject] = details

    def add_parts(self, X: Any, parts: Mapping[str, Entry], digested: Any, unit: str) -> None:
        """Add the data, with an entry for each part, such as "X" and "y".

        The ``unit`` names the items of X, such as "images".
        """
        self.add("data", digested, {"n": _num_samples(X), "unit": unit, "parts": dict(parts)})

    def add_estimator(self, estimator: Any) -> None:
        """Add the estimator with its parameters."""
        entries = {"estimator": [type(estimator).__name__, digest(type(estimator))]}
        for name, value in estimator.get_params().items():
            if name.rpartition("__")[2] not in SILENT:
                entries[name] = _describe_parameter(value)
        self.add("estimator", estimator, entries)

    def add_scoring(self, text: str, digested: Any) -> None:
        """Add the scorers, as a text and as what to digest."""
        self.add("scoring", digested, [text, digest(digested)])

    def add_seed(self, random_state: Any, seed: int) -> None:
        """Add the seed, which was derived from ``random_state``."""
        text = "a generator, which draws a new seed each time"
        if random_state is None or isinstance(random_state, numbers.Integral):
            text = short(random_state)
        self.add("random_state", seed, {"random_state": [text, digest(seed)]})


def differences(
    changed: list[str],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    others: Mapping[str, Compare] | None = None,
) -> list[str]:
    """Return a text for each difference, without those that only follow from others.

    Parameters
    ----------
    changed : list of str
        Subjects whose digests differ.
    before, now : dict
        The details of two identities.
    others : dict of str to callable, default=None
        How to compare further subjects.

    Returns
    -------
    differences : list of str
        Such as "data: 64 -> 32 images" and "estimator: lr 0.003 -> 0.01". Empty if no
        subject that can be compared has changed.
    """
    compare: dict[str, Compare] = {
        "data": _compare_data,
        "estimator": _compare_estimators,
        **(others or {}),
        "scoring": lambda one, other: compare_entries({"scoring": one}, {"scoring": other}),
    }
    found: list[str] = []
    for name in [name for name in compare if name in changed]:
        known = name in before
        found += (known and compare[name](before[name], now[name])) or [f"another {name}"]
    if "random_state" in changed:
        one, other = before.get("random_state", {}), now["random_state"]
        asked = {name: entry[0] for name, entry in one.items()}
        if not found or asked != {name: entry[0] for name, entry in other.items()}:
            found += compare_entries(one, other)
    return found


def listed(found: list[str]) -> str:
    """Return differences in one line, the first few of many."""
    shown = found[:_MOST_SHOWN]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more")
    return "; ".join(shown)


def compare_entries(before: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Return a text such as "lr 0.003 -> 0.01" for each entry that differs."""
    found = []
    for name in dict.fromkeys([*before, *now]):
        one, other = (part.get(name, ["none", ""]) for part in (before, now))
        if one[1] != other[1]:
            same = " (a different one)" if one[0] == other[0] else ""
            found.append(f"{name} {one[0]} -> {other[0]}{same}")
    return found


def _compare_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if before["n"] != now["n"]:
        return [f"data: {before['n']} -> {now['n']} {now['unit']}"]
    found = []
    for name in dict.fromkeys([*before["parts"], *now["parts"]]):
        one, other = (part["parts"].get(name, ["none", ""]) for part in (before, now))
        if one[1] != other[1]:
            what = "has other values" if one[0] == other[0] else f"{one[0]} -> {other[0]}"
            found.append(f"data: {name} {what}")
    return found


def _compare_estimators(before: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    found = compare_entries(before, now)
    if before["estimator"] != now["estimator"]:
        return found[:1]  # a different class, with different parameters
    return [f"estimator: {each}" for each in found]


def _describe_parameter(value: Any) -> Entry:
    """Describe a parameter; the parameters of a nested estimator are separate entries."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return [type(value).__name__, digest(type(value))]
    if isinstance(value, list) and any(_is_named(item) for item in value):  # pipeline steps
        names = [item[0] if _is_named(item) else item for item in value]
        return [short(names), digest(names)]
    return [short(value), digest(value)]


def _is_named(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) > 1 and isinstance(item[0], str)


def shape(value: Any) -> str:
    """Describe data by type and shape."""
    if hasattr(value, "shape"):
        kind = getattr(value, "dtype", type(value).__name__)
        return f"{kind} of shape {tuple(value.shape)}"
    return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else short(value)


def short(value: Any) -> str:
    """Describe a value in a few words."""
    if isinstance(value, np.ndarray) and value.ndim:
        return shape(value)
    text = getattr(value, "__qualname__", None) or as_text(value)
    return shorten(text)
