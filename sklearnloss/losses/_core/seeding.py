"""Temporary seeding of torch's global random generators."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

# There is one generator per device, shared by all threads.
_lock = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators temporarily; one thread at a time.

    Afterward their previous state is restored.

    Parameters
    ----------
    seed : int
        In [0, 2^63).
    device : torch.device or str, default="cpu"
        A device whose generator is seeded in addition to that of the CPU.
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
    """Keep other threads from seeding the global generators temporarily."""
    with _lock:
        yield


def _generators(device: torch.device) -> list[torch.Generator]:
    generators = [torch.default_generator]
    if device.type == "cuda":
        torch.cuda.init()  # there are no generators before
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    return generators
