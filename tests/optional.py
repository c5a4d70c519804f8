"""Libraries that only some tests need."""

from __future__ import annotations

import importlib
from typing import Any

import pytest


def import_or_skip(name: str) -> Any:
    """Return a module; skip the test if it is missing or does not fit torch."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # torchvision of another build raises a RuntimeError
        pytest.skip(f"{name} cannot be imported: {error}")
