"""Temporary seeding of the global random generators."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from ...losses._core.seeding import seeded as seeded_torch


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python, one thread at a time.

    Parameters
    ----------
    seed : int
        numpy uses its last 32 bits.
    device : torch.device or str, default="cpu"
        The device whose generator is seeded in addition to the CPU's.
    """
    with seeded_torch(seed, device):
        before = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])
