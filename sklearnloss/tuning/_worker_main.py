"""The process of one worker, as :class:`~._workers.Pool` starts it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import torch

from ._job import Job
from ._workers import FAILED, INTERRUPTED, PARENT, STORAGE, work


def _end_with_parent() -> None:
    """Interrupt this process once the one that started it is gone."""
    parent = int(os.environ[PARENT])
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGINT)


def _main(folder: str, index: int) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        work(Job.read(folder), os.environ[STORAGE], index)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        Path(folder, f"error-{index}.pkl").write_bytes(_pickled(error))
        return FAILED
    return 0


def _pickled(error: Exception) -> bytes:
    try:
        content = cloudpickle.dumps(error)
        pickle.loads(content)
    except Exception:
        content = cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return bytes(content)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(_main(sys.argv[1], int(sys.argv[2])))
