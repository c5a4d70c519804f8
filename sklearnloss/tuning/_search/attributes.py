"""Validation of the attributes that a search stores in its trials."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

_OWNER = {"host": str, "search": str, "call": str}
_RESULTS = {"folds": list, "reports": list, "epochs": Real}
_FOLD = {"fit_time": Real, "score_time": Real}


def find_invalid_attribute(attrs: Mapping[str, Any]) -> str | None:
    """Return the name of an attribute that no search can have written, or None.

    Parameters
    ----------
    attrs : dict
        The user attributes of a trial that says which candidate it is of.
    """
    checks = {
        "candidate": type(attrs.get("candidate")) is int,
        "owner": _has(attrs.get("owner"), _OWNER),
        "results": _is_results(attrs.get("results")),
        "deaths": _is_deaths(attrs.get("deaths", [[], 0])),
        "n_before": isinstance(attrs.get("n_before", 0), int),
        "beat": isinstance(attrs.get("beat", 0), int),
    }
    return next((name for name, right in checks.items() if not right), None)


def _has(value: Any, kinds: Mapping[str, type]) -> bool:
    """Tell whether something is a dict with all that is expected."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind) for name, kind in kinds.items()
    )


def _is_results(results: Any) -> bool:
    if results is None:  # nothing is saved so far
        return True
    if not _has(results, _RESULTS):
        return False
    outcome = results.get("outcome", ["FAIL", None])
    return (
        all(_has(fold, _FOLD) and "scores" in fold for fold in results["folds"])
        and all(_is_pair(report) for report in results["reports"])
        and _is_pair(outcome)
        and outcome[0] in ("COMPLETE", "PRUNED", "FAIL")
    )


def _is_deaths(deaths: Any) -> bool:
    return _is_pair(deaths) and isinstance(deaths[0], list) and isinstance(deaths[1], int)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2
