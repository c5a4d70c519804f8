"""The demo: comparisons, their reports, and the picture."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import torch
from joblib import effective_n_jobs

from ..tuning import LossComparison
from ._tasks import Task, digits_task, nuclei_task


def run_demo(
    output: str | Path = "sklearnloss-demo.png",
    *,
    n_jobs: int = -1,
    random_state: int = 0,
    epochs: int = 12,
) -> str:
    """Compare losses on real images; print the reports and write a picture.

    Parameters
    ----------
    output : str or Path, default="sklearnloss-demo.png"
        Where to write the picture.
    n_jobs : int, default=-1
        Number of parallel fits, each on one thread; -1 is one per core.
    random_state : int, default=0
        Seeds everything: the same seed gives the same scores.
    epochs : int, default=12
        Passes over the nuclei images in each fit; two thirds as many over the digits.

    Returns
    -------
    report : str
        What was printed.

    Raises
    ------
    ValueError
        If a number is too small, or the picture cannot be written; raised before any
        fit.
    """
    _check(Path(output), n_jobs, random_state, epochs)
    start = time.perf_counter()
    n_jobs = effective_n_jobs(n_jobs)
    if n_jobs == 1:  # one thread per fit, as in other processes: the scores are the same
        torch.set_num_threads(1)
    reports, results = [], []
    for task in (nuclei_task(epochs), digits_task(random_state, epochs)):
        results.append((task, task.compare(random_state, n_jobs)))
        reports.append(_report(*results[-1]))
        print(f"\n{reports[-1]}\n", flush=True)
    try:
        from ._figure import draw

        draw(Path(output), *results, n_jobs=n_jobs, seed=random_state)
        print(f"Picture: {output}")
    except ImportError as error:
        print(f"No picture ({error}). It needs: pip install 'sklearnloss[plot]'")
    print(f"Took {time.perf_counter() - start:.0f} s.")
    return "\n\n".join(reports)


def _report(task: Task, comparison: LossComparison) -> str:
    return f"{task.title}\n({task.data})\n\n{comparison.summary()}\n\n{task.note}"


def _check(output: Path, n_jobs: int, seed: int, epochs: int) -> None:
    """Refuse values that would cause an error only after the fits."""
    if epochs < 1:
        raise ValueError(f"--epochs {epochs}: expected at least 1.")
    if n_jobs == 0:
        raise ValueError("--jobs 0: expected a number of processes, or -1 for all cores.")
    if not 0 <= seed < 2**31:
        raise ValueError(f"--seed {seed}: expected 0 to {2**31 - 1}.")
    if output.is_dir() or not output.parent.is_dir():
        what = "is a folder" if output.is_dir() else f"there is no folder {str(output.parent)!r}"
        raise ValueError(f"--output {output}: {what}. Expected the name of a picture.")
    if not os.access(output.parent, os.W_OK):
        raise ValueError(f"--output {output}: {str(output.parent)!r} cannot be written to.")
    with contextlib.suppress(ImportError):  # without matplotlib there is no picture
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        kinds = FigureCanvasAgg.get_supported_filetypes()
        if output.suffix.lower().lstrip(".") not in kinds:
            raise ValueError(
                f"--output {output}: expected a name that ends in .{', .'.join(sorted(kinds))}."
            )
