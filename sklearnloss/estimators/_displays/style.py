"""The style of all displays."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette for color-blind readers, without black.
# https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")


def import_pyplot(name: str) -> Any:
    """Return matplotlib.pyplot.

    Parameters
    ----------
    name : str
        The feature that needs it.

    Raises
    ------
    ImportError
        If it is not installed; says how to install it.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'sklearnloss[plot]'") from error
    return plt
