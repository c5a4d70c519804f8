"""Searching: score against epochs beside other searches, overhead, workers.

    python benchmarks/search.py [--quick] [--json PATH] [--threads N] [--results PATH]
        [--sets nuclei,border:0,digits,scenes] [--seeds N] [--searches grid,race,...]
        [--tables quality,overhead,workers]

All searches choose among the same candidates, on the same folds, with the same initial
weights and batches, and are told the same metric. A callback counts every epoch that
is trained. What they find is trained on all that they saw and scored on images that they
did not see. Each search is a line of the file of results; a run that was stopped continues.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from rounds import (
    measure,
    median,
    parse_options,
    print_machine,
    print_table,
    take_turns,
    write_json,
)
from search_cases import Case, cases
from searches import SEARCHES, Choice, Counter
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import RandomizedSearchCV

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei

Line = dict[str, Any]


class Null(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns nothing at once: what a search around it costs is the search's own."""

    def __init__(self, a: float = 0.5, b: float = 0.5) -> None:
        self.a = a
        self.b = b

    def fit(self, X: Any, y: Any) -> Null:
        """Learn which classes there are."""
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        """Return the first class."""
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:
        """Return how near the parameters are to a point."""
        return -((self.a - 0.3) ** 2) - (self.b - 0.7) ** 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(
        __doc__,
        arguments,
        threads=1,
        seeds=1,
        results="",
        sets="nuclei,digits,scenes",
        searches=",".join(SEARCHES),
        tables="quality,overhead,workers",
    )
    torch.set_num_threads(options.threads)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print_machine()
    quick, wanted, tables = options.quick, options.tables.split(","), {}
    if "quality" in wanted:
        lines = Lines(Path(options.results) if options.results else None)
        sets = ["nuclei:0"] if quick else options.sets.split(",")
        run(lines, cases(sets, options.seeds, quick=quick), options.searches.split(","))
        tables["quality"] = quality(lines.all)
        print_table("Score on unseen images, epochs trained", tables["quality"])
    if "overhead" in wanted:
        tables["overhead"] = overhead(10 if quick else 100, 1 if quick else 5)
        print_table(
            "Milliseconds per candidate, 3 folds of an estimator that does nothing",
            tables["overhead"],
        )
    if "workers" in wanted:
        tables["workers"] = workers(quick=quick)
        print_table("Workers on this machine", tables["workers"])
    write_json(options.json, tables)


class Lines:
    """Results of all runs so far, each a line of JSON in a file."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        known = path.read_text().splitlines() if path is not None and path.exists() else []
        self.all: list[Line] = [json.loads(line) for line in known]

    def find(self, **key: Any) -> Line | None:
        """Return the result with these values."""
        return next((line for line in self.all if key.items() <= line.items()), None)

    def add(self, line: Line) -> Line:
        """Add a result."""
        self.all.append(line)
        print(line, flush=True)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return line


def run(lines: Lines, todo: Iterator[Case], names: Sequence[str]) -> None:
    """Run the searches that have no result yet."""
    is_warm = False
    for case in todo:
        for name in names:
            if lines.find(**case.key, search=name) is not None:
                continue
            if not is_warm:
                clone(case.model).set_params(max_epochs=1).fit(*case.seen)
                is_warm = True
            lines.add({**case.key, "search": name, **measured(lines, case, SEARCHES[name][1])})


def measured(lines: Lines, case: Case, search: Callable[[Case], Choice]) -> Line:
    """Run a search, and return what it has found at what price."""
    found: list[Any] = []
    Counter.epochs = 0
    cost = measure(lambda: found.extend(search(case)))
    epochs = Counter.epochs
    number, score = found
    return {
        "candidate": number,
        "params": case.candidates[number],
        "score": score,
        "unseen": unseen_score(lines, case, number),
        "epochs": epochs,
        "seconds": cost.wall,
        "CPU seconds": cost.cpu,
    }


def unseen_score(lines: Lines, case: Case, number: int) -> float:
    """Train a candidate on all seen images, unless some search has chosen it before."""
    known = lines.find(**case.key, candidate=number)
    if known is not None:
        return float(known["unseen"])
    model = clone(case.model).set_params(**case.candidates[number])
    return case.unseen_score(model.fit(*case.seen))


def quality(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return a row per data set and search: means over parts and seeds that all compare.

    Differences and shares are to GridSearchCV on the same part with the same seed.
    """
    everything = {_where(line): line for line in lines if line["search"] == "grid"}
    groups: dict[tuple[str, str], list[tuple[Line, Line]]] = {}
    for name in dict.fromkeys(line["set"] for line in lines):
        for search in SEARCHES:
            pairs = [
                (line, everything[_where(line)])
                for line in lines
                if line["set"] == name and line["search"] == search and _where(line) in everything
            ]
            if pairs:
                groups[name, search] = pairs
    return [
        {
            "set": name,
            "search": SEARCHES[search][0],
            "runs": len(pairs),
            "same choice": sum(one["candidate"] == all_["candidate"] for one, all_ in pairs),
            "unseen score": _mean([one["unseen"] for one, _ in pairs]),
            "less than all": _mean([all_["unseen"] - one["unseen"] for one, all_ in pairs]),
            "most less": max(all_["unseen"] - one["unseen"] for one, all_ in pairs),
            "share of epochs": _mean([one["epochs"] / all_["epochs"] for one, all_ in pairs]),
            "share of CPU seconds": _mean(
                [one["CPU seconds"] / all_["CPU seconds"] for one, all_ in pairs]
            ),
            "CPU seconds": _mean([one["CPU seconds"] for one, _ in pairs]),
            "seconds": _mean([one["seconds"] for one, _ in pairs]),
        }
        for (name, search), pairs in groups.items()
    ]


