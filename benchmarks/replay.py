"""Replay searches on recorded curves, without training: how many epochs, and how good a choice.

    python benchmarks/replay.py FOLDER [--races 100] [--candidates 50] [--json PATH] [--plot PNG]

FOLDER holds the files of ``curves.py``. A search sees a random choice of the recorded candidates,
the defaults of the losses first, on the recorded folds in random order. Its choice is compared
with that of training all candidates,

- by the mean score over all folds, which decides between candidates, and
- by the score on unseen images, or with another seed, which no search has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from contenders import SEARCHES, Choice, Search, race
from rounds import print_table, write_json

Array = np.ndarray

#: The largest loss of score that does not matter.
CLOSE = 0.005


class Record(NamedTuple):
    """The curves of one data set and seed.

    Attributes
    ----------
    scores : ndarray of shape (n, n_folds, n_epochs)
    images : ndarray of shape (n, n_folds, n_epochs, n_images)
    unseen : ndarray of shape (n,)
        The quality of each candidate, from images or a seed that no search sees.
    labels : ndarray of shape (n,)
        The loss of each candidate.
    """

    scores: Array
    images: Array
    unseen: Array
    labels: Array

    def draw(self, n: int, rng: np.random.Generator) -> Record:
        """Return some of the candidates, defaults first, on the folds in random order."""
        first = np.unique(self.labels, return_index=True)[1]
        others = np.setdiff1d(np.arange(len(self.labels)), first)
        order = np.concatenate([rng.permutation(first), rng.permutation(others)])[:n]
        folds = rng.permutation(self.scores.shape[1])
        return Record(
            self.scores[order][:, folds],
            self.images[order][:, folds],
            self.unseen[order],
            self.labels[order],
        )


def read(folder: Path) -> dict[str, list[Record]]:
    """Return the records of each data set, one per seed."""
    found: dict[str, list[dict[str, Array]]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            found.setdefault(path.stem.rpartition("-")[0], []).append(dict(file))
    return {name: _records(seeds) for name, seeds in found.items()}


def _records(seeds: list[dict[str, Array]]) -> list[Record]:
    finals = [each["scores"][..., -1].astype(float).mean(1) for each in seeds]
    records = []
    for k, each in enumerate(seeds):
        others = [final for j, final in enumerate(finals) if j != k]
        unseen = each.get("unseen", np.full((1, 1), np.nan)).astype(float)
        if np.isfinite(unseen).any():
            quality = unseen.mean(1)
        elif others:
            quality = np.mean(others, axis=0)
        else:
            quality = np.full(len(finals[k]), np.nan)
        scores, images = each["scores"].astype(float), each["images"]
        records.append(Record(scores, images, quality, each["labels"]))
    return records


def replay(search: Search, records: Sequence[Record], n_races: int, n: int) -> dict[str, float]:
    """Return how a search does on average over races on some records."""
    rows = []
    for record in records:
        rng = np.random.default_rng(0)  # the same races for all searches
        for _ in range(n_races):
            drawn = record.draw(n, rng)
            finals = drawn.scores[..., -1].mean(1)
            best = int(np.nanargmax(finals))
            found = search(drawn.scores, drawn.images)
            rows.append(
                (
                    found.epochs / drawn.scores.size,
                    finals[best] - finals[found.candidate],
                    drawn.unseen[best] - drawn.unseen[found.candidate],
                )
            )
    share, behind, unseen = np.array(rows, dtype=float).T
    return {
        "share of epochs": float(share.mean()),
        "behind, mean": float(np.nanmean(behind)),
        f"within {CLOSE}": float((behind <= CLOSE).mean()),
        "unseen: behind, mean": float(np.nanmean(unseen)),
        f"unseen: within {CLOSE}": float((unseen <= CLOSE).mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay all searches, and print a table per data set and one over all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--races", type=int, default=100, help="per data set and seed")
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a picture of a race on each data set")
    options = parser.parse_args(arguments)
    records = read(options.folder)
    tables: dict[str, Any] = {}
    n_races, n = options.races, options.candidates
    for name, each in records.items():
        rows = [{"search": key, **replay(s, each, n_races, n)} for key, s in SEARCHES.items()]
        tables[name] = rows
        print_table(f"{name}: {n_races} races with each of {len(each)} seeds", rows)
    tables["all"] = [_mean([table[k] for table in tables.values()]) for k in range(len(SEARCHES))]
    print_table("Mean over the data sets", tables["all"])
    tables["tolerance"] = choose_tolerance(records, max(1, n_races // 4), n)
    print_table("Tolerance chosen on the other data sets", tables["tolerance"])
    write_json(options.json, tables)
    if options.plot:
        plot(records, n, options.plot)


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = [key for key in rows[0] if key != "search"]
    return {"search": rows[0]["search"]} | {
        key: float(np.nanmean([row[key] for row in rows])) for key in keys
    }


def choose_tolerance(
    records: dict[str, list[Record]], n_races: int, n: int
) -> list[dict[str, Any]]:
    """Return how the race does with a tolerance that was chosen without a data set.

    The largest tolerance is chosen that loses no more than a thousandth on unseen images,
    on average over the other data sets, compared with the smallest one.
    """
    values = (0.025, 0.05, 0.1, 0.2, 0.4)
    found = {
        (name, value): replay(race(value), each, n_races, n)
        for name, each in records.items()
        for value in values
    }
    rows = []
    for name in records:
        others = [other for other in records if other != name]
        key = "unseen: behind, mean"
        lost = {v: float(np.nanmean([found[o, v][key] for o in others])) for v in values}
        good = [v for v in values if not lost[v] > lost[values[0]] + 0.001]
        rows.append({"data set": name, "tolerance": max(good), **found[name, max(good)]})
    return rows


def plot(records: dict[str, list[Record]], n: int, path: Path) -> None:
    """Draw how long each candidate of a race was trained, against how good it is."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(records), figsize=(4 * len(records), 4), squeeze=False)
    for ax, (name, each) in zip(axes[0], records.items(), strict=True):
        drawn = each[0].draw(n, np.random.default_rng(0))
        found: Choice = race()(drawn.scores, drawn.images)
        finals, n_epochs = drawn.scores[..., -1].mean(1), drawn.scores.shape[2]
        order = np.argsort(-np.nan_to_num(finals, nan=-1.0), kind="stable")
        folds = np.array(found.ends)[order] / n_epochs
        colors = ["C1" if k == found.candidate else "C0" for k in order]
        ax.bar(np.arange(len(order)) + 1, folds, color=colors)
        share = found.epochs / drawn.scores.size
        ax.set_title(f"{name}: {share:.0%} of all epochs")
        ax.set_xlabel("candidates, the best in all folds first")
        ax.set_ylabel("folds trained" if ax is axes[0][0] else "")
        ax.set_ylim(0, drawn.scores.shape[1])
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
