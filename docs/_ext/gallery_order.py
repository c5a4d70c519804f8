"""The order of examples within a group of the gallery."""

from __future__ import annotations

#: The examples to begin with, in this order; the others follow by name.
FIRST = [
    "plot_first_loss.py",
    "plot_compare_losses.py",
    "plot_from_files.py",
    "plot_focal_gamma.py",
    "plot_tversky_alpha_beta.py",
    "plot_dice_gradient.py",
    "plot_loss_search.py",
    "plot_grid_search.py",
    "plot_undecided.py",
    "plot_own_loss.py",
    "plot_own_network.py",
    "plot_own_data.py",
]


class FirstExamplesFirst:
    """Sort key of sphinx-gallery.

    Parameters
    ----------
    src_dir : str
        The folder of the examples.
    """

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, filename: str) -> tuple[int, str]:
        """Return the place of an example."""
        place = FIRST.index(filename) if filename in FIRST else len(FIRST)
        return place, filename
