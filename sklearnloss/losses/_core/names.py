"""The names of losses: built-in losses, and those that a user registered."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from .base import Loss
from .foreign import AnyLoss

# Storages and tables contain these names, so they must not be changed.
LOSSES: dict[str, type[Loss]] = {}

USER_LOSSES: dict[str, Callable[..., Any]] = {}
USER_SPACES: dict[str, Mapping[str, Any]] = {}


def registered_name(loss: AnyLoss) -> str | None:
    """Return the name under which a function or the class of a loss is registered."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    for name, registered in {**LOSSES, **USER_LOSSES}.items():
        if type(loss) is registered or function is registered:
            return name
    return None
