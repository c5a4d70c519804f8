"""``sklearnloss compare``: find the best loss for the images in a folder."""

from ._options import Options
from ._run import run_compare

__all__ = ["Options", "run_compare"]
