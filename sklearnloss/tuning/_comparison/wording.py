"""Numbers and verdicts in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..._utils.text import plural

#: Why a fit has no score: its loss or its score became nan, or it raised an exception.
FAILURES = ("diverged", "undefined", "failed")


def number(value: float) -> str:
    """Format a score or a difference: three decimals, or two significant digits if smaller.

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.wording import number
    >>> number(0.0321), number(-0.5), number(0.00012), number(12.34567), number(0)
    ('.032', '-.500', '.00012', '12.346', '0')
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    if value == 0:
        return "0"
    decimals = 3
    if abs(value) < 0.00995:
        decimals = min(1 - math.floor(math.log10(abs(value))), 8)
    text = f"{value:.{decimals}f}"
    if abs(value) < 0.00995:
        text = text.rstrip("0") if float(text) else "0"
    return _short(text)


def cell(value: float) -> str:
    """Format a number for a table: three decimals, more if it is tiny."""
    tiny = value != 0 and abs(value) < 0.0005
    return number(value) if tiny or not math.isfinite(value) else _short(f"{value:.3f}")


def setting(value: float) -> str:
    """Format a number chosen by the user: 0.01 becomes .01."""
    return _short(f"{value:g}")


def _short(text: str) -> str:
    """Leave out the zero before the decimal point."""
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def interval(low: float, high: float) -> str:
    """Format a confidence interval, "-" for nan."""
    return "-" if math.isnan(low) else f"[{number(low)}, {number(high)}]"


def probability(value: float) -> str:
    """Format a probability: two decimals, three near 0 and 1.

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.wording import probability
    >>> [probability(p) for p in (0.5, 0.9933, 0.99999, 0.0001)]
    ['= .50', '= .993', '> .999', '< .001']
    """
    if math.isnan(value):
        return "= -"
    if value >= 0.9995:
        return "> .999"
    if value < 0.0005:
        return "< .001"
    text = f"{value:.2f}" if 0.01 <= value < 0.99 else f"{value:.3f}"
    return "= " + text.removeprefix("0")


def failures(row: Mapping[str, Any]) -> str:
    """Say how many fits of a loss did not finish, "" if all did."""
    parts = [
        f"{kind} in {row[kind]} of {plural(row['fits'], 'fit')}"
        for kind in FAILURES
        if row[kind] > 0
    ]
    return " and ".join(parts)


def verdict(pair: Mapping[str, Any], *, rope: float, n_folds: int, more: int | None) -> str:
    """Say what is known about two losses.

    Parameters
    ----------
    pair : dict
        A row of ``LossComparison.pairs_``.
    rope : float
        Half the width of the region of equivalence.
    n_folds : int
        Splits per repeat; 1 if there are no repeats.
    more : int or None
        Further repeats needed for a verdict, None if they would not help.
    """
    a, b = pair["a"], pair["b"]
    size = f"{number(pair['difference'])} {interval(pair['low'], pair['high'])}"
    within = f"within ±{setting(rope)} (P {probability(pair['p_equivalent'])})"
    outcome = pair["outcome"]
    if outcome == "unknown":
        return f"one split cannot show which of {a} and {b} is better: use several"
    if math.isnan(pair["p"]):
        return _without_spread(a, b, pair["difference"])
    if outcome == "equivalent":
        text = f"{a} and {b} are equivalent {within}"
        ahead = pair["low"] > 0 and pair["difference"] > 0
        return f"{text}, though {a} is ahead by {size}" if ahead else text
    if outcome == "better":
        certain = f"P(better) {probability(pair['p_better'])}"
        if pair["p_better"] > 0.5:
            return f"{a} beats {b} by {size}, {certain}"
        return (
            f"{a} is ahead of {b} by {size}: a real difference, but likely no larger than what "
            f"matters, {setting(rope)} ({certain})"
        )
    size += f", adjusted p {probability(pair['p_holm'])}"
    return f"no evidence yet that {a} beats {b}: {size}; {_missing(n_folds, more)}"


def _without_spread(a: str, b: str, difference: float) -> str:
    """Say that equal differences in all splits leave the uncertainty unknown."""
    what = (
        f"{a} and {b} have the same score in every split"
        if abs(difference) < 1e-6
        else f"{a} is ahead of {b} by {number(difference)} in every split"
    )
    return (
        f"undecided: {what}; with no spread at all, the uncertainty cannot be estimated. Use more "
        f"splits, or more images in each"
    )


def _missing(n_folds: int, more: int | None) -> str:
    if more is None:
        return "more repeats would hardly help, more images might"
    if n_folds == 1:
        return f"about {plural(more, 'more split')} needed"
    return f"about {plural(more, 'more repeat')} of the {n_folds} folds needed"
