"""The interface of networks that estimators rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

# Most networks halve the resolution five times at most.
USUAL_MULTIPLE = 32


@runtime_checkable
class Network(Protocol):
    """A network that says how large an input it is made for.

    Attributes
    ----------
    multiple : int
        The sides of tiles are multiples of it: by how much the resolution is reduced.
    values_per_pixel : int
        How many values the first layer gives per pixel. Batches of predictions are
        smaller where it is larger, so that they need as much memory.
    """

    multiple: int
    values_per_pixel: int


@dataclass
class UsualNetwork:
    """What is assumed of a network that does not say so itself."""

    multiple: int
    values_per_pixel: int


def as_network(module: nn.Module) -> Network:
    """Return a module that has the interface, or what is known of any other one."""
    if isinstance(module, Network):
        return module
    first_width = next((len(p) for p in module.parameters() if p.ndim > 1), 1)
    return UsualNetwork(
        multiple=int(getattr(module, "multiple", USUAL_MULTIPLE)),
        values_per_pixel=int(getattr(module, "values_per_pixel", first_width)),
    )
