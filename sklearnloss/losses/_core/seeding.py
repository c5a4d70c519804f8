"""Torch's global random generators, borrowed for a while."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

# There is one generator per device, whichever thread draws from it.
_lock = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators for a while; one thread at a time.

    Afterwards they are where they were before.

    Parameters
    ----------
    seed : int
        In [0, 2^63).
    device : torch.device or str, default="cpu"
        A device whose generator is seeded beside that of the CPU.
    """
    with _lock:
        generators = _generators(torch.device(device))
        before = [generator.get_state() for generator in generators]
        try:
            for generator in generators:
                generator.manual_seed(seed)
            yield
        finally:
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)


@contextlib.contextmanager
def unseeded() -> Iterator[None]:
    """Let no other thread have the global generators seeded for a while."""
    with _lock:
        yield


def _generators(device: torch.device) -> list[torch.Generator]:
    generators = [torch.default_generator]
    if device.type == "cuda":
        torch.cuda.init()  # before it there are no generators
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    return generators
