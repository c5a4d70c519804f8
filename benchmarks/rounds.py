"""Contenders that take turns, the machine they run on, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
import skorch
import torch


class Cost(NamedTuple):
    """Seconds on the clock, and seconds of all threads of this process on a core."""

    wall: float
    cpu: float


class Ratio(NamedTuple):
    """How many times as much a reference costs: above 1 the contender is faster."""

    wall: float
    cpu: float


def parse_options(
    description: str | None, arguments: Sequence[str] | None, **defaults: Any
) -> argparse.Namespace:
    """Read the command line that all scripts share.

    Parameters
    ----------
    description : str
        The script's docstring.
    arguments : sequence of str or None
        Those of the command line by default.
    **defaults : int or str
        Further options, with their values unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--json", type=Path, help="where to write the results")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args(arguments)


def take_turns(contenders: Mapping[str, Callable[[], Any]], n_rounds: int) -> dict[str, list[Cost]]:
    """Measure all contenders once per round, beginning with another one each time.

    Whatever else the machine does then slows all of them. A first round, of which
    nothing is kept, warms them up.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    names = list(contenders)
    for call in contenders.values():
        call()
    for k in range(n_rounds):
        first = k % len(names)
        for name in names[first:] + names[:first]:
            costs[name].append(measure(contenders[name]))
    return costs


def measure(call: Callable[[], Any]) -> Cost:
    """Return what a call costs; what it left on a GPU is waited for."""
    _wait()
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    _wait()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def median(costs: Iterable[Cost]) -> Cost:
    """Return the median of each kind of seconds."""
    return Cost(*(statistics.median(kind) for kind in zip(*costs, strict=True)))


def speed(costs: list[Cost], reference: list[Cost]) -> Ratio:
    """Return the median, over the rounds, of the reference's seconds to the contender's."""
    pairs = [np.divide(ours, theirs) for theirs, ours in zip(costs, reference, strict=True)]
    return Ratio(*np.median(pairs, axis=0).tolist())


def fastest(costs: Mapping[str, list[Cost]]) -> str:
    """Return the name of the contender with the least CPU time."""
    return min(costs, key=lambda name: median(costs[name]).cpu)


def machine() -> dict[str, Any]:
    """Describe the machine, the versions and the threads in use."""
    described: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
    }
    described |= {each.__name__: each.__version__ for each in (torch, skorch, sklearn, np)}
    described["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return described


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_machine() -> None:
    """Print what the machine is, in one line."""
    print(", ".join(f"{key} {value}" for key, value in machine().items() if value is not None))


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of the same keys in Markdown."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        print(f"| {' | '.join(_cell(value) for value in row.values())} |", flush=True)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_json(path: Path | None, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write tables, and what the machine is, if there is a path to write to."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), **tables}, indent=1) + "\n")
