"""Text for messages: descriptions of values, and suggestions for misspelled names."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any


def describe(value: Any) -> str:
    """Return a value's repr, or the bare name of a function or class."""
    if isinstance(value, functools.partial):
        bound = "".join(f", {key}={describe(each)}" for key, each in value.keywords.items())
        return f"partial({describe(value.func)}{bound})"
    return getattr(value, "__name__", None) or repr(value)


def shorten(text: str, width: int = 80) -> str:
    """Return a text on one line, cut to a maximum number of characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 3]}..."


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Format a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """Join names with commas, and with "and" before the last one."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def unknown_parameter(owner: str, key: str, valid: Iterable[str]) -> str:
    """Return a message with the wrong parameter name, the valid ones and the nearest."""
    names = sorted(valid)
    message = (
        f"Invalid parameter {key!r} for {owner}. "
        f"Valid parameters are: {', '.join(map(repr, names)) or 'none'}."
    )
    return message + did_you_mean(key, names)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest choice, or nothing."""
    nearest = difflib.get_close_matches(name, list(choices), n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def unique_name(name: str, taken: Container[str]) -> str:
    """Return a name, followed by the lowest number from 2 if it is already taken.

    Examples
    --------
    >>> from sklearnloss._utils.text import unique_name
    >>> unique_name("dice", ["bce"]), unique_name("dice", ["dice", "dice_2"])
    ('dice', 'dice_3')
    """
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def text_keys(given: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """Return a dict with its keys as text, such as labels of losses.

    Raises
    ------
    ValueError
        If a key is blank, or two keys have the same text; ``what`` names the dict.
    """
    named: dict[str, Any] = {}
    for key, value in given.items():
        if str(key) in named:
            raise ValueError(
                f"{what} holds {str(key)!r} twice, once as {type(key).__name__}. Give each a "
                f"different name."
            )
        if not str(key).strip():
            raise ValueError(f"{what} holds a blank name, {key!r}. Give each a name.")
        named[str(key)] = value
    return named
