"""Threads that read samples while the network trains on the previous ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

# How many batches are read ahead: these are in memory in addition to the current one.
AHEAD = 1


def read_ahead(
    read: Callable[[int], Any], batches: Iterable[Sequence[int]], n_threads: int
) -> Iterator[list[Any]]:
    """Yield the samples of each batch while those of the next one are read.

    If reading a sample fails, the exception is raised when its batch is due. The threads
    end with the iteration, even if an exception ends the loop.

    Parameters
    ----------
    read : callable
        Maps the position of a sample to the sample.
    batches : iterable of sequences of int
        The positions.
    n_threads : int
        How many samples are read at the same time. With 1 they are read in order, never
        two at once; with 0 nothing is read ahead.
    """
    if not n_threads:
        yield from ([read(position) for position in batch] for batch in batches)
        return
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[list[tuple[int, Future[Any]]]] = deque()
    try:
        for batch in batches:
            waiting.append([(each, pool.submit(read, each)) for each in batch])
            if len(waiting) > AHEAD:
                yield _first(waiting, read, n_threads)
        while waiting:
            yield _first(waiting, read, n_threads)
    finally:
        pool.shutdown(cancel_futures=True)


def _first(
    waiting: deque[list[tuple[int, Future[Any]]]], read: Callable[[int], Any], n_threads: int
) -> list[Any]:
    """Take the first pending batch."""
    batch = waiting.popleft()
    if n_threads == 1 and any(future.exception() for _, future in batch):
        # Some Datasets, such as those using sqlite3, can only be read by the thread that made them.
        wait([future for later in waiting for _, future in later])
        return [read(position) for position, _ in batch]
    return [future.result() for _, future in batch]
