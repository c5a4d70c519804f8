"""The command ``sklearnloss``, in this process."""

from __future__ import annotations

from sklearnloss.__main__ import main

__all__ = ["main"]
