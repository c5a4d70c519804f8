"""The global random generators, seeded for a while and then as they were."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np
import torch

# The generators belong to the process, so that one thread at a time may have them.
_generators = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python, one thread at a time.

    Parameters
    ----------
    seed : int
        numpy takes the last 32 bits of it.
    device : torch.device or str, default="cpu"
        Whose generator is seeded beside the CPU's.
    """
    device = torch.device(device)
    gpu = [device] if device.type == "cuda" else []
    with _generators, torch.random.fork_rng(devices=gpu):
        before = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            torch.default_generator.manual_seed(seed)
            for each in gpu:
                with torch.cuda.device(each):
                    torch.cuda.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])
