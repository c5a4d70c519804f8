"""Files predicted one after another, or by several processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from .model import Model
from .options import Options
from .predict_one import Predicted, Rows, predict_one
from .writing import OutputError

#: Variables that libraries read when they are imported.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Task(NamedTuple):
    """A file to predict, and the files to write."""

    path: Path
    outputs: dict[str, Path]


Outcome = tuple[Task, Predicted | Exception]


def run_tasks(
    model: Model,
    reopen: Callable[[], bytes],
    tasks: Sequence[Task],
    options: Options,
    *,
    n_jobs: int,
    progress: Callable[[Task], Rows],
) -> Iterator[Outcome]:
    """Yield each task with its prediction or what went wrong, as they finish.

    Parameters
    ----------
    model : Model
        The model.
    reopen : callable
        Returns the pickle of a function that opens the model in another process, with a number
        of threads.
    tasks : sequence of Task
        The files.
    options : Options
        What to write.
    n_jobs : int
        How many processes; 1 is this one, -1 as many as there are cores.
    progress : callable
        Maps a task to a function that is called with the rows that are finished, for files
        that are predicted in this process.

    Raises
    ------
    OutputError
        If an output cannot be written.
    ChildProcessError
        If a worker process died.
    """
    n_workers = min(n_jobs if n_jobs > 0 else (os.cpu_count() or 1), len(tasks))
    if n_workers <= 1:
        for task in tasks:
            yield task, _attempt(model, task, options, progress(task))
        return
    yield from _run_in_processes(reopen(), tasks, options, n_workers)


def _attempt(model: Model, task: Task, options: Options, rows: Rows) -> Predicted | Exception:
    try:
        return predict_one(model, task.path, options, task.outputs, rows)
    except OutputError:
        raise
    except Exception as error:  # of this file only; the others are still predicted
        return error


def _run_in_processes(
    reopen: bytes, tasks: Sequence[Task], options: Options, n_workers: int
) -> Iterator[Outcome]:
    others = set(multiprocessing.active_children())
    n_threads = max(1, (os.cpu_count() or 1) // n_workers)
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(reopen, options, n_threads),
    )
    waiting: dict[Future[Any], Task] = {}
    left = iter(tasks)
    try:
        while True:
            for task in left:
                waiting[pool.submit(_work, task)] = task
                if len(waiting) >= 2 * n_workers:
                    break
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "A worker process ended early: it could not start, or there was not enough memory. "
            "Finished files are kept: run the same again with fewer jobs. In a script, call "
            "predict_files below if __name__ == '__main__'."
        ) from error
    finally:  # outputs get their names when they are whole, so work can be cut off anywhere
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)


_worker: dict[str, Any] = {}


def _start(reopen: bytes, options: Options, n_threads: int) -> None:
    """Open the model in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends it
    for name in _THREADS:
        os.environ[name] = str(n_threads)
    opener: Callable[[int], Model] = pickle.loads(reopen)
    _worker.update(model=opener(n_threads), options=options)


def _work(task: Task) -> Predicted | Exception:
    outcome = _attempt(_worker["model"], task, _worker["options"], lambda done, of: None)
    if isinstance(outcome, Exception):  # some cannot be pickled
        return ValueError(" ".join(str(outcome).split()) or type(outcome).__name__)
    return outcome