def _where(line: Line) -> tuple[Any, ...]:
    return line["set"], line["part"], line["seed"]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def overhead(n_trials: int, n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per search around an estimator that does nothing."""
    X, y = np.zeros((60, 2)), np.repeat([0, 1], 30)
    space: dict[str, Any] = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
    choices = {name: np.linspace(0, 1, 1000).tolist() for name in space}
    common: dict[str, Any] = {"cv": 3, "refit": False}
    ours: dict[str, Any] = {**common, "n_trials": n_trials, "param_distributions": space}
    no_pruner = optuna.pruners.NopPruner()
    folder = tempfile.TemporaryDirectory()
    paths = _paths(Path(folder.name))
    contenders: dict[str, Callable[[], Any]] = {
        "RandomizedSearchCV": lambda: RandomizedSearchCV(
            Null(), choices, n_iter=n_trials, **common
        ),
        "LossSearchCV, random, memory": lambda: LossSearchCV(
            Null(), sampler=optuna.samplers.RandomSampler(), pruner=no_pruner, **ours
        ),
        "LossSearchCV, no pruner, memory": lambda: LossSearchCV(Null(), pruner=no_pruner, **ours),
        "LossSearchCV, no pruner, journal": lambda: LossSearchCV(
            Null(), pruner=no_pruner, storage=next(paths), **ours
        ),
        "LossSearchCV, memory": lambda: LossSearchCV(Null(), **ours),
        "LossSearchCV, journal": lambda: LossSearchCV(Null(), storage=next(paths), **ours),
    }
    costs = take_turns(
        {name: lambda make=make: make().fit(X, y) for name, make in contenders.items()}, n_rounds
    )
    folder.cleanup()
    return [
        {
            "search": name,
            "ms per candidate": 1000 * median(costs[name]).wall / n_trials,
            "CPU ms per candidate": 1000 * median(costs[name]).cpu / n_trials,
        }
        for name in contenders
    ]


def _paths(folder: Path) -> Iterator[str]:
    k = 0
    while True:
        k += 1
        yield str(folder / f"{k}.journal")


def workers(*, quick: bool) -> list[dict[str, Any]]:
    """Return a row per number of workers; each trains with one thread."""
    X, y, _ = load_nuclei(tile=64)
    model = UNetSegmenter(width=2 if quick else 8, depth=2, max_epochs=2 if quick else 8)
    rows = []
    for n_jobs in (1, 2):
        search = LossSearchCV(
            model,
            ["dice", "focal", "cross_entropy", "hinge"],
            n_trials=2 if quick else 24,
            cv=3,
            refit=False,
            pruner=optuna.pruners.NopPruner(),
            random_state=0,
            n_jobs=n_jobs,
        )
        begun = time.perf_counter()
        search.fit(X[:32], y[:32])
        rows.append({"workers": n_jobs, "seconds": time.perf_counter() - begun})
    for row in rows:
        row["times as fast as one"] = rows[0]["seconds"] / row["seconds"]
    return rows


if __name__ == "__main__":
    main()
