"""Threads: one fit alone, and two side by side.

    python benchmarks/threads.py [--quick] [--json PATH] [--rounds N]

Every row is a fresh process, or two; seconds are those of the fits alone. A thread
that has nothing to do keeps its core busy for a while, as long as the package sets
(``GOMP_SPINCOUNT``); with "passive" it sleeps at once.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Sequence
from typing import Any

from children import result, start
from rounds import Cost, measure, parse_options, print_machine, print_table, write_json
from sklearn.model_selection import GridSearchCV
from tasks import blobs, digits

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
ONE = {"OMP_NUM_THREADS": "1"}
# What runs: how many processes, in which environment, doing what.
CASES: dict[str, tuple[int, dict[str, str], str]] = {
    "one fit, one thread": (1, ONE, "fit"),
    "one fit, all cores": (1, {}, "fit"),
    "one fit, all cores, passive": (1, PASSIVE, "fit"),
    "two fits side by side, one thread each": (2, ONE, "fit"),
    "two fits side by side, all cores each": (2, {}, "fit"),
    "two fits side by side, all cores each, passive": (2, PASSIVE, "fit"),
    "GridSearchCV of two, n_jobs=1, all cores": (1, {}, "search 1"),
    "GridSearchCV of two, n_jobs=2": (1, {}, "search 2"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, rounds=5)
    print_machine()
    tables = {}
    for name in ["digits"] if options.quick else ["digits", "masks"]:
        cases = dict(list(CASES.items())[:1]) if options.quick else CASES
        n_rounds = 1 if options.quick else options.rounds
        costs: dict[str, list[Cost]] = {case: [] for case in cases}
        for _ in range(n_rounds):
            for case, setting in cases.items():
                costs[case].append(run(name, *setting, quick=options.quick))
        tables[f"threads_{name}"] = [row(case, costs) for case in cases]
        print_table(f"Threads, {name}", tables[f"threads_{name}"])
    write_json(options.json, tables)


def run(name: str, n: int, environment: dict[str, str], work: str, *, quick: bool) -> Cost:
    """Return the time until the last of some processes is done, and the CPU time of all."""
    begin = time.time() + (0 if n == 1 else 15)  # when all have imported everything
    code = f"import threads; threads.report({name!r}, {work!r}, {quick}, {begin})"
    found = [result(child) for child in [start(code, environment) for _ in range(n)]]
    return Cost(max(each["wall"] for each in found), sum(each["cpu"] for each in found))


def row(case: str, costs: dict[str, list[Cost]]) -> dict[str, Any]:
    """Return a row of the table."""
    first = next(iter(costs))
    walls, cpus = zip(*costs[case], strict=True)
    wall = statistics.median(walls)
    return {
        "case": case,
        "seconds": wall,
        "CPU seconds": statistics.median(cpus),
        "worst seconds": max(walls),
        "x one fit, one thread": wall / statistics.median(each.wall for each in costs[first]),
    }


def report(name: str, work: str, quick: bool, begin: float) -> None:
    """Do the work in this process, not before a time, and print what it cost."""
    warnings.simplefilter("ignore")
    task = digits(quick=quick) if name == "digits" else blobs(quick=quick, n=64)
    kind, _, n_jobs = work.partition(" ")
    model = task.estimator()
    model.fit(task.X[:16], task.y[:16])
    if kind == "search":
        grid = {"lr": [1e-3, 3e-3]}
        few, all_ = ([(list(range(n)), [0, 1])] for n in (16, len(task.X)))
        model = GridSearchCV(model, grid, cv=few, n_jobs=int(n_jobs), refit=False)
        if n_jobs != "1":  # workers start and import first
            model.fit(task.X[:16], task.y[:16])
        model.set_params(cv=all_)
    time.sleep(max(0.0, begin - time.time()))
    cost = measure(lambda: model.fit(task.X, task.y))
    print(json.dumps(cost._asdict()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
