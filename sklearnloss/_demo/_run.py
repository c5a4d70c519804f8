"""Run the demo from the first pixel to the picture."""

from __future__ import annotations

import time
from pathlib import Path

from ._evaluate import evaluate
from ._table import format_leaderboard
from ._tasks import digits_task, nuclei_task


def run_demo(
    output: str | Path = "sklearnloss-demo.png",
    *,
    n_jobs: int = -1,
    random_state: int = 0,
    epochs: int = 12,
) -> str:
    """Compare losses on real images; print leaderboards and write a picture.

    Parameters
    ----------
    output : str or Path, default="sklearnloss-demo.png"
        Where to write the picture.
    n_jobs : int, default=-1
        Fits side by side, each on one thread; -1 is one per processor.
    random_state : int, default=0
        Seeds everything: the same seed gives the same scores.
    epochs : int, default=12
        Passes over the images in each fit; two thirds as many over the digits.

    Returns
    -------
    report : str
        What was printed.
    """
    start = time.perf_counter()
    segmentation = nuclei_task(random_state, epochs)
    classification = digits_task(random_state, epochs)
    reports, results = [], []
    for task in (segmentation, classification):
        results.append(evaluate(task, n_jobs))
        reports.append(format_leaderboard(task, results[-1]))
        print(f"\n{reports[-1]}\n", flush=True)
    try:
        from ._figure import draw

        draw(Path(output), (segmentation, results[0]), (classification, results[1]))
        print(f"Picture: {output}")
    except ImportError as error:
        print(f"No picture ({error}). It needs: pip install 'sklearnloss[plot]'")
    print(f"Took {time.perf_counter() - start:.0f} s.")
    return "\n\n".join(reports)
