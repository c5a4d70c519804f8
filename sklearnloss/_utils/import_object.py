"""Import of Python objects by ``module:attribute``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def add_current_folder() -> None:
    """Add the current folder to the end of the module search path.

    It comes last, so that no file in it replaces an installed module. If
    ``PYTHONSAFEPATH`` is set, it is not added.
    """
    folder = os.getcwd()
    if not sys.flags.safe_path and folder not in sys.path:
        sys.path.append(folder)


def import_object(name: str) -> Any:
    """Return the object that ``module:attribute`` names.

    Parameters
    ----------
    name : str
        The module is searched on Python's path, and then in the current folder.

    Raises
    ------
    ValueError
        If the module cannot be imported, or lacks the attribute.
    """
    module, _, attribute = name.partition(":")
    add_current_folder()
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"Cannot find {name!r}: {error}.{_where(module, error)}") from error
    except Exception as error:  # the module may raise anything when it is run
        raise ValueError(
            f"Cannot import {module!r} for {name!r}: {type(error).__name__}: {error}"
        ) from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        where = getattr(found, "__file__", None) or "built into Python"
        raise ValueError(
            f"Cannot find {name!r}: there is no {attribute!r} in {module} ({where})."
        ) from error


def _where(module: str, error: ModuleNotFoundError) -> str:
    """Say where modules are searched, if the named module itself is missing."""
    if error.name != module.partition(".")[0]:
        return ""
    if sys.flags.safe_path:
        return " PYTHONSAFEPATH is set, so the current folder is not searched: use PYTHONPATH."
    return f" Expected {module.partition('.')[0]}.py in {os.getcwd()!r}, or an installed module."
