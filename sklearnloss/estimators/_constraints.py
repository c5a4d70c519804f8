"""A constraint on numeric parameters."""

from __future__ import annotations

from typing import Any

from sklearn.utils._param_validation import Interval


class Number(Interval):  # type: ignore[misc]
    """An interval of numbers, of which True and False are none."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Tell whether a value is a number within the interval."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))
