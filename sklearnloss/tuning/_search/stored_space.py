"""The search space in a storage: its description, how it grows, and what must not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from .._evaluation.fingerprint import digest
from .._evaluation.identity import Entry, compare_entries, short
from .._space.hyperparameter import Free, quantiles_of
from .._space.search_space import Space

#: The attribute of a study that describes what its digests cover.
DETAILS = "search_details"


def describe_space(space: Space) -> dict[str, Any]:
    """Describe a space for JSON, with a digest of each loss and each range.

    Returns
    -------
    description : dict
        "losses" with what is "fixed" and "free" of each label, "order" with the labels and
        their estimator parameters, and "has_losses".
    """
    losses = {
        label: {
            "fixed": [", ".join(map(short, branch.fixed.values())), digest(branch.fixed)],
            "free": {name: describe_free(free) for name, free in branch.free.items()},
        }
        for label, branch in space.branches.items()
    }
    order = [[label, [f.key for f in b.free.values()]] for label, b in space.branches.items()]
    return {"losses": losses, "order": order, "has_losses": space.has_losses}


def find_changed_losses(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return how losses differ from those that had the same labels before."""
    found = []
    for label, loss in now["losses"].items():
        one, other = before.get("losses", {}).get(label, loss)["fixed"], loss["fixed"]
        found += compare_entries({f"loss {label!r}:": one}, {f"loss {label!r}:": other})
    return found


def describe_growth(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what was added, removed, or given another range since the last call.

    Parameters
    ----------
    before, now : dict
        Results of :func:`describe_space`, or of :func:`merge`.
    """
    old = before.get("losses", {})
    labels = before.get("current", list(old))
    what = "losses" if now["has_losses"] else "dicts in param_distributions"
    signed = [f"+ {label or 0}" for label in now["losses"] if label not in labels]
    signed += [f"- {label or 0}" for label in labels if label not in now["losses"]]
    found = [f"{what}: {', '.join(signed)}"] if signed else []
    free: list[str] = []
    for label, loss in now["losses"].items():
        if label in labels and old[label]["free"] != loss["free"]:
            free += compare_entries(_by_key(old[label]), _by_key(loss))
    return found + [f"range of {text}" for text in dict.fromkeys(free)]


def _by_key(loss: Mapping[str, Any]) -> dict[str, Entry]:
    """Return entries without the key of the parameter, which older storages do not have."""
    return {name: list(entry[:2]) for name, entry in loss["free"].items()}


def merge(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a study whose space has changed.

    It holds all losses that the study has ever had, with the latest ranges, so that none of them
    can be replaced by another one of the same name.
    """
    order = {label: list(names) for label, names in before.get("order", [])}
    for label, keys in now["order"]:
        order[label] = [*order.get(label, []), *(k for k in keys if k not in order.get(label, []))]
    merged = {
        "losses": {**before.get("losses", {}), **now["losses"]},
        "order": [[label, names] for label, names in order.items()],
        "has_losses": now["has_losses"],
        "current": list(now["losses"]),
    }
    older = before.get("older", None if "current" in before else before.get("losses"))
    return merged if older is None else {**merged, "older": older}


def older_losses(study: optuna.Study) -> dict[str, Any]:
    """Return the losses of a study of an older version, whose trials recorded no settings."""
    details = study.user_attrs.get(DETAILS)
    described = details.get("space") if isinstance(details, dict) else None
    if not isinstance(described, dict):
        return {}
    return dict(described.get("older") or described.get("losses") or {})


def arrange(space: Space, order: Sequence[tuple[str, Sequence[str]]]) -> Space:
    """Return the space in the order of a study: what it has first, then what is new.

    The order determines which candidates are proposed.

    Parameters
    ----------
    space : Space
        The search space.
    order : list of (str, list of str)
        Labels with estimator parameters; older storages have their names in Optuna's trials.
    """
    known = dict(order)
    labels = [*known, *(label for label in space.branches if label not in known)]
    return space.arranged(
        {
            label: _in_order(space.branches[label].free, known.get(label, []))
            for label in labels
            if label in space.branches
        }
    )


def _in_order(free: Mapping[str, Free], known: Sequence[str]) -> list[str]:
    def position(name: str) -> int:
        found = (k for k, each in enumerate(known) if each in (name, free[name].key))
        return next(found, len(known))

    return sorted(free, key=position)


def describe_free(free: Free) -> Entry:
    """Return a range as a user would write it, and a digest of it."""
    quantiles = [] if free.quantile is None else quantiles_of(free.quantile)
    return [free.range(), digest([free.key, repr(free.distribution), free.choices, quantiles])]
