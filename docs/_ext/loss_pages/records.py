"""Scores of longer fits, from benchmarks/records."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[3] / "benchmarks" / "records"
SETS = {
    "nuclei": "nuclei, two classes (mean IoU)",
    "border": "nuclei with their rare border (mean IoU)",
    "scenes": "scenes of digits (mean IoU)",
    "digits": "digits, four of them rare (balanced accuracy)",
}


@cache
def scores(name: str) -> dict[str, float]:
    """Return the mean score after the last epoch, by loss at its defaults."""
    found: dict[str, list[float]] = {}
    for path in sorted(FOLDER.glob(f"{name}-*.npz")):
        with np.load(path) as record:
            labels, last = record["labels"].tolist(), record["scores"][..., -1].mean(1)
        for label in dict.fromkeys(labels):  # the defaults come first
            found.setdefault(label, []).append(float(last[labels.index(label)]))
    return {label: float(np.mean(values)) for label, values in found.items()}


def rows(name: str) -> list[tuple[str, float, float, str, int, int]]:
    """Return data set, score of cross entropy, score, label, rank, number of losses."""
    found = []
    for key, title in SETS.items():
        every = scores(key)
        order = sorted(every, key=lambda label: -every[label])
        for label in (name, f"dice+{name}"):
            if label in every:
                rank = 1 + order.index(label)
                baseline = every["cross_entropy"]
                found.append((title, baseline, every[label], label, rank, len(order)))
    return found
