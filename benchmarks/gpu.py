"""Training on a GPU: speed, host synchronisations, and how much of its peak is used."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from loops import train, train_with_skorch
from rounds import measure, median, print_table, speed, take_turns
from tasks import Task, all_tasks, color
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

SYNCHRONISATIONS = {
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaMemcpy",
    "cudaStreamSynchronize",
}


def measure_all(*, quick: bool, n_rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Measure everything, print the tables and return them by name."""
    torch.backends.cudnn.benchmark = True
    speeds = [row for task in all_tasks(quick=quick) for row in compare(task, n_rounds)]
    print_table("Training on the GPU, images per second", speeds)
    large = color(quick=quick, n=25600, width=64)._replace(batch_size=512)
    used = [utilization(large, compiled=compiled) for compiled in (False, True)]
    print_table("Part of a matrix product's speed", used)
    waits = [synchronisations(task) for task in all_tasks(quick=quick)]
    print_table("Host synchronisations", waits)
    return {"fit_gpu": speeds, "utilization": used, "synchronisations": waits}


def compare(task: Task, n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per contender; the loop, too, is in bfloat16 with channels last."""
    loop = functools.partial(train, task, device="cuda", bfloat16=True)
    contenders: dict[str, Callable[[], Any]] = {
        "ours": lambda: task.estimator().fit(task.X, task.y),
        "ours, compiled": lambda: task.estimator(compile=True).fit(task.X, task.y),
        "loop": loop,
        "loop, compiled": functools.partial(loop, compiled=True),
        "skorch": lambda: train_with_skorch(task, device="cuda"),
    }
    costs = take_turns(contenders, n_rounds)
    rows = []
    for name in costs:
        like = "loop, compiled" if name.endswith("compiled") else "loop"
        rows.append(
            {
                "task": task.name,
                "contender": name,
                "images/s": task.epochs * len(task.X) / median(costs[name]).wall,
                "x loop": speed(costs[name], costs[like]).wall,
                "x skorch": speed(costs[name], costs["skorch"]).wall,
            }
        )
    return rows


def utilization(task: Task, *, compiled: bool) -> dict[str, Any]:
    """Compare the arithmetic of an epoch, per second, with that of a matrix product."""

    def seconds(epochs: int) -> float:
        model = task.estimator(compile=compiled, max_epochs=epochs)
        return measure(lambda: model.fit(task.X, task.y)).wall

    seconds(1)
    epoch = (seconds(6) - seconds(1)) / 5  # without reading, building and compiling
    achieved = flops_per_image(task) * len(task.X) / epoch
    peak = matrix_product()
    return {
        "task": task.name,
        "compile": compiled,
        "images/s": len(task.X) / epoch,
        "TFLOP/s": achieved / 1e12,
        "product, TFLOP/s": peak / 1e12,
        "share": achieved / peak,
    }


def flops_per_image(task: Task) -> int:
    """Return the operations of a step, forward and backward, for one image."""
    x = torch.zeros(2, *task.X.shape[1:])
    with FlopCounterMode(display=False) as counter:
        task.loss(task.network()(x), task.targets()[:2]).backward()
    return counter.get_total_flops() // 2


def matrix_product(side: int = 8192) -> float:
    """Return the operations per second of a product of matrices in bfloat16."""
    a, b = torch.randn(2, side, side, device="cuda", dtype=torch.bfloat16)

    def ten_products() -> None:
        for _ in range(10):
            a @ b

    ten_products()
    return 10 * 2 * side**3 / min(measure(ten_products).wall for _ in range(5))


def synchronisations(task: Task) -> dict[str, Any]:
    """Count how often the host waits for the GPU, for each epoch and each batch more."""
    half = task._replace(batch_size=2 * task.batch_size)
    once, twice = (count_waits(task, epochs) for epochs in (1, 2))
    fewer = count_waits(half, 2) - count_waits(half, 1)
    n_batches = -(-len(task.X) // task.batch_size)
    return {
        "task": task.name,
        "batches": n_batches,
        "per epoch": twice - once,
        "per batch": (twice - once - fewer) / (n_batches / 2),
    }


def count_waits(task: Task, epochs: int) -> int:
    """Return how often a whole fit waits for the GPU."""
    model = task.estimator(max_epochs=epochs)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        model.fit(task.X, task.y)
    return sum(event.name in SYNCHRONISATIONS for event in profiler.events())
