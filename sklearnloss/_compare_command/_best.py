"""Each loss's best settings, as a search found them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Settings = dict[str, Any]

_STATES = {"COMPLETE": "completed", "PRUNED": "stopped early", "FAIL": "failed"}


def best_settings(results: Mapping[str, Any], n_losses: int) -> dict[str, Settings]:
    """Return the best settings of the losses that scored best.

    Candidates that were stopped early come after those that were completed, the one
    that was stopped last first; those that failed or diverged are left out.

    Parameters
    ----------
    results : dict of str to ndarray
        A search's ``cv_results_``.
    n_losses : int
        How many losses to return.

    Returns
    -------
    settings : dict of str to dict
        The estimator's parameters by the loss's name, the best first.

    Raises
    ------
    ValueError
        If there is none; says why candidates failed.
    """
    rows = [row for row in range(len(results["params"])) if _is_sound(results, row)]
    if not rows:
        reasons = Counter(str(reason) for reason in results["reason"])
        told = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
        raise ValueError(f"All {len(results['params'])} candidates failed: {told}.")
    found: dict[str, Settings] = {}
    for row in sorted(rows, key=lambda row: _order(results, row)):
        found.setdefault(str(results["loss"][row]), dict(results["params"][row]))
    return dict(list(found.items())[:n_losses])


def _is_sound(results: Mapping[str, Any], row: int) -> bool:
    diverged = str(results["reason"][row]).startswith("diverged")
    return results["trial_state"][row] in ("COMPLETE", "PRUNED") and not diverged


def _order(results: Mapping[str, Any], row: int) -> tuple[int, int, int]:
    stopped = results["trial_state"][row] != "COMPLETE"
    return int(results["rank_test_score"][row]), -int(results["n_epochs"][row]) * stopped, row


def describe_search(results: Mapping[str, Any]) -> list[str]:
    """Say how many candidates there were, and what became of them."""
    states = Counter(map(str, results["trial_state"]))
    parts = [f"{states[state]} {word}" for state, word in _STATES.items() if states[state]]
    n_losses = len(set(map(str, results["loss"])))
    lines = [
        f"Tried {len(results['params'])} settings of {n_losses} "
        f"{'loss' if n_losses == 1 else 'losses'}: {', '.join(parts)}."
    ]
    for row, reason in enumerate(results["reason"]):
        if not _is_sound(results, row):
            lines.append(f"  {results['loss'][row]}: {reason}")
    return list(dict.fromkeys(lines))


def describe_settings(settings: Mapping[str, Settings]) -> list[str]:
    """Say which settings each loss has.

    Examples
    --------
    >>> from sklearnloss._compare_command._best import describe_settings
    >>> describe_settings({"focal": {"loss": "focal", "loss__gamma": 1.23456}, "bce": {}})
    ['  focal  gamma=1.23', '  bce    its defaults']
    """
    width = max(map(len, settings))
    return [
        f"  {label.ljust(width)}  {', '.join(map(_spoken, _own(params))) or 'its defaults'}"
        for label, params in settings.items()
    ]


def _own(params: Settings) -> list[tuple[str, Any]]:
    return [(key.partition("loss__")[2], v) for key, v in params.items() if "loss__" in key]


def _spoken(setting: tuple[str, Any]) -> str:
    name, value = setting
    return f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
