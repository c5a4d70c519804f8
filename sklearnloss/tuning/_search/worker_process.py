"""Main function of a worker process that :class:`~sklearnloss.tuning._workers.pool.Pool` starts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from .._evaluation.interrupts import Terminated
from .._workers.errors import pickled_error
from .._workers.pool import (
    DIGEST,
    FAILED,
    INTERRUPTED,
    KEY,
    PARENT,
    PATIENCE,
    STORAGE,
    TERMINATED,
    error_file,
)
from .._workers.private_files import seal, write_private
from .job import Job, remove
from .join import work


def main() -> None:
    """Run the job in the folder ``sys.argv[1]`` as worker ``sys.argv[2]``, and exit."""
    folder, index = sys.argv[1], int(sys.argv[2])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = _work(folder, index)
    except Terminated:
        status = TERMINATED
    except KeyboardInterrupt:
        status = INTERRUPTED
    with contextlib.suppress(BrokenPipeError):
        sys.exit(status)


def _work(folder: str, index: int) -> int:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        work(Job.read(folder, digest=os.environ[DIGEST]), os.environ[STORAGE], index)
    except Exception as error:
        with contextlib.suppress(FileNotFoundError):  # the search is over
            content = seal(pickled_error(error), os.environ[KEY])
            write_private(Path(folder, error_file(index)), content)
        return FAILED
    return 0


def _end_with_parent(folder: str) -> None:
    """End this process once its parent is gone, and remove the parent's job folder."""
    parent = int(os.environ[PARENT])
    while os.getppid() == parent:
        time.sleep(1.0)
    remove(folder)
    os.kill(os.getpid(), signal.SIGINT)  # releases its candidate
    time.sleep(PATIENCE)
    os._exit(INTERRUPTED)
