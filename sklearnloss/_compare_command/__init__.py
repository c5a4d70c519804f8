"""``sklearnloss compare``: find the best loss for the images in a folder."""

from ._options import Options
from ._run import describe_data, run_compare

__all__ = ["Options", "describe_data", "run_compare"]
