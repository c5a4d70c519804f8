"""Confusion counts of all fits, and the scores of single classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fits import FitTable

Array = NDArray[Any]

#: Number of classes that a table shows; the others are joined.
MOST_SHOWN = 12


def sum_confusion(fits: FitTable) -> tuple[list[str], dict[str, Array]]:
    """Return the names of the classes, and the counts of each loss over its fits.

    Losses whose fits have not all kept their counts are left out.
    """
    kept = {label: fits.kept_of(k) for k, label in enumerate(fits.labels)}
    names: dict[str, None] = {}
    multilabel = False
    for each in (each["confusion"] for rows in kept.values() for each in rows if _has(each)):
        names |= dict.fromkeys(each["labels"])
        multilabel |= len(each["shape"]) == 3
    order = {name: k for k, name in enumerate(names)}
    shape = (len(order), 2, 2) if multilabel else (len(order), len(order))
    totals = {}
    for k, (label, rows) in enumerate(kept.items()):
        finished = int((fits.status[k] == "ok").sum())
        counted = [each["confusion"] for each in rows if _has(each)]
        if not finished or len(counted) < finished:
            continue
        totals[label] = np.zeros(shape, dtype=np.int64)
        for each in counted:
            _add(totals[label], each, [order[name] for name in each["labels"]])
    return list(order), totals


def _has(kept: dict[str, Any]) -> bool:
    return bool(kept.get("confusion"))


def _add(total: Array, counts: dict[str, Any], where: Sequence[int]) -> None:
    multilabel = total.ndim == 3
    for *at, count in counts["counts"]:
        first, second, *rest = at
        place = (where[first], second, *rest) if multilabel else (where[first], where[second])
        total[place] += count


def overlaps(counts: Array) -> tuple[Array, Array, Array]:
    """Return true positives, predicted and true counts of each class, of shape (n_classes,)."""
    if counts.ndim == 3:  # [[tn, fp], [fn, tp]] of each class
        tp = counts[:, 1, 1]
        return tp, tp + counts[:, 0, 1], tp + counts[:, 1, 0]
    return counts.diagonal(), counts.sum(0), counts.sum(1)


def dice(counts: Array) -> Array:
    """Return 2 TP / (predicted + true) of each class, nan if it does not occur."""
    tp, predicted, true = overlaps(counts)
    return _ratio(2 * tp, predicted + true)


def iou(counts: Array) -> Array:
    """Return TP / (predicted + true - TP) of each class, nan if it does not occur."""
    tp, predicted, true = overlaps(counts)
    return _ratio(tp, predicted + true - tp)


def recall(counts: Array) -> Array:
    """Return the share of each class that was found, nan if it does not occur."""
    tp, _, true = overlaps(counts)
    return _ratio(tp, true)


def precision(counts: Array) -> Array:
    """Return the share of what was predicted as each class that is right."""
    tp, predicted, _ = overlaps(counts)
    return _ratio(tp, predicted)


def _ratio(above: Array, below: Array) -> Array:
    ratio: Array = np.where(below > 0, above / np.maximum(below, 1), np.nan)
    return ratio


def join_rare(names: Sequence[str], counts: Array) -> tuple[list[str], Array]:
    """Join all but the most frequent classes of a matrix, if there are too many to show.

    Returns
    -------
    names : list of str
        At most 12.
    counts : ndarray of shape (n, n)
        With the joined classes last.
    """
    if len(names) <= MOST_SHOWN:
        return list(names), counts
    order = np.argsort(-counts.sum(1), kind="stable")
    kept = np.sort(order[: MOST_SHOWN - 1])
    group = np.full(len(names), MOST_SHOWN - 1)
    group[kept] = np.arange(len(kept))
    joined: Array = np.zeros((MOST_SHOWN, MOST_SHOWN), dtype=counts.dtype)
    np.add.at(joined, (group[:, None], group[None, :]), counts)
    return [*(names[k] for k in kept), f"{len(names) - len(kept)} others"], joined
