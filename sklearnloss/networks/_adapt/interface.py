"""The network interface that estimators rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

# Most networks halve the resolution at most five times.
USUAL_MULTIPLE = 32


@runtime_checkable
class Network(Protocol):
    """A network that declares which inputs it is made for.

    Attributes
    ----------
    multiple : int
        The sides of tiles are multiples of this: the factor by which the resolution is
        reduced.
    values_per_pixel : int
        How many values the first layer outputs per pixel. Batches of predictions are
        smaller the larger it is, so that they need the same memory.
    """

    multiple: int
    values_per_pixel: int


@dataclass
class UsualNetwork:
    """The defaults for a network that does not declare its interface."""

    multiple: int
    values_per_pixel: int


def as_network(module: nn.Module) -> Network:
    """Return a module itself if it has the interface, and otherwise the defaults."""
    if isinstance(module, Network):
        return module
    first_width = next((len(p) for p in module.parameters() if p.ndim > 1), 1)
    return UsualNetwork(
        multiple=int(getattr(module, "multiple", USUAL_MULTIPLE)),
        values_per_pixel=int(getattr(module, "values_per_pixel", first_width)),
    )
