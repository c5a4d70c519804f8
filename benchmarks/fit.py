"""Training: our estimators beside a loop written by hand and beside plain skorch.

    python benchmarks/fit.py [--quick] [--json PATH] [--threads N] [--rounds N]
    python benchmarks/fit.py --networks ...

With ``--networks`` the networks are those of other libraries. Everything from arrays to
a trained network is measured, with the same network, optimizer, schedule and batches.
The loop is written with the whole of PyTorch's advice in mind, and with both orders of
axes in memory; the faster one is what we are compared with. On a machine with a GPU that
is measured as well.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import gpu
import torch
from loops import train, train_with_skorch
from rounds import (
    Cost,
    fastest,
    median,
    parse_options,
    print_machine,
    print_table,
    speed,
    take_turns,
    write_json,
)
from tasks import Task, all_tasks, library_tasks

ORDERS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    others = "--networks" in arguments
    arguments = [each for each in arguments if each != "--networks"]
    options = parse_options(__doc__, arguments, threads=1, rounds=9)
    torch.set_num_threads(options.threads)
    n_rounds = 1 if options.quick else options.rounds
    print_machine()
    tasks = library_tasks(quick=options.quick) if others else all_tasks(quick=options.quick)
    rows = [row for task in tasks for row in compare(task, n_rounds)]
    print_table("Training, images per second", rows)
    tables = {"fit": rows}
    if torch.cuda.is_available() and not others:
        tables |= gpu.measure_all(quick=options.quick, n_rounds=n_rounds)
    write_json(options.json, tables)


def compare(task: Task, n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per contender."""
    contenders: dict[str, Callable[[], Any]] = {
        "ours": lambda: task.estimator(device="cpu").fit(task.X, task.y),
        "skorch": lambda: train_with_skorch(task),
    }
    for name, order in ORDERS.items():
        contenders[f"loop, {name}"] = functools.partial(train, task, memory_format=order)
    costs = take_turns(contenders, n_rounds)
    loops = {name: costs[name] for name in costs if name.startswith("loop")}
    return [row(task, name, costs, fastest(loops)) for name in costs]


def row(task: Task, name: str, costs: dict[str, list[Cost]], loop: str) -> dict[str, Any]:
    """Return a row of the table."""
    wall, cpu = median(costs[name])
    to_loop, to_skorch = speed(costs[name], costs[loop]), speed(costs[name], costs["skorch"])
    n_images = task.epochs * len(task.X)
    return {
        "task": task.name,
        "contender": name + (" (the faster)" if name == loop else ""),
        "images/s": n_images / wall,
        "images/CPU s": n_images / cpu,
        "x loop": to_loop.wall,
        "x loop, CPU": to_loop.cpu,
        "x skorch": to_skorch.wall,
        "x skorch, CPU": to_skorch.cpu,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
