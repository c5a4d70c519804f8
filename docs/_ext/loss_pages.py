"""A page for each loss."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the generator."""
    return {"parallel_read_safe": True}
