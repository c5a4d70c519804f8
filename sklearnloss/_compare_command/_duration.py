"""Durations, as options and in sentences."""

from __future__ import annotations

import math
import re

_UNITS = {"h": 3600, "m": 60, "s": 1}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", re.IGNORECASE)


def parse_duration(text: str, option: str) -> float:
    """Return the seconds of a duration such as 90s, 90m, 2h or 1h30m.

    Parameters
    ----------
    text : str
        The value of the option.
    option : str
        Name of the option, for the error.

    Raises
    ------
    ValueError
        If it is something else, or 0. A number without a unit could be seconds or minutes.

    Examples
    --------
    >>> from sklearnloss._compare_command._duration import parse_duration
    >>> parse_duration("1h30m", "--budget")
    5400.0
    """
    found = _DURATION.fullmatch(text.strip())
    parts = [] if found is None else [float(part or 0) for part in found.groups()]
    seconds = sum(part * unit for part, unit in zip(parts, _UNITS.values(), strict=False))
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"{option} {text}: expected a duration above 0 with its units, such as 90s, 20m, 2h or "
            f"1h30m."
        )
    return seconds


def as_option(seconds: float) -> str:
    """Return a duration as the value of an option, rounded up.

    Examples
    --------
    >>> from sklearnloss._compare_command._duration import as_option
    >>> as_option(41), as_option(61), as_option(5000)
    ('41s', '2m', '1h25m')
    """
    if seconds <= 60:
        return f"{math.ceil(seconds)}s"
    minutes = math.ceil(seconds / 60)
    if minutes > 20:
        minutes = math.ceil(minutes / 5) * 5
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")


def exactly(seconds: float) -> str:
    """Return a duration as the value of an option, to the second.

    Examples
    --------
    >>> from sklearnloss._compare_command._duration import exactly
    >>> exactly(45), exactly(5400), exactly(3600)
    ('45s', '1h30m', '1h')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or f"{seconds:g}s"


def spoken(seconds: float) -> str:
    """Return a measured duration, to the second below an hour.

    Examples
    --------
    >>> from sklearnloss._compare_command._duration import spoken
    >>> spoken(0.2), spoken(41.4), spoken(600), spoken(615), spoken(7890)
    ('less than 1 s', '41 s', '10 min', '10 min 15 s', '2 h 12 min')
    """
    if seconds < 0.5:
        return "less than 1 s"
    if seconds < 59.5:
        return f"{round(seconds)} s"
    if seconds < 3599.5:
        return _two(*divmod(round(seconds), 60), "min", "s")
    return _two(*divmod(round(seconds / 60), 60), "h", "min")


def roughly(seconds: float) -> str:
    """Return an estimated duration, in steps of about a tenth.

    Examples
    --------
    >>> from sklearnloss._compare_command._duration import roughly
    >>> roughly(0.2), roughly(41), roughly(617), roughly(7890), roughly(86400)
    ('1 s', '40 s', '10 min', '2 h 10 min', '24 h')
    """
    for limit, step in ((10, 1), (60, 5), (600, 60), (3600, 300), (36000, 600)):
        if seconds < limit:
            return spoken(max(1, round(seconds / step) * step))
    return f"{round(seconds / 3600)} h"


def _two(large: int, small: int, *units: str) -> str:
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")
