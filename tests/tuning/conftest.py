"""Small data for fits that take a moment."""

from __future__ import annotations

from ..estimators.conftest import digits, scenes

__all__ = ["digits", "scenes"]
