"""The command ``sklearnloss``, in this process."""

from __future__ import annotations

from sklearnloss._cli import main

__all__ = ["main"]
