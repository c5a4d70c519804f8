"""Peak memory of training: our estimators beside a loop written by hand.

    python benchmarks/memory.py [--quick] [--json PATH] [--rounds N]

Each fit is a process of its own. Its peak (VmHWM) is given as a whole and beyond
what the imports, the data and one step of training needed before, which would
hide what grows with the data. The loop scales the images batch by batch too.
Last come two workers that train on the same memory-mapped images.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from children import result, start
from joblib import Parallel, delayed, dump, load
from loops import train
from rounds import parse_options, print_machine, print_table, write_json
from tasks import Task, blobs, color, digits

TASKS: dict[str, Callable[[bool], Task]] = {
    "digits": lambda quick: digits(quick=quick, epochs=1),
    "color": lambda quick: color(quick=quick, n=40_000, side=32, width=2),
    "masks": lambda quick: blobs(quick=quick, n=2000, side=128, width=1)._replace(depth=1),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, rounds=3)
    names = ["digits"] if options.quick else list(TASKS)
    n_rounds = 1 if options.quick else options.rounds
    print_machine()
    rows = [compare(name, n_rounds, quick=options.quick) for name in names]
    print_table("Peak memory of a fit, MB", rows)
    workers = [share(quick=options.quick)]
    print_table("Two workers on one array, MB of their own", workers)
    write_json(options.json, {"memory": rows, "workers": workers})


def compare(name: str, n_rounds: int, *, quick: bool) -> dict[str, Any]:
    """Return a row of a task, medians over fresh processes that take turns."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "loop": []}
    for _ in range(n_rounds):
        for contender, results in found.items():
            code = f"import memory; memory.report({name!r}, {contender!r}, {quick})"
            results.append(result(start(code, {"OMP_NUM_THREADS": "1"})))
    peak = {who: statistics.median(each["peak"] for each in found[who]) for who in found}
    more = {who: statistics.median(each["more"] for each in found[who]) for who in found}
    task = TASKS[name](quick)
    return {
        "task": f"{task.name} {task.X.dtype}",
        "data": (task.X.nbytes + task.y.nbytes) / 1e6,
        "ours": peak["ours"],
        "loop": peak["loop"],
        "x loop": peak["ours"] / peak["loop"],
        "ours, beyond": more["ours"],
        "loop, beyond": more["loop"],
    }


def report(name: str, contender: str, quick: bool) -> None:
    """Train in this process and print its peak."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    task = TASKS[name](quick)
    first = task._replace(X=task.X[: task.batch_size], y=task.y[: task.batch_size])
    fit(first, contender)  # what libraries allocate once is no part of the fit
    gc.collect()
    before = memory_mb("VmRSS")
    fit(task, contender)
    print(json.dumps({"peak": memory_mb("VmHWM"), "more": memory_mb("VmHWM") - before}))


def fit(task: Task, contender: str) -> None:
    """Train once."""
    if contender == "ours":
        task.estimator().fit(task.X, task.y)
    else:
        train(task, ahead=False)


def memory_mb(field: str) -> float:
    """Return a field of /proc/self/status in MB."""
    if sys.platform != "linux":
        raise OSError(f"memory is read from /proc, which {sys.platform} does not have")
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / 1e6


def share(*, quick: bool) -> dict[str, Any]:
    """Return what two workers that fit on the same array need of their own."""
    task = TASKS["digits" if quick else "color"](quick)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/images"
        dump(task.X, path)
        X = load(path, mmap_mode="r")
        jobs = [delayed(own_memory)(task, X) for _ in range(2)]
        grown = Parallel(n_jobs=1 if quick else 2, max_nbytes=None)(jobs)
    return {"images": task.X.nbytes / 1e6, "first": grown[0], "second": grown[1]}


def own_memory(task: Task, X: np.ndarray) -> float:
    """Return by how many MB, in anonymous memory, this process grows while it trains."""
    small = task._replace(X=np.array(X[:64]), y=task.y[:64])
    fit(small, "ours")
    before = memory_mb("RssAnon")
    task.estimator().fit(X, task.y)
    return memory_mb("RssAnon") - before


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
