"""Worker processes on this machine, which are restarted if they crash."""

from __future__ import annotations

import contextlib
import numbers
import os
import pickle
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import joblib
import torch

from .private_files import unseal

# Environment variables, since everybody can see the command line.
STORAGE = "SKLEARNLOSS_STORAGE"
PARENT, DIGEST, KEY = "SKLEARNLOSS_PARENT", "SKLEARNLOSS_DIGEST", "SKLEARNLOSS_KEY"

#: Exit statuses of a worker: after an error, which is in a file, after Ctrl-C, after SIGTERM.
FAILED, INTERRUPTED, TERMINATED = 3, 130, 143

#: Crashes at the same point, within one call of ``fit``, after which a candidate is abandoned.
MAX_DEATHS = 3

#: Seconds for a worker to release its candidate, after which it is killed.
PATIENCE = 10.0

# Until the worker can release a candidate, Ctrl-C ends it silently.
_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); from {module} import main; main()"
)


class Pool:
    """Worker processes on this machine, with one GPU each if there are several.

    Parameters
    ----------
    folder : path
        The folder of the job.
    storage : str
        The storage of the study.
    n_workers : int
        Number of processes.
    digest : str
        Digest of the job: workers refuse any other job.
    module : str
        Name of the module whose function ``main`` each process runs.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        storage: str,
        n_workers: int,
        digest: str,
        module: str,
    ) -> None:
        self.folder = Path(folder)
        self.storage = storage
        self.n_workers = n_workers
        self.digest = digest
        self.module = module
        self.key = secrets.token_hex()
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.crashes = 0  # since a fold or candidate was finished
        self.n_finished = 0

    def __enter__(self) -> Self:
        for index in range(self.n_workers):
            self._start(index)
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            for process in self.processes.values():
                if process.poll() is None:
                    _interrupt(process)  # releases its candidate
            deadline = time.monotonic() + PATIENCE
            for process in self.processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # even after another Ctrl-C
            for process in self.processes.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def is_working(self, count_finished: Callable[[], int]) -> bool:
        """Return whether any worker is running, and restart those that were killed.

        Parameters
        ----------
        count_finished : callable
            Returns the number of finished folds and candidates.

        Raises
        ------
        Exception
            An exception raised in a worker.
        RuntimeError
            If workers are killed repeatedly without finishing anything.
        """
        for index, process in list(self.processes.items()):
            status = process.poll()
            if status is None:
                continue
            del self.processes[index]
            if status == FAILED:
                self._raise_error(index)
            if status == INTERRUPTED:
                raise KeyboardInterrupt
            if status != 0:
                self._note_crash(status, count_finished())
                self._start(index)
        return bool(self.processes)

    def _raise_error(self, index: int) -> None:
        """Raise the error that a worker wrote to its file, if there is one."""
        with contextlib.suppress(FileNotFoundError):  # user code may exit with any status
            sealed = (self.folder / error_file(index)).read_bytes()
            raise pickle.loads(unseal(sealed, self.key))

    def _note_crash(self, status: int, n_finished: int) -> None:
        if n_finished > self.n_finished:
            self.n_finished, self.crashes = n_finished, 0
        self.crashes += 1
        # Each worker may have to abandon a candidate first.
        if self.crashes > (MAX_DEATHS + 1) * self.n_workers:
            raise RuntimeError(
                f"Worker processes ended {self.crashes} times (exit status {status}), and no "
                f"fold was finished. Their own messages are above; n_jobs=1 may show more."
            )

    def _start(self, index: int) -> None:
        threads = str(n_threads(self.n_workers))
        environment = {
            **os.environ,
            STORAGE: self.storage,
            PARENT: str(os.getpid()),
            DIGEST: self.digest,
            KEY: self.key,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            **_own_gpu(index),
        }
        boot = _BOOT.format(module=self.module)
        self.processes[index] = subprocess.Popen(
            # -P, since PYTHONPATH already contains the current folder if it is to be searched
            [
                sys.executable,
                "-P",
                "-c",
                boot,
                str(self.folder),
                str(index),
            ],
            env=environment,
            start_new_session=True,  # the parent passes Ctrl-C on
        )


def error_file(index: int) -> str:
    """Return the name of the file in a job's folder to which a worker writes its error."""
    return f"error-{index}.pkl"


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
    else:
        process.terminate()


def _own_gpu(index: int) -> dict[str, str]:
    """Return the environment variable that restricts a worker to one of several GPUs."""
    n_gpus = torch.cuda.device_count()
    if n_gpus < 2:
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(n_gpus)))).split(",")
    return {"CUDA_VISIBLE_DEVICES": visible[index % len(visible)]}


def count_workers(n_jobs: int | None) -> int:
    """Return the number of processes; -1 is one per GPU, or per core if there is none."""
    if n_jobs is not None and (not isinstance(n_jobs, numbers.Integral) or n_jobs == 0):
        raise ValueError(
            f"n_jobs={n_jobs!r}: expected a number of processes, -1 for as many as there are GPUs "
            f"or cores, or None."
        )
    n_gpus = torch.cuda.device_count()
    if n_jobs == -1 and n_gpus:
        return n_gpus
    return int(joblib.effective_n_jobs(n_jobs))


def n_threads(n_workers: int) -> int:
    """Return the number of threads for each of several workers on this machine."""
    return max(1, int(joblib.cpu_count()) // n_workers)
