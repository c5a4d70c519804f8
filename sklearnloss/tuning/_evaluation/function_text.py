"""A description of a function that is the same in every process and changes with its code."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from torch import Tensor, nn

# Where Python and installed packages are.
_INSTALLED = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def describe_function(function: Any, inside: tuple[Any, ...] = ()) -> list[Any]:
    """Return the qualified name of a function or class, and its code.

    Parameters
    ----------
    function : function or class
        Of classes, the code of the user's own torch modules is returned, since networks and
        losses are edited between two runs; of all others, and of functions not written in
        Python, only the name.
    inside : tuple, default=()
        The functions that refer to this one, so that recursive ones are not followed
        again.

    Returns
    -------
    description : list
        Name, code, and the values that it holds as defaults or from an enclosing
        function: numbers, strings, arrays and functions. Other values are represented by
        their type, since they may change from call to call.

    Examples
    --------
    >>> from sklearnloss.tuning._evaluation.function_text import describe_function
    >>> describe_function(int)
    ['builtins.int']
    >>> describe_function(lambda x: x + 1) == describe_function(lambda x: x + 2)
    False
    """
    name = f"{getattr(function, '__module__', '')}.{function.__qualname__}"
    code = getattr(function, "__code__", None)
    if isinstance(function, type) and _is_own(function) and function not in inside:
        methods = sorted(
            (key, each) for key, each in vars(function).items() if isinstance(each, FunctionType)
        )
        bases = [describe_function(base, (*inside, function)) for base in function.__bases__]
        return [name, [describe_function(each, (*inside, function)) for _, each in methods], bases]
    if code is None or any(function is each for each in inside):
        return [name]
    around = (*inside, function)
    return [name, _instructions(code), [_held(each, around) for each in _values(function)]]


def _is_own(cls: type) -> bool:
    """Return whether a class is a torch module of the user's own."""
    if not issubclass(cls, nn.Module):
        return False
    if cls.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or cls.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return False
    return not any(Path(file).is_relative_to(folder) for folder in _INSTALLED)


def _values(function: Any) -> Iterator[Any]:
    """Yield what a function holds, in a fixed order."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not set yet
            yield None
    yield from function.__defaults__ or ()
    for item in sorted((function.__kwdefaults__ or {}).items()):
        yield from item


def _held(value: Any, inside: tuple[Any, ...]) -> Any:
    if isinstance(value, FunctionType):
        return describe_function(value, inside)
    if isinstance(value, tuple):
        return tuple(_held(each, inside) for each in value)
    if value is None or isinstance(value, bool | int | float | str | np.ndarray | Tensor):
        return value
    return describe_function(value if isinstance(value, type) else type(value), inside)


def _instructions(code: CodeType) -> list[Any]:
    """Return what distinguishes the code of functions, regardless of its location."""
    return [code.co_code.hex(), list(code.co_names), [_constant(each) for each in code.co_consts]]


def _constant(value: Any) -> Any:
    """Return a constant in a form that is the same in every process, even for sets."""
    if isinstance(value, CodeType):
        return _instructions(value)
    if isinstance(value, tuple):
        return [_constant(each) for each in value]
    if isinstance(value, frozenset):
        return ["set", *sorted(map(repr, value))]
    return repr(value)
