"""The best settings of each loss that a search found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .._utils.text import plural

Settings = dict[str, Any]

_STATES = {"COMPLETE": "completed", "PRUNED": "stopped early", "FAIL": "failed"}


def best_first(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a search's losses by the score of their best settings.

    Losses whose candidates were all stopped early come last.

    Parameters
    ----------
    found : dict of str to dict
        A search's ``best_per_loss_``.
    """
    return sorted(found, key=lambda label: _order(found[label]))


def _order(best: Mapping[str, Any]) -> tuple[bool, float]:
    return best["state"] != "COMPLETE", -best["score"]


def describe_search(results: Mapping[str, Any]) -> list[str]:
    """Return lines that say how many candidates there were, and how they ended."""
    states = Counter(map(str, results["trial_state"]))
    parts = [f"{states[state]} {word}" for state, word in _STATES.items() if states[state]]
    n_settings, n_losses = len(results["params"]), len(set(map(str, results["loss"])))
    lines = [
        f"Tried {plural(n_settings, 'setting')} of {plural(n_losses, 'loss', 'losses')}: "
        f"{', '.join(parts)}."
    ]
    for row, outcome in enumerate(results["outcome"]):
        if outcome not in ("complete", "pruned"):
            lines.append(f"  {results['loss'][row]}: {results['reason'][row]}")
    return list(dict.fromkeys(lines))


def describe_settings(settings: Mapping[str, Settings]) -> list[str]:
    """Return a line with the settings of each loss.

    Examples
    --------
    >>> from sklearnloss._compare_command._best import describe_settings
    >>> describe_settings({"focal": {"loss": "focal", "loss__gamma": 1.23456}, "bce": {}})
    ['  focal  gamma=1.23', '  bce    its defaults']
    """
    width = max(map(len, settings))
    return [f"  {label.ljust(width)}  {describe_own(params)}" for label, params in settings.items()]


def describe_own(params: Settings) -> str:
    """Return the parameters of a loss in words."""
    return ", ".join(map(_spoken, _own(params))) or "its defaults"


def _own(params: Settings) -> list[tuple[str, Any]]:
    return [(key.partition("loss__")[2], v) for key, v in params.items() if "loss__" in key]


def _spoken(setting: tuple[str, Any]) -> str:
    name, value = setting
    return f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
