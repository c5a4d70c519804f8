"""How the time of an epoch grows with images, their size, classes, and the loss.

    python benchmarks/growth.py [--quick] [--json PATH] [--threads N] [--rounds N]

Each row is an epoch's time to that of the smallest, and the exponent of a power
law through all: 1 is proportional. Image sides are squared in the number of
pixels.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rounds import Cost, median, parse_options, print_machine, print_table, write_json
from skorch.callbacks import Callback
from tasks import Task, blobs, color

from sklearnloss.losses import list_losses

Make = Callable[[int], tuple[Task, Mapping[str, Any]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, threads=1, rounds=5)
    torch.set_num_threads(options.threads)
    n_rounds = 1 if options.quick else options.rounds
    print_machine()
    tables = {}
    for name, (make, values) in growths(quick=options.quick).items():
        tables[name] = grow(make, values, n_rounds)
        print_table(f"Seconds of an epoch by {name.replace('_', ' ')}", tables[name])
    tables["losses"] = compare_losses(n_rounds, quick=options.quick)
    print_table("Seconds of an epoch by loss, masks", tables["losses"])
    write_json(options.json, tables)


def growths(*, quick: bool) -> dict[str, tuple[Make, list[int]]]:
    """Return what is varied, and over which values."""

    def images(n: int) -> tuple[Task, Mapping[str, Any]]:
        return color(n=n, side=16, width=4), {}

    def masks(n: int) -> tuple[Task, Mapping[str, Any]]:
        return blobs(n=n, side=32, width=4), {}

    def side(value: int) -> tuple[Task, Mapping[str, Any]]:
        return blobs(n=16, side=value, width=4), {}

    def classes(value: int) -> tuple[Task, Mapping[str, Any]]:
        task = blobs(n=32, side=64, width=4)
        y = np.random.default_rng(0).integers(0, value, task.y.shape).astype(np.uint8)
        return task._replace(y=y), {"classes": list(range(value))}

    if quick:
        return {"images": (images, [32, 64]), "side": (side, [16, 32])}
    return {
        "images": (images, [250, 500, 1000, 2000, 4000]),
        "masks": (masks, [32, 64, 128, 256]),
        "side": (side, [32, 64, 128, 256]),
        "classes_of_pixels": (classes, [2, 4, 8, 16, 32]),
    }


def grow(make: Make, values: Sequence[int], n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per value."""
    epochs = {value: functools.partial(time_epoch, *make(value)) for value in values}
    costs = {value: cost.cpu for value, cost in take_turns(epochs, n_rounds).items()}
    slope = np.polyfit(np.log(list(costs)), np.log(list(costs.values())), 1)[0]
    first = values[0]
    return [
        {
            "value": value,
            "CPU seconds": cost,
            "x smallest": cost / costs[first],
            "value x smallest": value / first,
            "exponent": float(slope),
        }
        for value, cost in costs.items()
    ]


def compare_losses(n_rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Return a row per loss that segments, from fast to slow."""
    task = blobs(quick=quick, n=32, side=64, width=8)
    names = ["bce", "dice"] if quick else list_losses("segmentation")
    names = [name for name in names if name not in ("l1", "l2")]
    epochs = {name: functools.partial(time_epoch, task, {"loss": name}) for name in names}
    costs = {name: cost.cpu for name, cost in take_turns(epochs, n_rounds).items()}
    return [
        {"loss": name, "CPU seconds": costs[name], "x bce": costs[name] / costs["bce"]}
        for name in sorted(costs, key=costs.__getitem__)
    ]


def take_turns(epochs: Mapping[Any, Callable[[], Cost]], n_rounds: int) -> dict[Any, Cost]:
    """Return the median cost of an epoch of each, measured in turn."""
    found: dict[Any, list[Cost]] = {name: [] for name in epochs}
    for _ in range(n_rounds):
        for name, time_one in epochs.items():
            found[name].append(time_one())
    return {name: median(costs) for name, costs in found.items()}


def time_epoch(task: Task, settings: Mapping[str, Any]) -> Cost:
    """Return the cost of a second epoch."""
    clock = Clock()
    model = task.estimator(max_epochs=2, callbacks=[("clock", clock)], **settings)
    model.fit(task.X, task.y)
    (measured,) = (cb for name, cb in model.net_.callbacks_ if name == "clock")
    return measured.cost_


class Clock(Callback):
    """Notes what the last epoch cost."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Start."""
        self.start_ = time.perf_counter(), time.process_time()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop."""
        wall, cpu = self.start_
        self.cost_ = Cost(time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
