"""Scores of longer fits, from benchmarks/records."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[3] / "benchmarks" / "records"
SETS = {
    "nuclei": "nuclei",
    "border": "nuclei and their rare rim",
    "scenes": "scenes of digits",
    "digits": "digits, four of them rare",
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


def rows(name: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return data set, score of cross entropy, and scores of the loss alone and beside Dice."""
    found = []
    for key, title in SETS.items():
        every = scores(key)
        order = sorted(every, key=lambda label: -every[label])
        written = {
            label: f"{every[label]:.3f} ({1 + order.index(label)} of {len(order)})"
            for label in ("cross_entropy", name, f"dice+{name}")
            if label in every
        }
        baseline = written.pop("cross_entropy")
        if written:
            found.append((title, baseline, written))
    return found
