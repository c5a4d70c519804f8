"""The style of all displays."""

from __future__ import annotations

from typing import Any

from ..._utils.optional import import_optional

# Okabe and Ito's palette for color-blind readers, without black.
# https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")


def import_pyplot(name: str) -> Any:
    """Return matplotlib.pyplot; if it is missing, the error names the feature that needs it."""
    return import_optional("matplotlib.pyplot", name, "plot")
