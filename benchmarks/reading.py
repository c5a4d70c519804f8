"""Reading ahead: training on PNG files with the next batch read meanwhile, and without.

    python benchmarks/reading.py [--quick] [--json PATH] [--rounds N]

Both contenders read the same files with the same threads, one fit each per round; the
one without waits for each batch before it trains on it. With a delay, each file takes
that long to arrive, as from a disk in the network.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from rounds import median, parse_options, print_machine, print_table, speed, take_turns, write_json
from tasks import blobs

from sklearnloss._files import reader
from sklearnloss.estimators._data import read_ahead

# Seconds that a file takes to arrive.
DELAYS = (0.0, 0.03, 0.1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write JSON if asked to."""
    options = parse_options(__doc__, arguments, rounds=5)
    torch.set_num_threads(1)
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        side = 32 if options.quick else 256
        files = write_files(Path(folder), 16 if options.quick else 24, side)
        delays = DELAYS[:1] if options.quick else DELAYS
        n_rounds = 1 if options.quick else options.rounds
        rows = [compare(files, side, delay, n_rounds) for delay in delays]
    print_table("Training on PNG files", rows)
    write_json(options.json, {"reading": rows})


def write_files(folder: Path, n: int, side: int) -> tuple[list[Path], list[Path]]:
    """Write noisy images in color and their masks; return their paths."""
    task = blobs(n=n, side=side)
    generator = np.random.default_rng(0)
    images = [folder / f"{k}.png" for k in range(n)]
    masks = [folder / f"{k}_mask.png" for k in range(n)]
    for k in range(n):
        pixels = 100 * task.y[k][..., None] + generator.integers(0, 100, (side, side, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(images[k])
        Image.fromarray(task.y[k]).save(masks[k])
    return images, masks


def compare(
    files: tuple[list[Path], list[Path]], side: int, delay: float, n_rounds: int
) -> dict[str, Any]:
    """Return a row for a delay."""
    task = blobs(quick=True)._replace(width=1, batch_size=8, depth=1)

    def fit(ahead: int) -> Callable[[], Any]:
        def call() -> None:
            with mock.patch.object(read_ahead, "AHEAD", ahead), delayed(delay):
                task.estimator(max_epochs=2).fit(*files)

        return call

    costs = take_turns({"waits": fit(0), "ahead": fit(1)}, n_rounds)
    return {
        "task": f"{len(files[0])} PNG of {side}x{side}",
        "delay, ms": 1000 * delay,
        "waits, seconds": median(costs["waits"]).wall,
        "ahead, seconds": median(costs["ahead"]).wall,
        "x waits": speed(costs["ahead"], costs["waits"]).wall,
        "x waits, CPU": speed(costs["ahead"], costs["waits"]).cpu,
    }


@contextlib.contextmanager
def delayed(seconds: float) -> Iterator[None]:
    """Let each image take a while to arrive."""
    read = reader.read_image

    def read_later(path: Any) -> Any:
        time.sleep(seconds)
        return read(path)

    with mock.patch.object(reader, "read_image", read_later):
        yield


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
