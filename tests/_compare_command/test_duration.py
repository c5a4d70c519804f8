"""Durations, as options and in sentences."""

from __future__ import annotations

import pytest

from sklearnloss._compare_command._duration import as_option, parse_duration, roughly, spoken


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), ("1H2M3S", 3723)],
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text, "--budget") == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "0s", "0h0m", "-5m", "5 minutes", "30m1h", "nan", "infh"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"--budget {text}: expected a duration above 0 with its"):
        parse_duration(text, "--budget")


@pytest.mark.parametrize("seconds", [0.1, 1, 59.2, 60, 61, 1199, 1201, 3599, 3601, 86399.5])
def test_an_option_is_never_less_than_the_duration(seconds: float) -> None:
    found = parse_duration(as_option(seconds), "--budget")
    assert seconds <= found <= max(1.0, 1.25 * seconds, seconds + 60)


@pytest.mark.parametrize("seconds", [1, 9.6, 59, 61, 599, 601, 3580, 3610, 7199, 35990, 36010])
def test_estimates_are_rounded_by_less_than_a_sixth(seconds: float) -> None:
    assert _seconds(roughly(seconds)) == pytest.approx(seconds, rel=1 / 6)
    assert _seconds(spoken(seconds)) == pytest.approx(seconds, abs=30 if seconds > 3599 else 0.5)


def _seconds(text: str) -> float:
    return parse_duration(text.replace(" ", "").replace("min", "m"), "")
