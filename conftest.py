"""Shared by tests and examples: what is registered is forgotten, only our warnings are errors."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from sklearnloss.losses._core import names as _names
from sklearnloss.networks import _registry

_warn = warnings.warn
_OURS = ("sklearnloss", "tests")


def _warn_with_origin(
    message: Warning | str,
    category: type[Warning] | None = None,
    stacklevel: int = 1,
    source: Any = None,
    **kwargs: Any,
) -> None:
    """Name the module that raises a warning, not the one it points to.

    A dependency's deprecation often points to the line of ours that called it. With the
    filters in pyproject.toml a warning that our code raises is an error, and one that a
    dependency raises is listed at the end of the run.
    """
    raised_in = sys._getframe(1).f_globals.get("__name__", "")
    if raised_in.partition(".")[0] not in _OURS:
        _warn(message, category, stacklevel + 1, source, **kwargs)
        return
    frame: Any = sys._getframe(1)
    for _ in range(stacklevel - 1):
        frame = frame.f_back or frame
    if not isinstance(message, Warning):
        message = (category or UserWarning)(message)
    warnings.warn_explicit(
        message,
        type(message),
        frame.f_code.co_filename,
        frame.f_lineno,
        module=f"ours.{raised_in}",
        source=source,
    )


warnings.warn = _warn_with_origin


@pytest.fixture(autouse=True)
def _forget_what_was_registered() -> Iterator[None]:
    yield
    _registry.USER_NETWORKS.clear()
    _names.USER_LOSSES.clear()
    _names.USER_SPACES.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples that train a network are slow."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and "max_epochs" in (item.dtest.docstring or ""):
            item.add_marker(pytest.mark.slow)
