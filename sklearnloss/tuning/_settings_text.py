"""Parameters written out, the same in every process, so that changed ones are noticed."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..estimators._loss_param import module_settings
from ..losses import Loss
from ._fingerprint import digest

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def settings_text(value: Any) -> str:
    """Write out a parameter, with all its own parameters and without addresses in memory.

    Of functions, what they do counts, and the numbers and strings that they hold.
    """
    if isinstance(value, Mapping):
        items = sorted((str(key), settings_text(each)) for key, each in value.items())
        return "{" + ", ".join(f"{key}: {each}" for key, each in items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(settings_text, value)) + "]"
    if isinstance(value, (np.ndarray, Tensor)):
        return digest(value)
    if isinstance(value, functools.partial):
        return f"partial({settings_text([value.func, value.args, value.keywords])})"
    if isinstance(value, nn.Module) and not isinstance(value, Loss):
        return settings_text(module_settings(value))
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _name(type(value)) + settings_text(value.get_params(deep=False))
    return _name(value) if hasattr(value, "__qualname__") else _ADDRESS.sub("", repr(value))


def _name(value: Any) -> str:
    """Return where a class or function is defined, and of a function also what it does."""
    name = f"{value.__module__}.{value.__qualname__}"
    code = getattr(value, "__code__", None)
    if code is None:
        return name
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    held = [each for each in (*cells, *(value.__defaults__ or ())) if _is_plain(each)]
    return f"{name}#{digest(repr((_instructions(code), held)))}"


def _instructions(code: CodeType) -> list[Any]:
    """Return what tells one function's code from another's, wherever it stands."""
    inner = [_instructions(each) for each in code.co_consts if isinstance(each, CodeType)]
    plain = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return [code.co_code, code.co_names, plain, inner]


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))
