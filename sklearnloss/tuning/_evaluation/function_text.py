"""A description of a function that is the same in every process and changes with its code."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from torch import Tensor


def describe_function(function: Any, inside: tuple[Any, ...] = ()) -> list[Any]:
    """Return where a function or class is defined, and of a function also what it does.

    Parameters
    ----------
    function : function or class
        Of classes, and of functions that are not written in Python, the name is all.
    inside : tuple, default=()
        The functions that hold this one: one that holds itself is not followed again.

    Returns
    -------
    description : list
        Name, code, and the values it holds as defaults or from the function around it:
        numbers, texts, arrays and functions. Of other values the type counts, as a
        list may be what a function keeps count in.

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
    if code is None or any(function is each for each in inside):
        return [name]
    around = (*inside, function)
    return [name, _instructions(code), [_held(each, around) for each in _values(function)]]


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
    return describe_function(value if isinstance(value, type) else type(value))


def _instructions(code: CodeType) -> list[Any]:
    """Return what tells one function's code from another's, wherever it stands."""
    return [code.co_code.hex(), list(code.co_names), [_constant(each) for each in code.co_consts]]


def _constant(value: Any) -> Any:
    """Write out a constant; sets are in another order in each process."""
    if isinstance(value, CodeType):
        return _instructions(value)
    if isinstance(value, tuple):
        return [_constant(each) for each in value]
    if isinstance(value, frozenset):
        return ["set", *sorted(map(repr, value))]
    return repr(value)
