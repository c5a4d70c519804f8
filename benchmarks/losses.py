"""Time and memory of every loss, forward and backward, beside other libraries.

    python benchmarks/losses.py [--quick] [--losses dice focal] [--json PATH]

All contenders of a loss run in turn, round after round, so that a busy machine
slows down all of them; medians are printed. Time on the CPU is the process's own
(one thread), on a GPU that between two events. Memory is the peak beyond
logits, target and what was there before, the gradient included. "pass" is the
time of reading the logits and the target and writing a gradient once, which no
loss can beat. Libraries that cannot be imported are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peers import peers_of
from torch import Tensor

from sklearnloss.losses import Loss, get_loss
from sklearnloss.losses._registry import LOSSES

SHAPES = [(8, 1, 32, 32), (8, 1, 512, 512), (8, 8, 256, 256)]
SMALL_ONLY = {"boundary", "hausdorff"}  # distance maps, computed by SciPy
PENALTIES = {"l1", "l2"}
Call = Callable[[Tensor, Tensor], Tensor]


class Row(NamedTuple):
    """What one contender took for one loss on one shape."""

    loss: str
    shape: str
    device: str
    contender: str
    milliseconds: float
    to_best: float
    to_pass: float
    memory: float  # in units of the logits


def main() -> None:
    """Measure, print a table per shape and write JSON if asked to."""
    options = parse_options()
    torch.set_num_threads(1)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows: list[Row] = []
    for device in devices:
        for shape in SHAPES:
            rows += measure_shape(shape, device, options)
    if options.json:
        options.json.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds on smaller images")
    parser.add_argument("--losses", nargs="*", choices=sorted(set(LOSSES) - PENALTIES))
    parser.add_argument("--json", type=Path, help="where to write the results")
    return parser.parse_args()


def measure_shape(shape: tuple[int, ...], device: str, options: argparse.Namespace) -> list[Row]:
    """Measure all losses on one shape and print them."""
    if options.quick:
        shape = (*shape[:2], *(max(32, size // 4) for size in shape[2:]))
    logits, target = make_inputs(shape, device)
    one_pass = time_of_a_pass(logits, target, device)
    print(f"\n### {shape} on {device}: a pass takes {1e3 * one_pass:.3g} ms\n")
    print("| loss | contender: x fastest / x pass / memory, x logits |\n|---|---|")
    rows: list[Row] = []
    for name in options.losses or sorted(set(LOSSES) - PENALTIES):
        if name in SMALL_ONLY and logits.numel() > 10**4:
            continue
        n_rounds = 3 if options.quick else 15 if logits.numel() > 10**5 else 300
        measured = measure_loss(name, logits, target, device, n_rounds)
        best = min(seconds for _, seconds, _ in measured)
        for contender, seconds, memory in measured:
            ratios = seconds / best, seconds / one_pass, memory
            rows.append(Row(name, str(shape), device, contender, 1e3 * seconds, *ratios))
        cells = [
            f"{'**ours**' if row.contender == 'ours' else row.contender} "
            f"{row.to_best:.2f} / {row.to_pass:.1f} / {row.memory:.1f}"
            for row in sorted(rows[-len(measured) :], key=lambda row: row.milliseconds)
        ]
        print(f"| {name} | {'; '.join(cells)} |", flush=True)
    return rows


def measure_loss(
    name: str, logits: Tensor, target: Tensor, device: str, n_rounds: int
) -> list[tuple[str, float, float]]:
    """Return name, seconds and memory of each contender."""
    contenders = {"ours": build(name, logits.shape[1]), **peers_of(name, logits.shape[1])}
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for call in contenders.values():  # the first time is a warm-up
        run(call, logits, target)
    deadline = time.monotonic() + 15
    for i in range(n_rounds):
        if i >= 3 and time.monotonic() > deadline:
            break
        for contender, call in contenders.items():
            times[contender].append(timed(lambda call=call: run(call, logits, target), device))
    size = logits.numel() * logits.element_size()
    return [
        (contender, statistics.median(times[contender]), peak_memory(call, logits, target) / size)
        for contender, call in contenders.items()
    ]


def build(name: str, n_channels: int) -> Loss:
    """Return our loss, told how often the classes occur."""
    loss = get_loss(name)
    assert isinstance(loss, Loss)
    return loss.bind(torch.nn.Identity(), torch.ones(max(n_channels, 2)))


def make_inputs(shape: tuple[int, ...], device: str) -> tuple[Tensor, Tensor]:
    """Return random logits, and masks for one channel or class indices for more."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator)
    if shape[1] == 1:
        target = (torch.rand(shape, generator=generator) > 0.7).float()
    else:
        target = torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator)
    return logits.to(device).requires_grad_(), target.to(device)


def run(call: Call, logits: Tensor, target: Tensor) -> None:
    """Go forward and backward once."""
    logits.grad = None
    call(logits, target).backward()


def time_of_a_pass(logits: Tensor, target: Tensor, device: str) -> float:
    """Return the seconds it takes to read logits and target and to write a gradient."""
    source, gradient = logits.detach(), torch.empty_like(logits)

    def one_pass() -> None:
        gradient.copy_(source)
        target.amax()

    return statistics.median(timed(one_pass, device) for _ in range(25))


def timed(call: Callable[[], None], device: str) -> float:
    """Return the seconds a call takes."""
    if device == "cuda":
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        call()
        events[1].record()
        torch.cuda.synchronize()
        return events[0].elapsed_time(events[1]) / 1e3
    start = time.process_time()
    call()
    return time.process_time() - start


def peak_memory(call: Call, logits: Tensor, target: Tensor) -> int:
    """Return the peak of the bytes allocated on the way forward and backward."""
    logits.grad = None
    if logits.is_cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run(call, logits, target)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(profile_memory=True) as profiler:
        run(call, logits, target)
    current = peak = 0
    for change in allocations(profiler):
        current += change
        peak = max(peak, current)
    return peak


def allocations(profiler: Any) -> Iterator[int]:
    """Return the bytes that were allocated or, below 0, freed, in order."""
    events = profiler.profiler.kineto_results.events()
    memory = [event for event in events if event.name() == "[memory]"]
    return (event.nbytes() for event in sorted(memory, key=lambda event: event.start_ns()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
