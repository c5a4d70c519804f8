"""Prediction: our estimators beside a bare loop without gradients, tiles beside whole images.

    python benchmarks/predict.py [--quick] [--json PATH] [--threads N] [--rounds N]

The loop is given the batch size, among several, with which it is fastest. Our
estimators choose their own, and fill up the last batch, so that an image has the
same scores alone and in company.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from loops import channel_scaling, predict
from rounds import (
    fastest,
    median,
    parse_options,
    print_machine,
    print_table,
    speed,
    take_turns,
    write_json,
)
from tasks import Task, all_tasks, blobs

from sklearnloss._predict.tiles import place_tiles, tile_shape

BATCH_SIZES = (1, 8, 16, 64, 256)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, threads=1, rounds=15)
    torch.set_num_threads(options.threads)
    n_rounds = 1 if options.quick else options.rounds
    print_machine()
    rows = [compare(task, n_rounds) for task in all_tasks(quick=options.quick)]
    print_table("Prediction, images per second", rows)
    sides = [(64, 32)] if options.quick else [(1024, 512), (2048, 1024)]
    tiled = [compare_tiles(side, tile, n_rounds, quick=options.quick) for side, tile in sides]
    print_table("Tiles, pixels per second", tiled)
    write_json(options.json, {"predict": rows, "tiles": tiled})


def compare(task: Task, n_rounds: int) -> dict[str, Any]:
    """Return a row of a task; the images are at most 1024 of its own."""
    model = task.estimator(max_epochs=1).fit(task.X[:64], task.y[:64])
    X = task.X[:1024]
    mean, scale = channel_scaling(torch.from_numpy(X))
    loops: dict[str, Callable[[], Any]] = {
        f"loop, {size}": functools.partial(predict, model.module_, X, mean, scale, size)
        for size in BATCH_SIZES
        if size <= len(X)
    }
    best = fastest(take_turns(loops, 1 if n_rounds == 1 else 3))
    costs = take_turns({"ours": lambda: model.predict(X), "loop": loops[best]}, n_rounds)
    ratio = speed(costs["ours"], costs["loop"])
    return {
        "task": f"{task.name}, {len(X)} of them",
        "ours, images/s": len(X) / median(costs["ours"]).wall,
        "loop, images/s": len(X) / median(costs["loop"]).wall,
        "its batch": int(best.removeprefix("loop, ")),
        "x loop": ratio.wall,
        "x loop, CPU": ratio.cpu,
    }


def compare_tiles(side: int, tile: int, n_rounds: int, *, quick: bool) -> dict[str, Any]:
    """Return a row for one image in tiles and in one piece."""
    task = blobs(quick=quick)
    model = task.estimator(max_epochs=1).fit(task.X[:16], task.y[:16])
    image = np.random.default_rng(0).normal(size=(1, 1, side, side)).astype(np.float32)

    def run(size: int) -> None:
        model.set_params(tile=size).predict(image)

    tiles, whole = functools.partial(run, tile), functools.partial(run, side)
    costs = take_turns({"tiles": tiles, "whole": whole}, min(n_rounds, 5))
    ratio = speed(costs["tiles"], costs["whole"])
    seen = pixels_in_tiles(side, tile, model.net_.module_.multiple)
    return {
        "image": f"{side}x{side}, tile {tile}",
        "whole, pixels/s": side**2 / median(costs["whole"]).wall,
        "tiles, pixels/s": seen / median(costs["tiles"]).wall,
        "x whole": ratio.wall * seen / side**2,
        "x whole, CPU": ratio.cpu * seen / side**2,
        "pixels seen / image's": seen / side**2,
        "image pixels x whole, CPU": ratio.cpu,
    }


def pixels_in_tiles(side: int, tile: int, multiple: int) -> int:
    """Return how many pixels the network sees, overlaps as often as they are seen."""
    shape = tile_shape(tile, (side, side), multiple)
    assert shape is not None
    return math.prod(each * len(place_tiles(side, each, multiple).starts) for each in shape)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
