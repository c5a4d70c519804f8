"""Presets: how much ``--quick``, ``--medium`` and ``--best`` do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The options that each preset sets. Those of "medium" are the defaults. "quick" and
#: "medium" train each fit alike, so that one can continue the other. Each has enough trials
#: for all losses of the default menu.
PRESETS: dict[str, dict[str, int]] = {
    "quick": {"trials": 20, "top": 3, "repeats": 1, "folds": 5, "epochs": 20, "width": 16},
    "medium": {"trials": 45, "top": 5, "repeats": 2, "folds": 5, "epochs": 20, "width": 16},
    "best": {"trials": 120, "top": 8, "repeats": 5, "folds": 5, "epochs": 60, "width": 16},
}

#: The options that only say how much to do, and may grow when a run continues.
AMOUNTS = ("trials", "top", "repeats")


def fill_in(given: Mapping[str, Any], preset: str | None) -> dict[str, Any]:
    """Return options, with those that are None set by a preset.

    Parameters
    ----------
    given : dict of str to object
        Options of the command.
    preset : {"quick", "medium", "best"} or None
        None is "medium".
    """
    defaults = PRESETS[preset or "medium"]
    unset = {name: value for name, value in defaults.items() if given.get(name) is None}
    return {**given, **unset}
